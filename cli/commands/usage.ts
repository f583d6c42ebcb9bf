import type { Command } from "commander";
import type { Usage, UsageTotals } from "@downpour/host/schemas";
import { examples } from "../command-context.ts";
import type { OpenContext } from "../command-context.ts";
import { formatBytes, formatDuration, table } from "../terminal.ts";

export function registerUsage(program: Command, open: OpenContext): void {
  program
    .command("usage")
    .description("show what the tenant has used, for each app")
    .addHelpText(
      "after",
      examples(
        ["downpour usage", "since the tenant was created"],
        ["downpour usage --json | jq .total", "for programs"],
      ),
    )
    .action(async (_flags: object, command: Command) => {
      const { client, terminal } = open(command);
      const usage = await client.json<Usage>("GET", "/v1/usage");
      const rows = [
        ...usage.apps.map((app) => row(app.app, app)),
        ...(usage.apps.length === 1 ? [] : [row("total", usage.total)]),
      ];
      terminal.result(
        usage,
        table(
          ["APP", "INVOCATIONS", "ERRORS", "COLD STARTS", "CPU", "IN", "OUT"],
          rows,
          (heading) => terminal.out("dim", heading),
        ),
      );
    });
}

function row(name: string, totals: UsageTotals): readonly string[] {
  return [
    name,
    String(totals.invocations),
    String(totals.errors),
    String(totals.coldStarts),
    formatDuration(totals.cpuMs),
    formatBytes(totals.bytesIn),
    formatBytes(totals.bytesOut),
  ];
}
