import type { Command } from "commander";
import type { AppUsage, Usage, UsageTotals } from "@downpour/host/schemas";
import { pathPart } from "../api-client.ts";
import { CliError } from "../cli-error.ts";
import { examples } from "../command-context.ts";
import type { CommandContext, OpenContext } from "../command-context.ts";
import { resolveApp } from "../settings.ts";
import { formatBytes, formatDuration, table } from "../terminal.ts";
import type { Terminal } from "../terminal.ts";

export function registerUsage(program: Command, open: OpenContext): void {
  program
    .command("usage")
    .description("show what the tenant has used, for each app, and what it may use")
    .argument("[app]", "this one alone, with its functions; also one that is deleted")
    .addHelpText(
      "after",
      examples(
        ["downpour usage", "since the tenant was created"],
        ["downpour usage counter", "of one app and each of its functions"],
        ["downpour usage --json | jq .total", "for programs"],
      ),
    )
    .action(async (name: string | undefined, _flags: object, command: Command) => {
      const context = open(command);
      if (name === undefined) showAll(context, await readAll(context));
      else showOne(context, await readOne(context, resolveApp(context.settings.project, name)));
    });
}

function readAll({ client }: CommandContext): Promise<Usage> {
  return client.json("GET", "/v1/usage");
}

async function readOne(context: CommandContext, app: string): Promise<AppUsage> {
  try {
    return await context.client.json("GET", `/v1/usage/${pathPart(app)}`);
  } catch (error) {
    if (!(error instanceof CliError) || error.code !== "APP_NOT_FOUND") throw error;
    throw withNames(error, app, await readAll(context));
  }
}

/** The host says that nothing was counted; here it is known of what something was. */
function withNames(error: CliError, app: string, { apps }: Usage): CliError {
  const { code, exit, details } = error;
  return new CliError(code, `nothing has been counted for an app ${app}`, {
    exit,
    details,
    hint:
      apps.length === 0
        ? "No app of the tenant has been called yet."
        : `Counted are: ${apps.map((counted) => counted.app).join(", ")}`,
    cause: error,
  });
}

function showAll({ terminal }: CommandContext, usage: Usage): void {
  const rows = [
    ...usage.apps.map((app) => row(app.app, app)),
    ...(usage.apps.length === 1 ? [] : [row("total", usage.total)]),
  ];
  const headings = ["APP", "INVOCATIONS", "ERRORS", "COLD STARTS", "CPU", "IN", "OUT"];
  const apps = table(headings, rows, (heading) => terminal.out("dim", heading));
  const limits = limitLines(usage).map(([what, of]) => line(terminal, what, of));
  terminal.result(usage, `${apps}\n\n${limits.join("\n")}`);
}

function bytesOf(used: number, max: number): string {
  return `${formatBytes(used)} of ${formatBytes(max)}`;
}

/** What there is, of what there may be. */
function limitLines(usage: Usage): readonly (readonly [what: string, of: string])[] {
  const { stored, largest, load, held, quotas } = usage;
  const running = `${load.inFlight} of ${quotas.concurrencyMax} invocations`;
  const waiting = `${load.queued} of ${quotas.queueDepthMax} waiting`;
  return [
    ["running", `${running}, ${waiting}, ${bytesOf(load.queuedBytes, quotas.queuedBytesMax)}`],
    ["instances", `${held.instances} of ${quotas.instancesMax}`],
    [
      "state",
      `${stored.stateKeys} of ${quotas.stateKeysMax} keys, ${bytesOf(stored.stateBytes, quotas.stateBytesMax)}`,
    ],
    [
      "deployed",
      `${stored.apps} of ${quotas.appsMax} apps, ${load.uploads} of ${quotas.uploadsMax} uploads under way`,
    ],
    [
      "largest",
      [
        bytesOf(largest.componentBytes, quotas.uploadBytesMax),
        `${largest.coreFunctions} of ${quotas.componentFunctionsMax} functions`,
        `${largest.sections} of ${quotas.componentSectionsMax} sections`,
        `${largest.nestingDepth} of ${quotas.componentNestingMax} levels`,
        `${largest.tableElements} of ${quotas.tableElementsMax} elements of tables`,
      ].join(", "),
    ],
  ];
}

function line(terminal: Terminal, what: string, value: string): string {
  return `${terminal.out("dim", what.padEnd(12))}${value}`;
}

function showOne({ terminal }: CommandContext, used: AppUsage): void {
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
  ] as const;
  const functions = table(
    ["FUNCTION", "INVOCATIONS", "ERRORS", "CPU"],
    used.functions.map((own) => [
      own.function,
      String(own.invocations),
      String(own.errors),
      formatDuration(own.cpuMs),
    ]),
    (heading) => terminal.out("dim", heading),
  );
  const totals = lines.map(([what, value]) => line(terminal, what, value));
  terminal.result(used, `${totals.join("\n")}\n\n${functions}`);
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
