import { resolve } from "node:path";
import { Option } from "commander";
import type { Command } from "commander";
import type {
  QuotasPatch,
  TenantCreated,
  TenantList,
  TenantView,
  TokenCreated,
  TokenList,
} from "@downpour/host/schemas";
import { pathPart } from "../api-client.ts";
import { usageError } from "../cli-error.ts";
import { examples } from "../command-context.ts";
import type { CommandContext, OpenContext } from "../command-context.ts";
import { confirm } from "../confirm.ts";
import { writePrivateFile } from "../local-directory.ts";
import { wholeNumber } from "../parse-option.ts";
import { isAppName } from "../project-file.ts";
import { table } from "../terminal.ts";

/** Commander names `--apps-max` `appsMax`: flags and quotas have the same names. */
const QUOTA_OPTIONS = [
  ["appsMax", "--apps-max <count>", "apps", 100_000],
  ["revisionsKeptMax", "--revisions-kept-max <count>", "revisions kept of each app", 100],
  ["uploadBytesMax", "--upload-bytes-max <bytes>", "bytes of one component", 1_073_741_824],
  [
    "componentFunctionsMax",
    "--component-functions-max <count>",
    "functions in the core modules of one component",
    1_000_000,
  ],
  [
    "componentSectionsMax",
    "--component-sections-max <count>",
    "sections of one component",
    1_000_000,
  ],
  ["componentNestingMax", "--component-nesting-max <count>", "components inside each other", 100],
  [
    "tableElementsMax",
    "--table-elements-max <count>",
    "elements of the tables of one instance",
    1_000_000,
  ],
  ["compileMsMax", "--compile-ms-max <ms>", "time for compiling one upload", 600_000],
  ["compileHeapMibMax", "--compile-heap-mib-max <mib>", "heap for compiling one upload", 16_384],
  ["uploadsMax", "--uploads-max <count>", "uploads under way at once", 1_000],
  ["concurrencyMax", "--concurrency-max <count>", "invocations at once, of all apps", 100_000],
  ["instancesMax", "--instances-max <count>", "instances of all apps", 5_000],
  ["queueDepthMax", "--queue-depth-max <count>", "invocations that wait, of all apps", 1_000_000],
  [
    "queuedBytesMax",
    "--queued-bytes-max <bytes>",
    "bytes of input of invocations that wait",
    1_073_741_824,
  ],
  [
    "requestsPerSecondMax",
    "--requests-per-second-max <count>",
    "invocations that begin in a second",
    1_000_000,
  ],
  [
    "apiRequestsPerSecondMax",
    "--api-requests-per-second-max <count>",
    "requests in a second that are no invocations",
    1_000_000,
  ],
  ["weight", "--weight <n>", "share of the executors, 100 being the usual one", 10_000],
  ["deadlineMsMax", "--deadline-ms-max <ms>", "the longest an invocation may take", 86_400_000],
  ["cpuMsMax", "--cpu-ms-max <ms>", "the longest an invocation may compute", 86_400_000],
  ["memoryBytesMax", "--memory-bytes-max <bytes>", "memory of one instance", 4_294_967_296],
  ["inputBytesMax", "--input-bytes-max <bytes>", "input of an invocation", 268_435_456],
  ["resultBytesMax", "--result-bytes-max <bytes>", "what an invocation answers", 268_435_456],
  [
    "stateOperationsMax",
    "--state-operations-max <count>",
    "operations on state of an invocation",
    1_000_000_000,
  ],
  ["stateValueBytesMax", "--state-value-bytes-max <bytes>", "bytes of one state value", 16_777_216],
  ["stateKeysMax", "--state-keys-max <count>", "keys of its state", 10_000_000_000],
  [
    "stateBytesMax",
    "--state-bytes-max <bytes>",
    "bytes of its state, keys and values",
    17_592_186_044_416,
  ],
  [
    "logBytesPerSecondMax",
    "--log-bytes-per-second-max <bytes>",
    "bytes that its functions log in a second",
    1_073_741_824,
  ],
] as const satisfies readonly (readonly [keyof QuotasPatch, string, string, number])[];

type QuotaFlags = { readonly [Name in keyof QuotasPatch]?: number };

interface TokenFlags {
  readonly tokenOut?: string;
  readonly scope?: readonly string[];
}

const SCOPES = ["invoke", "deploy", "state", "admin"];

