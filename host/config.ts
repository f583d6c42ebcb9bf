import { readFileSync } from "node:fs";
import { availableParallelism, totalmem } from "node:os";
import { resolve } from "node:path";
import { Type } from "typebox";
import type { Static, TSchema } from "typebox";
import { Value } from "typebox/value";
import { HostError } from "./errors.ts";

// Everything that an operator may set, in one schema. Sources, the later ones win: the defaults
// here, the file of `--config`, the environment (`DOWNPOUR_LISTEN_PORT`), flags (`--listen-port`).
//
// C1. It is parsed once, at start, and frozen; nothing else of the host reads the environment.
// C2. A key or flag that is not listed here ends the start, with the one that was probably meant. A
//     variable does so when it is nearly one of ours: others share the environment, and the prefix.
// C3. `docs/configuration.md` lists each setting with its unit and default; a test compares them.

const KIB = 1_024;
const MIB = 1_024 * KIB;

const bytes = (fallback: number, maximum: number, description: string) =>
  Type.Integer({ minimum: 1, maximum, default: fallback, description });
const count = (fallback: number, minimum: number, maximum: number, description: string) =>
  Type.Integer({ minimum, maximum, default: fallback, description });
const ms = (fallback: number, minimum: number, maximum: number, description: string) =>
  Type.Integer({ minimum, maximum, default: fallback, description });

/** The most that any setting, quota or app may ask for. */
const CONCURRENCY_MAX = 100_000;
const QUEUE_DEPTH_MAX = 1_000_000;
const QUEUED_BYTES_MAX = 1_024 * MIB;
const REQUESTS_PER_SECOND_MAX = 1_000_000;
const UPLOADS_MAX = 1_000;
const WEIGHT_MAX = 10_000;
/** Each reserves address space for its memories; a process has room for about 12,000. */
export const INSTANCES_MAX = 5_000;
const STATE_KEYS_MAX = 10_000_000_000;
const STATE_BYTES_MAX = 16_777_216 * MIB;
const LOG_BYTES_PER_SECOND_MAX = 1_024 * MIB;

/** The hard maximum of a quota. */
const ceiling = (maximum: number, what: string) =>
  count(maximum, 1, maximum, `The most that the admin may give a tenant: ${what}.`);

