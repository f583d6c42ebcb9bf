import { CommanderError } from "commander";
import { CliError } from "./cli-error.ts";
import { EXIT_CODES } from "./exit-codes.ts";
import { Terminal } from "./terminal.ts";
import type { OutputStream } from "./terminal.ts";

/** Tells of a failure once, in the form that was asked for, and gives the exit status. */
export function reportError(
  cause: unknown,
  streams: {
    readonly stdout: OutputStream;
    readonly stderr: OutputStream;
    readonly isJson: boolean;
  },
): number {
  const terminal = new Terminal(streams);
  if (cause instanceof CommanderError) {
    // Commander has printed its help or its message already; with `--json` the document is still owed.
    if (cause.exitCode === 0) return EXIT_CODES.ok.status;
    terminal.result(
      { error: { code: "USAGE_INVALID", message: cause.message.replace(/^error: /u, "") } },
      "",
    );
    return EXIT_CODES.usage.status;
  }
  if (cause instanceof CliError) {
    terminal.result(
      {
        error: {
          code: cause.code,
          message: cause.message,
          ...(cause.hint === undefined ? {} : { hint: cause.hint }),
          ...(cause.details === undefined ? {} : { details: cause.details }),
        },
      },
      "",
    );
    if (!streams.isJson) {
      const head = `${terminal.err("red", "error")}: ${cause.message} ${terminal.err("dim", `[${cause.code}]`)}`;
      const hint = cause.hint?.split("\n").map((line) => terminal.err("dim", `  ${line}`));
      terminal.error(
        [head, ...(cause.body === undefined ? [] : [cause.body]), ...(hint ?? [])].join("\n"),
      );
    }
    return EXIT_CODES[cause.exit].status;
  }
  // A bug of the command itself: its stack is what helps.
  const text = cause instanceof Error ? (cause.stack ?? cause.message) : String(cause);
  terminal.result({ error: { code: "INTERNAL", message: "the command has a bug" } }, "");
  terminal.error(`internal error of the command\n${text}`);
  return EXIT_CODES.failure.status;
}
