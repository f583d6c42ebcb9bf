import type { Command } from "commander";
import type { Usage, UsageTotals } from "@downpour/host/schemas";
import { CliError } from "../cli-error.ts";
import { examples } from "../command-context.ts";
import type { CommandContext, OpenContext } from "../command-context.ts";
import { formatBytes, formatDuration, table } from "../terminal.ts";

export function registerUsage(program: Command, open: OpenContext): void {
  program
    .command("usage")
    .description("show what the tenant has used, for each app")
    .argument("[app]", "this one alone; also one that is deleted")
    .addHelpText(
      "after",
      examples(
        ["downpour usage", "since the tenant was created"],
        ["downpour usage counter", "of one app"],
        ["downpour usage --json | jq .total", "for programs"],
      ),
    )
    .action(async (name: string | undefined, _flags: object, command: Command) => {
      const context = open(command);
      const usage = await context.client.json<Usage>("GET", "/v1/usage");
      if (name === undefined) showAll(context, usage);
      else showOne(context, usage, name);
    });
}

function showAll({ terminal }: CommandContext, usage: Usage): void {
  const rows = [
    ...usage.apps.map((app) => row(app.app, app)),
    ...(usage.apps.length === 1 ? [] : [row("total", usage.total)]),
  ];
  const headings = ["APP", "INVOCATIONS", "ERRORS", "COLD STARTS", "CPU", "IN", "OUT"];
  const apps = table(headings, rows, (heading) => terminal.out("dim", heading));
  terminal.result(usage, `${apps}\n\n${terminal.out("dim", "state")}  ${storedState(usage)}`);
}

function storedState({ stored, quotas }: Usage): string {
  const bytes = `${formatBytes(stored.stateBytes)} of ${formatBytes(quotas.stateBytesMax)}`;
  return `${stored.stateKeys} of ${quotas.stateKeysMax} keys, ${bytes}`;
}

function showOne({ terminal }: CommandContext, { apps }: Usage, name: string): void {
  const used = apps.find(({ app }) => app === name);
  if (used === undefined) {
    throw new CliError("APP_NOT_FOUND", `nothing has been counted for an app ${name}`, {
      exit: "notFound",
      hint:
        apps.length === 0
          ? "No app of the tenant has been called yet."
          : `Counted are: ${apps.map(({ app }) => app).join(", ")}`,
    });
  }
  const { invocations, errors, coldStarts, cpuMs, wallMs, bytesIn, bytesOut } = used;
  const { stateOperations, logBytes, logEntriesDropped } = used;
  const dropped = logEntriesDropped === 0 ? "" : `, and ${logEntriesDropped} entries dropped`;
  const each = (total: number): string => formatDuration(total / Math.max(1, invocations));
  const lines = [
    ["invocations", `${invocations}`],
    ["errors", `${errors}`],
    ["cold starts", `${coldStarts}`],
    ["cpu", `${formatDuration(cpuMs)} (${each(cpuMs)} for each invocation)`],
    ["wall", `${formatDuration(wallMs)} (${each(wallMs)} for each invocation)`],
    ["in", formatBytes(bytesIn)],
    ["out", formatBytes(bytesOut)],
    ["state", `${stateOperations} operations`],
    ["log", `${formatBytes(logBytes)}${dropped}`],
  ];
  terminal.result(
    used,
    lines.map(([what = "", value]) => `${terminal.out("dim", what.padEnd(12))}${value}`).join("\n"),
  );
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