export const HostConfigSchema = Type.Object(
  {
    listenHost: Type.String({
      minLength: 1,
      maxLength: 255,
      default: "127.0.0.1",
      description: "Address to listen on; `0.0.0.0` or `::` for all.",
    }),
    listenPort: count(8787, 0, 65_535, "Port to listen on; 0 takes a free one."),
    connectionsMax: count(
      10_000,
      1,
      1_000_000,
      "Connections of clients at once; further ones are closed before anything is read.",
    ),
    connectionsPerAddressMax: count(
      10_000,
      1,
      1_000_000,
      "The same of one address; behind a proxy all have the proxy's.",
    ),
    requestBodyTimeoutMs: ms(
      30_000,
      100,
      300_000,
      "How long the body of a request but an upload may take; then its connection is closed.",
    ),
    unreadBytesMax: bytes(
      256 * MIB,
      16_384 * MIB,
      "What clients have not read yet of their answers, in all; then the connections with the most are closed.",
    ),
    dataDirectory: Type.String({
      minLength: 1,
      default: "./.downpour/data",
      description: "Where everything durable is; one host at a time.",
    }),
    executors: count(
      Math.max(1, availableParallelism() - 1),
      1,
      256,
      "Threads that run functions. Default: the cores less one, and at least one.",
    ),
    isolation: Type.Enum(["shared", "thread"], {
      default: "shared",
      description:
        "`thread`: no thread ever runs code of two tenants; a tenant that has none waits until one is started for it.",
    }),
    adminTokenFile: Type.String({
      default: "",
      description:
        "File (mode 0600) to write the admin token to when it is made, in place of standard output; empty for none.",
    }),
    metricsOpen: Type.Boolean({
      default: false,
      description: "Serve `/metrics` without the admin token. It names tenants and apps.",
    }),

    uploadBytesMax: bytes(32 * MIB, 1_024 * MIB, "One component."),
    requestBodyBytesMax: bytes(MIB, 256 * MIB, "The body of every request but an upload."),
    resultBytesMax: bytes(4 * MIB, 256 * MIB, "What a function may answer."),
    stateValueBytesMax: bytes(MIB, 16 * MIB, "One state value."),
    logMessageBytesMax: bytes(
      8 * KIB,
      MIB,
      "One message of a function's log; longer ones are cut.",
    ),
    logEntriesPerInvocationMax: count(
      1_000,
      1,
      1_000_000,
      "Entries that one invocation may log; further ones are dropped.",
    ),
    stateOperationsPerInvocationMax: count(
      100_000,
      1,
      1_000_000_000,
      "What one invocation may ask of the state: reads, writes and listings.",
    ),
    metadataBytesMax: bytes(8 * KIB, 64 * KIB, "Request headers passed to a function, in all."),

    cpuMsMax: ms(10_000, 1, 86_400_000, "Time that one invocation may compute."),
    instanceMemoryBytesMax: bytes(
      256 * MIB,
      4_096 * MIB,
      "Linear memory of one instance of a function: all its memories together.",
    ),
    guestStackKibMax: count(
      984,
      256,
      16_384,
      "Stack of one invocation, in KiB, beside the instance's memory: how deep calls may be nested.",
    ),
    instancesMemoryBytesMax: bytes(
      Math.floor(totalmem() / 2 / MIB) * MIB,
      1_048_576 * MIB,
      "Linear memory of all instances together; a tenant may have half of it. Default: half of the machine's.",
    ),

    deadlineDefaultMs: ms(10_000, 1, 86_400_000, "For apps that set none."),
    deadlineMaxMs: ms(300_000, 1, 86_400_000, "The most that an app may set."),
    concurrencyDefault: count(
      256,
      1,
      CONCURRENCY_MAX,
      "Invocations of one app at once, for apps that set none.",
    ),
    queueDepthDefault: count(
      1_024,
      1,
      QUEUE_DEPTH_MAX,
      "Waiting invocations of one app, for apps that set none.",
    ),
    requestsPerSecondDefault: count(
      REQUESTS_PER_SECOND_MAX,
      1,
      REQUESTS_PER_SECOND_MAX,
      "Invocations of one app that begin in a second, for apps that set none.",
    ),
    idleInstancesDefault: count(
      128,
      0,
      1_000,
      "Warm instances of one app on each executor, for apps that set none.",
    ),

    tenantAppsMax: count(100, 1, 100_000, "Quota of a new tenant: apps."),
    tenantAppsCeiling: ceiling(100_000, "apps"),
    tenantRevisionsKeptMax: count(10, 1, 100, "Quota of a new tenant: revisions kept of each app."),
    tenantRevisionsKeptCeiling: ceiling(100, "revisions kept of each app"),
    tenantUploadsMax: count(8, 1, UPLOADS_MAX, "Quota of a new tenant: uploads under way at once."),
    tenantUploadsCeiling: ceiling(UPLOADS_MAX, "uploads under way at once"),
    tenantConcurrencyMax: count(
      1_024,
      1,
      CONCURRENCY_MAX,
      "Quota of a new tenant: invocations at once, of all its apps.",
    ),
    tenantConcurrencyCeiling: ceiling(CONCURRENCY_MAX, "invocations at once"),
    tenantInstancesMax: count(
      INSTANCES_MAX / 2,
      1,
      INSTANCES_MAX,
      "Quota of a new tenant: instances of all its apps. So many run at once; each executor keeps idle ones up to its part.",
    ),
    tenantInstancesCeiling: ceiling(INSTANCES_MAX, "instances"),
    tenantQueueDepthMax: count(
      4_096,
      1,
      QUEUE_DEPTH_MAX,
      "Quota of a new tenant: waiting invocations, of all its apps.",
    ),
    tenantQueueDepthCeiling: ceiling(QUEUE_DEPTH_MAX, "waiting invocations"),
    tenantQueuedBytesMax: bytes(
      64 * MIB,
      QUEUED_BYTES_MAX,
      "Quota of a new tenant: input of its waiting invocations.",
    ),
    tenantQueuedBytesCeiling: bytes(
      QUEUED_BYTES_MAX,
      QUEUED_BYTES_MAX,
      "The most that the admin may give a tenant: input of its waiting invocations.",
    ),
    tenantRequestsPerSecondMax: count(
      REQUESTS_PER_SECOND_MAX,
      1,
      REQUESTS_PER_SECOND_MAX,
      "Quota of a new tenant: invocations that begin in a second, of all its apps.",
    ),
    tenantRequestsPerSecondCeiling: ceiling(
      REQUESTS_PER_SECOND_MAX,
      "invocations that begin in a second",
    ),
    tenantApiRequestsPerSecondMax: count(
      1_000,
      1,
      REQUESTS_PER_SECOND_MAX,
      "Quota of a new tenant: requests in a second that are no invocations.",
    ),
    tenantApiRequestsPerSecondCeiling: ceiling(
      REQUESTS_PER_SECOND_MAX,
      "requests in a second that are no invocations",
    ),
    tenantWeight: count(
      100,
      1,
      WEIGHT_MAX,
      "Quota of a new tenant: its share of the executors where others want them too, beside theirs.",
    ),
    tenantWeightCeiling: ceiling(WEIGHT_MAX, "weight"),
    tenantStateKeysMax: count(
      1_000_000,
      1,
      STATE_KEYS_MAX,
      "Quota of a new tenant: keys of its state.",
    ),
    tenantStateKeysCeiling: ceiling(STATE_KEYS_MAX, "keys of its state"),
    tenantStateBytesMax: bytes(
      1_024 * MIB,
      STATE_BYTES_MAX,
      "Quota of a new tenant: keys and values of its state, together.",
    ),
    tenantStateBytesCeiling: bytes(
      STATE_BYTES_MAX,
      STATE_BYTES_MAX,
      "The most that the admin may give a tenant: keys and values of its state.",
    ),
    tenantLogBytesPerSecondMax: bytes(
      MIB,
      LOG_BYTES_PER_SECOND_MAX,
      "Quota of a new tenant: what its functions log in a second, each entry with 200 bytes beside its message.",
    ),
    tenantLogBytesPerSecondCeiling: bytes(
      LOG_BYTES_PER_SECOND_MAX,
      LOG_BYTES_PER_SECOND_MAX,
      "The most that the admin may give a tenant: what its functions log in a second.",
    ),
    queuedBytesMax: bytes(
      512 * MIB,
      16_384 * MIB,
      "Input of waiting invocations of all tenants, in the memory of the host.",
    ),
    executorSliceMs: ms(
      1,
      1,
      3_600_000,
      "How long a function computes before others of its thread have their turn.",
    ),
    executorTurnMaxMs: ms(
      10_000,
      100,
      3_600_000,
      "A thread that does not come back from a function for so long is ended and replaced.",
    ),

    tableElementsMax: count(
      20_000,
      1,
      1_000_000,
      "Elements of all tables of one instance, by their maxima; a table grows to a tenth of it. They lie in V8's heap.",
    ),
    componentFunctionsMax: count(
      200_000,
      1,
      1_000_000,
      "Functions in the core modules of one component.",
    ),
    componentSectionsMax: count(
      10_000,
      1,
      1_000_000,
      "Sections of one component, and of what is in it.",
    ),
    componentNestingMax: count(32, 1, 100, "Components inside each other in one upload."),
    compileTimeMaxMs: ms(30_000, 100, 600_000, "Checking, compiling and describing one upload."),
    compileHeapMibMax: count(
      512,
      64,
      16_384,
      "JavaScript heap of the thread that compiles, in MiB.",
    ),
    compileQueueDepthMax: count(
      64,
      1,
      10_000,
      "Uploads and loads that wait for the compile thread.",
    ),

    logEntriesPerAppMax: count(1_000, 1, 1_000_000, "Entries kept of one app's log."),
    logBytesPerAppMax: bytes(MIB, 1_024 * MIB, "Kept of one app's log."),
    logBytesTotalMax: bytes(
      64 * MIB,
      16_384 * MIB,
      "Kept of all logs; past it, a tenant with more than an equal part loses what was silent longest.",
    ),
    logFollowersPerAppMax: count(16, 1, 1_000, "Clients that follow one app's log."),

    usageFlushIntervalMs: ms(
      10_000,
      100,
      3_600_000,
      "How often usage is stored, beside what is stored ahead.",
    ),
    prewarmAppsMax: count(
      16,
      0,
      1_000,
      "Apps that are loaded before they are called: recently used ones after the start, and fresh uploads.",
    ),
    metricsAppsMax: count(
      200,
      0,
      100_000,
      "Apps with metrics of their own; further ones count as `other`.",
    ),
    drainTimeoutMs: ms(10_000, 0, 3_600_000, "How long running invocations may finish on SIGTERM."),
    logLevel: Type.Enum(["trace", "debug", "info", "warn", "error", "fatal", "silent"], {
      default: "info",
      description: "The least level of the host's own log, on standard error.",
    }),
  },
  { additionalProperties: false },
);