export function registerTenants(program: Command, open: OpenContext): void {
  const tenants = program
    .command("tenants")
    .description("manage tenants; needs the admin token")
    .addHelpText(
      "after",
      examples(
        ["downpour tenants create acme --token-out acme.token", "the token into a private file"],
        ["downpour tenants ls", "who is there"],
        ["downpour tenants set acme --apps-max 20", "change a quota"],
        ["downpour tenants token create acme", "one more token, printed once"],
        ["downpour tenants rm acme", "with its apps and all its state"],
      ),
    );

  withQuotas(
    tenants
      .command("create")
      .description("create a tenant; its token is printed once, and never again")
      .argument("<tenant>")
      .option("--token-out <file>", "write the token there (0600) instead of printing it"),
  )
    .addHelpText(
      "after",
      examples(
        ["downpour tenants create acme --token-out acme.token", "nothing secret on the screen"],
        ["downpour tenants create acme --json | jq -r .token", "for programs"],
      ),
    )
    .action(async (tenant: string, flags: TokenFlags & QuotaFlags, command: Command) => {
      const context = open(command);
      const quotas = quotasOf(flags);
      const created = await context.client.json<TenantCreated>("POST", "/v1/tenants", {
        json: { tenant: checkedTenant(tenant), ...(quotas === undefined ? {} : { quotas }) },
      });
      await showToken(context, created, created.token, flags.tokenOut, `created ${tenant}`);
    });

  tenants
    .command("ls", { isDefault: true })
    .description("list tenants")
    .addHelpText("after", examples(["downpour tenants ls --json", ""]))
    .action(async (_flags: object, command: Command) => {
      const { client, terminal } = open(command);
      const list = await client.json<TenantList>("GET", "/v1/tenants");
      terminal.result(
        list,
        list.tenants.length === 0
          ? "no tenants yet: `downpour tenants create <name>`"
          : table(
              ["TENANT", "TOKENS", "APPS MAX", "CREATED"],
              list.tenants.map((view) => [
                `${view.tenant}${view.deleting ? " (being removed)" : view.suspended ? " (suspended)" : ""}`,
                String(view.tokens.length),
                String(view.quotas.appsMax),
                view.createdAt,
              ]),
              (heading) => terminal.out("dim", heading),
            ),
      );
    });

  tenants
    .command("show")
    .description("show a tenant's quotas")
    .argument("<tenant>")
    .addHelpText("after", examples(["downpour tenants show acme", ""]))
    .action(async (tenant: string, _flags: object, command: Command) => {
      const { client, terminal } = open(command);
      const view = await client.json<TenantView>("GET", tenantPath(tenant));
      terminal.result(view, quotaLines(view));
    });

  withQuotas(tenants.command("set").description("change a tenant's quotas").argument("<tenant>"))
    .addHelpText("after", examples(["downpour tenants set acme --apps-max 20", ""]))
    .action(async (tenant: string, flags: QuotaFlags, command: Command) => {
      const { client, terminal } = open(command);
      const quotas = quotasOf(flags);
      if (quotas === undefined) throw usageError("no quota is named");
      const view = await client.json<TenantView>("PATCH", tenantPath(tenant), { json: { quotas } });
      terminal.result(view, quotaLines(view));
    });

  tenants
    .command("rm")
    .description("remove a tenant with its apps and all its state; this cannot be undone")
    .argument("<tenant>")
    .option("-y, --yes", "do not ask")
    .addHelpText("after", examples(["downpour tenants rm acme --yes", ""]))
    .action(async (tenant: string, flags: { readonly yes?: boolean }, command: Command) => {
      const context = open(command);
      checkedTenant(tenant);
      await confirm(
        context,
        `Remove the tenant ${tenant} with its apps and all its state from ${context.settings.url}?`,
        flags.yes,
      );
      await context.client.bytes("DELETE", tenantPath(tenant), { timeoutMs: 10 * 60_000 });
      context.terminal.result({ tenant, removed: true }, `removed ${tenant}`);
    });

  for (const [name, suspended, description] of [
    ["suspend", true, "refuse a tenant's tokens until it is resumed; nothing is removed"],
    ["resume", false, "take a suspended tenant's tokens again"],
  ] as const) {
    tenants
      .command(name)
      .description(description)
      .argument("<tenant>")
      .addHelpText("after", examples([`downpour tenants ${name} acme`, ""]))
      .action(async (tenant: string, _flags: object, command: Command) => {
        const { client, terminal } = open(command);
        const view = await client.json<TenantView>("PATCH", tenantPath(tenant), {
          json: { suspended },
        });
        terminal.result(view, `${suspended ? "suspended" : "resumed"} ${tenant}`);
      });
  }

  registerTokens(tenants, open);
}

