import type { Command } from "commander";
import type { LogEntryView, LogNotice, LogPage } from "@downpour/host/schemas";
import { pathPart } from "../api-client.ts";
import { examples } from "../command-context.ts";
import type { CommandContext, OpenContext } from "../command-context.ts";
import { followEvents } from "../event-stream.ts";
import { EXIT_CODES } from "../exit-codes.ts";
import { formatLogEntry, parseLogEvent } from "../function-log.ts";
import { wholeNumber } from "../parse-option.ts";
import { resolveApp } from "../settings.ts";

interface LogsFlags {
  readonly follow?: boolean;
  readonly limit?: number;
  readonly since?: number;
}

export function registerLogs(program: Command, open: OpenContext): void {
  program
    .command("logs")
    .description("show what an app's functions wrote")
    .argument("[app]", "the app; this project's where absent")
    .option("-f, --follow", "go on until Ctrl-C, also across restarts of the host")
    .option("-n, --limit <count>", "the newest so many", wholeNumber(1, 10_000))
    .option("--since <seq>", "entries after this `seq`", wholeNumber(0, Number.MAX_SAFE_INTEGER))
    .addHelpText(
      "after",
      examples(
        ["downpour logs", "this project's app"],
        ["downpour logs counter -n 20", "the last 20 entries"],
        ["downpour logs counter -f", "as they come"],
        ["downpour logs -f --json | jq .message", "one JSON document to a line"],
      ),
    )
    .action(async (app: string | undefined, flags: LogsFlags, command: Command) => {
      await logs(open(command), app, flags);
    });
}

async function logs(
  context: CommandContext,
  named: string | undefined,
  flags: LogsFlags,
): Promise<void> {
  const { client, terminal, settings } = context;
  const app = resolveApp(settings.project, named);
  const path = `/v1/apps/${pathPart(app)}/logs`;
  const query = { limit: flags.limit, since: flags.since };

  if (flags.follow !== true) {
    const page = await client.json<LogPage>("GET", path, { query });
    // The host also says so of what `--limit` left out, and that was asked for.
    if (page.dropped && flags.limit === undefined) {
      terminal.note(terminal.err("dim", "there are older entries, or were: --limit shows more"));
    }
    terminal.result(page, page.entries.map((entry) => formatLogEntry(entry, terminal)).join("\n"));
    return;
  }

  const interrupted = new AbortController();
  const stop = (): void => interrupted.abort();
  const interrupt = (): void => {
    // What was asked for was done until now: no error, and yet not the end of the log.
    process.exitCode = EXIT_CODES.interrupted.status;
    stop();
  };
  process.once("SIGINT", interrupt);
  process.once("SIGTERM", stop);
  try {
    await followEvents({
      client,
      path,
      query: { ...query, follow: true },
      signal: interrupted.signal,
      onEvent: (event) => {
        const parsed = parseLogEvent(event);
        if (parsed?.kind === "log") printEntry(context, parsed.entry);
        if (parsed?.kind === "notice") printNotice(context, parsed.notice);
      },
      onConnection: (state) => {
        if (state === "lost") terminal.note(terminal.err("dim", "the stream broke; reconnecting"));
      },
    });
  } finally {
    process.off("SIGINT", interrupt);
    process.off("SIGTERM", stop);
  }
}

function printEntry({ terminal }: CommandContext, entry: LogEntryView): void {
  terminal.result(entry, formatLogEntry(entry, terminal));
}

function printNotice({ terminal }: CommandContext, notice: LogNotice): void {
  terminal.note(terminal.err("yellow", `notice: ${notice.message}`));
}