export type HostConfig = Readonly<Static<typeof HostConfigSchema>>;

export type ConfigKey = keyof HostConfig;

export const CONFIG_KEYS: readonly ConfigKey[] = Object.keys(HostConfigSchema.properties).filter(
  (key): key is ConfigKey => Object.hasOwn(HostConfigSchema.properties, key),
);

/** What a source gives before it is checked: everything from flags and the environment is text. */
export type ConfigInput = Readonly<Record<string, unknown>>;

export interface ConfigSources {
  /** Path of a JSON file. */
  readonly file?: string | undefined;
  readonly environment?: Readonly<Record<string, string | undefined>>;
  readonly flags?: ConfigInput;
}

/** `listenPort` → `DOWNPOUR_LISTEN_PORT`. */
export function environmentName(key: string): string {
  return `DOWNPOUR_${key.replaceAll(/[A-Z]/gu, (letter) => `_${letter}`).toUpperCase()}`;
}

/** `listenPort` → `listen-port`. */
export function flagName(key: string): string {
  return key.replaceAll(/[A-Z]/gu, (letter) => `-${letter.toLowerCase()}`);
}

/** Reads all sources in their order, and checks the whole. Throws `CONFIG_INVALID`. */
export function loadHostConfig(sources: ConfigSources): HostConfig {
  return parseHostConfig({
    ...(sources.file === undefined ? {} : readConfigFile(sources.file)),
    ...fromEnvironment(sources.environment ?? {}),
    ...sources.flags,
  });
}

