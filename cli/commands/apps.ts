import { Option } from "commander";
import type { Command } from "commander";
import type { AppConfigPatch, AppList, AppView } from "@downpour/host/schemas";
import { pathPart } from "../api-client.ts";
import { usageError } from "../cli-error.ts";
import { examples } from "../command-context.ts";
import type { CommandContext, OpenContext } from "../command-context.ts";
import { confirm } from "../confirm.ts";
import { keyValue, wholeNumber } from "../parse-option.ts";
import { resolveApp } from "../settings.ts";
import { formatBytes, printable, table } from "../terminal.ts";
import type { Terminal } from "../terminal.ts";

interface SetFlags {
  readonly requestsPerSecond?: number;
  readonly reuse?: "always" | "never";
  readonly deadlineMs?: number;
  readonly cpuMs?: number;
  readonly memoryBytes?: number;
  readonly concurrency?: number;
  readonly queueDepth?: number;
  readonly idleInstances?: number;
  readonly env?: Readonly<Record<string, string>>;
  readonly unset?: readonly string[];
}

export function registerApps(program: Command, open: OpenContext): void {
  const apps = program
    .command("apps")
    .description("list, show, configure, roll back and remove apps")
    .addHelpText(
      "after",
      examples(
        ["downpour apps", "list them"],
        ["downpour apps show counter", "functions, revisions, configuration"],
        ["downpour apps rollback counter", "back to the revision before"],
        ["downpour apps set counter --deadline-ms 2000", "change a limit"],
        ["downpour apps rm counter", "remove it; its state stays"],
      ),
    );

  apps
    .command("ls", { isDefault: true })
    .description("list the tenant's apps")
    .addHelpText("after", examples(["downpour apps ls --json | jq '.apps[].app'", "names alone"]))
    .action(async (_flags: object, command: Command) => {
      const { client, terminal } = open(command);
      const list = await client.json<AppList>("GET", "/v1/apps");
      terminal.result(list, formatList(list, terminal));
    });

  apps
    .command("show")
    .description("show one app: functions, imports, revisions, configuration")
    .argument("[app]", "this project's where absent")
    .addHelpText("after", examples(["downpour apps show counter", ""]))
    .action(async (named: string | undefined, _flags: object, command: Command) => {
      const context = open(command);
      const app = resolveApp(context.settings.project, named);
      const view = await context.client.json<AppView>("GET", `/v1/apps/${pathPart(app)}`);
      context.terminal.result(view, formatApp(view, context.terminal));
    });

  apps
    .command("rm")
    .description("remove an app and its revisions; the tenant's state stays")
    .argument("<app>")
    .option("-y, --yes", "do not ask")
    .addHelpText("after", examples(["downpour apps rm counter --yes", ""]))
    .action(async (app: string, flags: { readonly yes?: boolean }, command: Command) => {
      const context = open(command);
      resolveApp(context.settings.project, app);
      await confirm(context, `Remove the app ${app} from ${context.settings.url}?`, flags.yes);
      await context.client.bytes("DELETE", `/v1/apps/${pathPart(app)}`);
      context.terminal.result({ app, removed: true }, `removed ${app}`);
    });

  apps
    .command("rollback")
    .description("make an earlier revision the active one")
    .argument("[app]", "this project's where absent")
    .option("--to <revision>", "a revision, or its first characters; the one before where absent")
    .addHelpText(
      "after",
      examples(
        ["downpour apps rollback counter", "the revision before the active one"],
        ["downpour apps rollback counter --to 3f9a", "a certain one"],
      ),
    )
    .action(
      async (named: string | undefined, flags: { readonly to?: string }, command: Command) => {
        await rollback(open(command), named, flags.to);
      },
    );

  apps
    .command("set")
    .description("change an app's limits and environment; running invocations keep theirs")
    .argument("[app]", "this project's where absent")
    .option("--deadline-ms <ms>", "the longest one invocation may take", wholeNumber(1, 86_400_000))
    .option("--cpu-ms <ms>", "how long one invocation may compute", wholeNumber(1, 86_400_000))
    .option("--memory-bytes <bytes>", "memory of one instance", wholeNumber(1, 4_294_967_296))
    .option("--concurrency <count>", "invocations at once", wholeNumber(1, 100_000))
    .option("--queue-depth <count>", "invocations that may wait", wholeNumber(1, 1_000_000))
    .option(
      "--requests-per-second <count>",
      "invocations that may begin in a second",
      wholeNumber(1, 1_000_000),
    )
    .addOption(
      new Option("--reuse <when>", "`never`: an instance for each invocation").choices([
        "always",
        "never",
      ]),
    )
    .option(
      "--idle-instances <count>",
      "warm instances kept by each executor",
      wholeNumber(0, 1_000),
    )
    .option("--env <NAME=value>", "set a variable; may be repeated, the others stay", keyValue)
    .option("--unset <name...>", "back to the default: a limit's name, or a variable's")
    .addHelpText(
      "after",
      examples(
        ["downpour apps set counter --deadline-ms 2000 --concurrency 50", "limits"],
        ["downpour apps set counter --env GREETING=hello --unset OLD_NAME", "environment"],
        ["downpour apps set counter --unset deadline-ms", "back to the host's default"],
      ),
    )
    .action(async (named: string | undefined, flags: SetFlags, command: Command) => {
      await setConfig(open(command), named, flags);
    });
}

async function rollback(
  context: CommandContext,
  named: string | undefined,
  to: string | undefined,
): Promise<void> {
  const { client, terminal, settings } = context;
  const app = resolveApp(settings.project, named);
  const path = `/v1/apps/${pathPart(app)}`;
  const revision = to === undefined ? undefined : await completeRevision(context, path, to);
  const view = await client.json<AppView>("POST", `${path}/rollback`, {
    json: revision === undefined ? {} : { revision },
  });
  terminal.result(view, `${app} now runs revision ${view.revision.slice(0, 12)}`);
}