function registerTokens(tenants: Command, open: OpenContext): void {
  const token = tenants
    .command("token")
    .description("list, make, rotate and revoke a tenant's tokens")
    .addHelpText(
      "after",
      examples(
        ["downpour tenants token ls acme", "which there are"],
        ["downpour tenants token create acme --scope invoke", "one more, good for calls alone"],
        ["downpour tenants token rotate acme <token-id>", "another one in its place"],
        ["downpour tenants token revoke acme <token-id>", "refused from now on"],
      ),
    );

  token
    .command("ls")
    .description("list a tenant's tokens, without their secrets")
    .argument("<tenant>")
    .addHelpText("after", examples(["downpour tenants token ls acme", ""]))
    .action(async (tenant: string, _flags: object, command: Command) => {
      const { client, terminal } = open(command);
      const list = await client.json<TokenList>("GET", `${tenantPath(tenant)}/tokens`);
      terminal.result(
        list,
        table(
          ["TOKEN ID", "SCOPES", "CREATED"],
          list.tokens.map((view) => [view.tokenId, view.scopes.join(" "), view.createdAt]),
          (heading) => terminal.out("dim", heading),
        ),
      );
    });

  token
    .command("create")
    .description("make one more token; it is printed once, and never again")
    .argument("<tenant>")
    .option("--token-out <file>", "write the token there (0600) instead of printing it")
    .addOption(
      new Option("--scope <scope...>", "what it is good for; everything where absent").choices(
        SCOPES,
      ),
    )
    .addHelpText("after", examples(["downpour tenants token create acme --token-out t", ""]))
    .action(async (tenant: string, flags: TokenFlags, command: Command) => {
      const context = open(command);
      const created = await context.client.json<TokenCreated>(
        "POST",
        `${tenantPath(tenant)}/tokens`,
        { json: flags.scope === undefined ? {} : { scopes: flags.scope } },
      );
      await showToken(
        context,
        created,
        created.token,
        flags.tokenOut,
        `made token ${created.tokenId} of ${tenant}`,
      );
    });

  token
    .command("rotate")
    .description("put another token in the place of one; it is printed once, and the old one void")
    .argument("<tenant>")
    .argument("<token-id>", "as `downpour tenants token ls` names it")
    .option("--token-out <file>", "write the token there (0600) instead of printing it")
    .addHelpText("after", examples(["downpour tenants token rotate acme 7d3f --token-out t", ""]))
    .action(async (tenant: string, tokenId: string, flags: TokenFlags, command: Command) => {
      const context = open(command);
      const path = `${tenantPath(tenant)}/tokens/${pathPart(tokenId)}/rotate`;
      const created = await context.client.json<TokenCreated>("POST", path);
      const done = `made token ${created.tokenId} in the place of ${tokenId}`;
      await showToken(context, created, created.token, flags.tokenOut, done);
    });

  token
    .command("revoke")
    .description("refuse a token from now on")
    .argument("<tenant>")
    .argument("<token-id>", "as `downpour tenants token ls` names it")
    .addHelpText("after", examples(["downpour tenants token revoke acme 7d3f", ""]))
    .action(async (tenant: string, tokenId: string, _flags: object, command: Command) => {
      const { client, terminal } = open(command);
      await client.bytes("DELETE", `${tenantPath(tenant)}/tokens/${pathPart(tokenId)}`);
      terminal.result({ tenant, tokenId, revoked: true }, `revoked ${tokenId}`);
    });
}

/** The one place that prints a token: the command was asked to make it. */
async function showToken(
  { terminal, io }: CommandContext,
  document: object,
  token: string,
  tokenOut: string | undefined,
  done: string,
): Promise<void> {
  if (tokenOut === undefined) {
    terminal.note(`${done}; its token is shown here and never again:`);
    terminal.result(document, token);
    return;
  }
  const path = resolve(io.workingDirectory, tokenOut);
  await writePrivateFile(path, `${token}\n`);
  terminal.result({ ...document, token: undefined, tokenFile: path }, `${done}; token in ${path}`);
}

function withQuotas(command: Command): Command {
  for (const [, flags, what, maximum] of QUOTA_OPTIONS) {
    command.option(flags, `quota: ${what}`, wholeNumber(1, maximum));
  }
  return command;
}

function quotasOf(flags: QuotaFlags): QuotasPatch | undefined {
  const quotas: QuotasPatch = {};
  for (const [name] of QUOTA_OPTIONS) {
    const value = flags[name];
    if (value !== undefined) quotas[name] = value;
  }
  return Object.keys(quotas).length === 0 ? undefined : quotas;
}

function quotaLines({ quotas }: TenantView): string {
  return Object.entries(quotas)
    .map(([name, value]) => `  ${name.padEnd(23)} ${value}`)
    .join("\n");
}

function tenantPath(tenant: string): string {
  return `/v1/tenants/${pathPart(checkedTenant(tenant))}`;
}

/** A tenant's name as the host takes it; the rule is the one for apps. */
function checkedTenant(name: string): string {
  if (isAppName(name)) return name;
  throw usageError(
    `${JSON.stringify(name)} is not a tenant name`,
    'A tenant has 1 to 63 of a-z, 0-9 and "-", with no "-" at an end.',
  );
}