/** Checks one input: fills defaults, refuses unknown keys, freezes. Throws `CONFIG_INVALID`. */
export function parseHostConfig(input: ConfigInput): HostConfig {
  const known = new Set<string>(CONFIG_KEYS);
  const candidate: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(input)) {
    if (!known.has(key)) throw unknownKey(key, CONFIG_KEYS, (name) => name);
    if (value !== undefined) candidate[key] = value;
  }
  const config: unknown = Value.Default(HostConfigSchema, candidate);
  if (!Value.Check(HostConfigSchema, config)) throw invalid(config);
  if (config.deadlineDefaultMs > config.deadlineMaxMs) {
    throw new HostError("CONFIG_INVALID", "deadlineDefaultMs must not be above deadlineMaxMs", {
      details: { key: "deadlineDefaultMs" },
    });
  }
  for (const key of CONFIG_KEYS) {
    const most = config[key];
    const given = CONFIG_KEYS.find((other) => isDefaultOf(key, other));
    if (given === undefined || Number(config[given]) <= Number(most)) continue;
    throw new HostError("CONFIG_INVALID", `${given} must not be above ${key}`, {
      details: { key: given },
    });
  }
  return Object.freeze({ ...config, dataDirectory: resolve(config.dataDirectory) });
}

/** Whether the one is the hard maximum of what the other gives new tenants. */
function isDefaultOf(ceilingKey: ConfigKey, key: ConfigKey): boolean {
  const name = ceilingKey.replace(/Ceiling$/u, "");
  return name !== ceilingKey && (key === name || key === `${name}Max`);
}

