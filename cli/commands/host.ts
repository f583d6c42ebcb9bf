import { spawn } from "node:child_process";
import type { Command } from "commander";
import { CliError } from "../cli-error.ts";
import { examples } from "../command-context.ts";
import type { CommandContext, OpenContext } from "../command-context.ts";
import { exitOf, hostEnvironment, hostArguments } from "../host-process.ts";

export function registerHost(program: Command, open: OpenContext): void {
  program
    .command("host")
    .description("run a host in the foreground; its settings follow, as they are")
    .argument("[settings...]", "`--help` after `--` lists them")
    .allowUnknownOption()
    .addHelpText(
      "after",
      examples(
        ["downpour host", "on 127.0.0.1:8787, data in .downpour/data"],
        ["downpour host --listen-port 9000 --data-directory /srv/downpour", ""],
        ["downpour host -- --help", "every setting"],
      ),
    )
    .action(async (settings: readonly string[], _flags: object, command: Command) => {
      await runHost(open(command), settings);
    });
}

async function runHost(context: CommandContext, settings: readonly string[]): Promise<void> {
  const child = spawn(process.execPath, [...hostArguments(), ...settings], {
    cwd: context.io.workingDirectory,
    env: hostEnvironment(context.io.environment),
    stdio: "inherit",
  });
  // What is sent to this process alone is passed on.
  const terminate = (): void => {
    child.kill("SIGTERM");
  };
  process.on("SIGINT", leaveToHost);
  process.on("SIGTERM", terminate);
  try {
    const { status, signal } = await exitOf(child);
    if (status !== 0) {
      throw new CliError(
        "HOST_START_FAILED",
        status === null
          ? `the host was ended by ${signal}`
          : `the host ended with status ${status}`,
        { exit: "failure", details: { status, signal } },
      );
    }
  } finally {
    process.off("SIGINT", leaveToHost);
    process.off("SIGTERM", terminate);
  }
}

/** Ctrl-C reaches the host by itself: both are in the terminal's process group, and the host drains. */
function leaveToHost(): void {
  // Without a listener this process would end before the host has.
}
