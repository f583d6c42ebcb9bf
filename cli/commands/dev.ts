import type { Command } from "commander";
import { examples } from "../command-context.ts";
import type { OpenContext } from "../command-context.ts";
import { runDev } from "../dev/dev-session.ts";
import type { DevFlags } from "../dev/dev-session.ts";
import { engine, wholeNumber } from "../parse-option.ts";

export function registerDev(program: Command, open: OpenContext): void {
  program
    .command("dev")
    .description("run this project on a host of its own, and deploy it again on every save")
    .option("-a, --app <name>", "the app; the project's where absent")
    .option(
      "-p, --port <port>",
      "the host's port; where absent that of the last run, 8787, or a free one",
      wholeNumber(1, 65_535),
    )
    .option("--entry <file>", "the entry file")
    .option("--engine <engine>", "quickjs or starlingmonkey", engine)
    .addHelpText(
      "after",
      [
        examples(
          ["downpour dev", "in a project's folder; Ctrl-C stops it"],
          ["downpour dev --port 9000", "on a certain port"],
          ["downpour dev --json", "one JSON document for each event"],
        ),
        "",
        "Data, log and tokens of the host are in .downpour/; other commands in this folder find the host there.",
      ].join("\n"),
    )
    .action(async (flags: DevFlags, command: Command) => {
      await runDev(open(command), flags);
    });
}