/** Turns the text of a flag or a variable into what the schema of its key wants. */
export function fromText(key: ConfigKey, text: string): unknown {
  const schema: TSchema = HostConfigSchema.properties[key];
  if (Type.IsInteger(schema)) return /^-?\d+$/u.test(text) ? Number(text) : text;
  if (Type.IsBoolean(schema)) return text === "true" ? true : text === "false" ? false : text;
  return text;
}

/** The error for a name that nothing has, with the nearest one that exists. */
export function unknownKey(
  given: string,
  keys: readonly string[],
  spell: (key: string) => string,
): HostError {
  const shown = given.slice(0, 100);
  // A third of its letters wrong is not a misspelling any more.
  const nearest = closest(given, keys.map(spell), Math.max(2, given.length / 3));
  const hint = nearest === undefined ? "" : `; did you mean ${nearest}?`;
  return new HostError("CONFIG_INVALID", `unknown setting ${shown}${hint}`, {
    details: { key: shown, didYouMean: nearest },
  });
}

function readConfigFile(path: string): ConfigInput {
  let content: unknown;
  try {
    content = JSON.parse(readFileSync(path, "utf8"));
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new HostError("CONFIG_INVALID", `cannot read the config file ${path}: ${reason}`, {
      cause,
    });
  }
  if (typeof content !== "object" || content === null || Array.isArray(content)) {
    throw new HostError("CONFIG_INVALID", `the config file ${path} is not a JSON object`);
  }
  return Object.fromEntries(Object.entries(content));
}

/** Two letters wrong are a misspelling; the environment has other programs' variables too. */
const VARIABLE_DISTANCE_MAX = 2;

function fromEnvironment(
  environment: Readonly<Record<string, string | undefined>>,
): Record<string, unknown> {
  const keyOf = new Map(CONFIG_KEYS.map((key) => [environmentName(key), key]));
  const input: Record<string, unknown> = {};
  for (const [variable, text] of Object.entries(environment)) {
    if (text === undefined || !variable.startsWith("DOWNPOUR_")) continue;
    const key = keyOf.get(variable);
    if (key !== undefined) input[key] = fromText(key, text);
    else if (closest(variable, [...keyOf.keys()], VARIABLE_DISTANCE_MAX) !== undefined) {
      throw unknownKey(variable, CONFIG_KEYS, environmentName);
    }
  }
  return input;
}

function invalid(config: unknown): HostError {
  const [first] = Value.Errors(HostConfigSchema, config);
  const key = first?.instancePath.slice(1) ?? "";
  const found = config instanceof Object ? Reflect.get(config, key) : undefined;
  return new HostError(
    "CONFIG_INVALID",
    `${key} ${first?.message ?? "is invalid"}, and is ${JSON.stringify(found) ?? "absent"}`,
    { details: { key } },
  );
}

function closest(given: string, names: readonly string[], distanceMax: number): string | undefined {
  let best: string | undefined;
  let bestDistance = distanceMax;
  for (const name of names) {
    const distance = editDistance(given.toLowerCase(), name.toLowerCase());
    if (distance > bestDistance || (distance === bestDistance && best !== undefined)) continue;
    best = name;
    bestDistance = distance;
  }
  return best;
}

function editDistance(a: string, b: string): number {
  const bounded = a.slice(0, 100);
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= bounded.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const substitution = (row[j - 1] ?? 0) + (bounded[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(substitution, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