/** The host takes whole revisions; people copy the first characters. */
async function completeRevision(
  { client }: CommandContext,
  path: string,
  prefix: string,
): Promise<string> {
  if (!/^[0-9a-f]{4,64}$/u.test(prefix)) {
    throw usageError("a revision is 4 to 64 hexadecimal characters, in lower case");
  }
  if (prefix.length === 64) return prefix;
  const { revisions } = await client.json<AppView>("GET", path);
  const matches = revisions.filter(({ revision }) => revision.startsWith(prefix));
  const [match] = matches;
  if (match === undefined || matches.length > 1) {
    throw usageError(
      `${matches.length === 0 ? "no" : "more than one"} kept revision starts with ${prefix}`,
      "`downpour apps show` lists them.",
    );
  }
  return match.revision;
}

async function setConfig(
  { client, terminal, settings }: CommandContext,
  named: string | undefined,
  flags: SetFlags,
): Promise<void> {
  const app = resolveApp(settings.project, named);
  const path = `/v1/apps/${pathPart(app)}`;
  const patch: AppConfigPatch = {};
  if (flags.deadlineMs !== undefined) patch.deadlineMs = flags.deadlineMs;
  if (flags.cpuMs !== undefined) patch.cpuMsMax = flags.cpuMs;
  if (flags.memoryBytes !== undefined) patch.memoryBytesMax = flags.memoryBytes;
  if (flags.concurrency !== undefined) patch.concurrencyMax = flags.concurrency;
  if (flags.queueDepth !== undefined) patch.queueDepthMax = flags.queueDepth;
  if (flags.requestsPerSecond !== undefined) patch.requestsPerSecondMax = flags.requestsPerSecond;
  if (flags.reuse !== undefined) patch.reuse = flags.reuse;
  if (flags.idleInstances !== undefined) patch.idleInstancesMax = flags.idleInstances;

  const variables: string[] = [];
  for (const name of flags.unset ?? []) {
    switch (name) {
      case "deadline-ms":
        patch.deadlineMs = null;
        break;
      case "cpu-ms":
        patch.cpuMsMax = null;
        break;
      case "memory-bytes":
        patch.memoryBytesMax = null;
        break;
      case "concurrency":
        patch.concurrencyMax = null;
        break;
      case "queue-depth":
        patch.queueDepthMax = null;
        break;
      case "requests-per-second":
        patch.requestsPerSecondMax = null;
        break;
      case "reuse":
        patch.reuse = null;
        break;
      case "idle-instances":
        patch.idleInstancesMax = null;
        break;
      default:
        variables.push(name);
    }
  }
  if (flags.env !== undefined || variables.length > 0) {
    // The host replaces the environment as a whole; here, what is not named stays.
    const { config } = await client.json<AppView>("GET", path);
    const environment = { ...config.environment, ...flags.env };
    for (const name of variables) delete environment[name];
    patch.environment = environment;
  }
  if (Object.keys(patch).length === 0) {
    throw usageError("nothing to change", "`downpour apps set --help` lists what can be set.");
  }
  const view = await client.json<AppView>("PATCH", path, { json: patch });
  terminal.result(view, formatConfig(view));
}

function formatList({ apps }: AppList, terminal: Terminal): string {
  if (apps.length === 0) return "no apps yet: `downpour deploy` deploys a project";
  return table(
    ["APP", "REVISION", "FUNCTIONS", "SIZE", "UPDATED"],
    apps.map((app) => [
      app.app,
      app.revision.slice(0, 12),
      String(app.functionCount),
      formatBytes(app.componentBytes),
      app.updatedAt,
    ]),
    (heading) => terminal.out("dim", heading),
  );
}

function formatApp(view: AppView, terminal: Terminal): string {
  const heading = (text: string): string => terminal.out("dim", text);
  return [
    `${terminal.out("bold", view.app)}  revision ${view.revision.slice(0, 12)}  ${formatBytes(view.sizes.componentBytes)}`,
    "",
    heading("FUNCTIONS"),
    ...view.functions.map(
      ({ name, description }) =>
        `  ${name}${description === undefined ? "" : `  ${terminal.out("dim", printable(description))}`}`,
    ),
    "",
    heading("CONFIGURATION"),
    formatConfig(view),
    "",
    heading("REVISIONS"),
    ...view.revisions.map(
      (revision) =>
        `  ${revision.revision.slice(0, 12)}  ${revision.deployedAt}  ${formatBytes(revision.componentBytes)}${revision.active ? "  active" : ""}`,
    ),
    "",
    heading("IMPORTS"),
    ...view.imports.map((name) => `  ${printable(name)}`),
  ].join("\n");
}

function formatConfig({ config }: AppView): string {
  const lines = [
    `  deadline        ${config.deadlineMs} ms`,
    `  computing       ${config.cpuMsMax} ms`,
    `  memory          ${formatBytes(config.memoryBytesMax)} for each instance`,
    `  concurrency     ${config.concurrencyMax}`,
    `  queue depth     ${config.queueDepthMax}`,
    `  requests        ${config.requestsPerSecondMax} a second`,
    `  idle instances  ${config.reuse === "never" ? "none: never reused" : `${config.idleInstancesMax} for each executor`}`,
  ];
  // Values may be secrets: the names are enough here, and `--json` has both.
  const names = Object.keys(config.environment);
  if (names.length > 0) lines.push(`  environment     ${names.join(", ")}`);
  return lines.join("\n");
}
