import type { Durability, StateClient, StateValue } from "@downpour/kvs";
import { addFunctionUsage, isTokenScope, mintToken, noUsage, USAGE_NAMES } from "@downpour/tenants";
import type {
  AppUsage,
  FunctionCounts,
  TenantRecords,
  TokenRecord,
  UsageCounts,
} from "@downpour/tenants";
import type { FunctionNames } from "../artifacts/app-record.ts";
import type { AppRecords } from "../artifacts/app-registry.ts";
import { HostError } from "../errors.ts";
import { systemKey } from "../state-keys.ts";

// The host's own records in the store: registers of JSON, and counters of usage. The ports that
// `tenants` and `artifacts` declare are served here, and here alone is known where a record lies.
//
// S1. A record says its format. One of a newer host stops the start instead of being misread.
// S2. Records are written durably; usage asynchronously, because it is counted in flushes anyway.

const FORMAT = 1;
const PAGE_KEYS = 1_000;

export function tenantRecords(state: StateClient): TenantRecords {
  return {
    loadAll: async () => readAll(state, systemKey("tenants")),
    save: (tenant) => write(state, systemKey("tenants", tenant.tenantId), tenant),
    remove: (tenantId) => remove(state, systemKey("tenants", tenantId)),
  };
}

export function appRecords(state: StateClient): AppRecords {
  return {
    loadAll: async () => readAll(state, systemKey("apps")),
    save: (record) => write(state, systemKey("apps", record.tenantId, record.app), record),
    remove: (tenantId, app) => remove(state, systemKey("apps", tenantId, app)),
  };
}

/**
 * What is kept of the admin's token. Where there is none yet, or a new one is wanted, it is made and
 * handed to `onMinted` before it is stored: a token that nobody has seen must never be the valid one.
 */
export async function openAdminToken(
  state: StateClient,
  options: {
    readonly reset: boolean;
    readonly onMinted: (token: string) => Promise<void> | void;
  },
): Promise<TokenRecord> {
  const key = systemKey("host", "admin-token");
  const stored = read(state, key);
  if (stored !== undefined && !options.reset) return toToken(stored);
  const { token, record } = mintToken({ role: "admin" }, Date.now());
  await options.onMinted(token);
  await write(state, key, record);
  return record;
}

export interface RecentApp {
  readonly tenantId: string;
  readonly app: string;
}

/** The apps that were used last, most recent first: what the next start loads before it is asked. */
export function readRecentApps(state: StateClient): readonly RecentApp[] {
  const stored = read(state, systemKey("host", "recent-apps"));
  if (typeof stored !== "object" || stored === null) return [];
  const apps: unknown = Reflect.get(stored, "apps");
  // A hint: what is not as expected is skipped.
  return Array.isArray(apps) ? apps.filter(isRecentApp) : [];
}

export async function writeRecentApps(
  state: StateClient,
  apps: readonly RecentApp[],
): Promise<void> {
  const value = encode({ apps });
  await state.write(systemKey("host", "recent-apps"), { kind: "put", value }, "async");
}

/** Stands for apps whose names are not kept: no app can have this name. */
export const DELETED_APPS = "";

/** Adds to what an app has used; rejects where one of the counters could not be stored. */
export async function storeUsage(
  state: StateClient,
  { tenantId, app, counts }: Omit<AppUsage, "functions">,
  durability: Durability,
): Promise<void> {
  await Promise.all(
    USAGE_NAMES.map(async (name) => {
      if (counts[name] === 0) return;
      const mutation = { kind: "add", delta: BigInt(counts[name]) } as const;
      await state.write(usageKey(tenantId, app, name), mutation, durability);
    }),
  );
}

/** Undefined for an app that is gone. */
export type FunctionNamesOf = (tenantId: string, app: string) => FunctionNames | undefined;

/**
 * Adds what was counted since the last flush; one flush at a time. Answers what could not be stored, to be
 * kept.
 */
export async function addUsage(
  state: StateClient,
  usage: readonly AppUsage[],
  functionNamesOf: FunctionNamesOf,
): Promise<readonly AppUsage[]> {
  const kept = await Promise.all(
    usage.map(async ({ tenantId, app, counts, functions }) => {
      const failed = noUsage();
      const names = functionNamesOf(tenantId, app)?.kept;
      const addingFunctions = addFunctionUsages(state, { tenantId, app, functions }, names);
      await Promise.all(
        USAGE_NAMES.map(async (name) => {
          if (counts[name] === 0) return;
          const key = usageKey(tenantId, app, name);
          try {
            await state.write(key, { kind: "add", delta: BigInt(counts[name]) }, "async");
          } catch {
            // Kept by the caller, and tried again with the next flush.
            failed[name] = counts[name];
          }
        }),
      );
      const areFunctionsAdded = await addingFunctions;
      const failedFunctions = areFunctionsAdded ? new Map<string, FunctionCounts>() : functions;
      return { tenantId, app, counts: failed, functions: failedFunctions };
    }),
  );
  return kept.filter(
    ({ counts, functions }) => functions.size > 0 || USAGE_NAMES.some((name) => counts[name] > 0),
  );
}

/** Of two counts the sum, of functions with these names alone where there are any. */
export function sumFunctions(
  a: AppUsage["functions"],
  b: AppUsage["functions"],
  names: ReadonlySet<string> | undefined,
): AppUsage["functions"] {
  const sums = new Map(a);
  for (const [name, counts] of b) sums.set(name, addFunctionUsage(sums.get(name), counts));
  for (const name of sums.keys()) if (names?.has(name) === false) sums.delete(name);
  return sums;
}

/** One record for each app, and not counters: an app has up to 256 functions, and a flush costs one write. */
export function readFunctionUsage(
  state: StateClient,
  tenantId: string,
  app: string,
): AppUsage["functions"] {
  const stored = read(state, systemKey("function-usage", tenantId, app));
  const functions: unknown = Object(stored).functions;
  // What was counted is worth no start that fails: what is not as expected is skipped.
  if (!Array.isArray(functions)) return new Map();
  return new Map(
    functions.filter(isFunctionUsage).map(({ name, ...counts }) => [name, counts] as const),
  );
}

/** Says whether that is stored: if not, it was not. */
async function addFunctionUsages(
  state: StateClient,
  { tenantId, app, functions }: Pick<AppUsage, "tenantId" | "app" | "functions">,
  names: ReadonlySet<string> | undefined,
): Promise<boolean> {
  if (functions.size === 0) return true;
  try {
    const sums = sumFunctions(readFunctionUsage(state, tenantId, app), functions, names);
    const record = { functions: Array.from(sums, ([name, counts]) => ({ name, ...counts })) };
    const key = systemKey("function-usage", tenantId, app);
    await state.write(key, { kind: "put", value: encode(record) }, "async");
    return true;
  } catch {
    // Kept by the caller, and tried again with the next flush.
    return false;
  }
}

interface FunctionUsageRecord extends FunctionCounts {
  readonly name: string;
}

function isFunctionUsage(value: unknown): value is FunctionUsageRecord {
  if (typeof value !== "object" || value === null) return false;
  const { name, ...counts } = Object.fromEntries(Object.entries(value));
  return (
    typeof name === "string" &&
    ["invocations", "errors", "cpuUs"].every((count) => Number.isSafeInteger(counts[count]))
  );
}

/** Stored usage of one app of a tenant, or of each, deleted apps included. */
export function readUsage(
  state: StateClient,
  tenantId: string,
  oneApp?: string,
): ReadonlyMap<string, UsageCounts> {
  const apps = new Map<string, ReturnType<typeof noUsage>>();
  const add = (prefix: string, appOf: (parts: readonly string[]) => string | undefined): void => {
    for (const { key, value } of readState(state, prefix)) {
      const parts = key.slice(prefix.length).split("/");
      const app = appOf(parts);
      const name = USAGE_OF.get(parts.at(-1) ?? "");
      if (app === undefined || name === undefined || value.kind !== "counter") continue;
      const counts = apps.get(app) ?? noUsage();
      counts[name] = Number(value.value);
      apps.set(app, counts);
    }
  };
  if (oneApp !== undefined) {
    add(`${systemKey("usage", tenantId, oneApp)}/`, () => oneApp);
    return apps;
  }
  add(`${systemKey("usage", tenantId)}/`, ([app]) => app);
  add(`${systemKey("deleted-usage", tenantId)}/`, () => DELETED_APPS);
  return apps;
}

const USAGE_OF = new Map(USAGE_NAMES.map((name) => [toKebab(name), name]));

function usageKey(tenantId: string, app: string, name: keyof UsageCounts): string {
  return app === DELETED_APPS
    ? systemKey("deleted-usage", tenantId, toKebab(name))
    : systemKey("usage", tenantId, app, toKebab(name));
}

/** What lies under a prefix, page by page: a key that is removed meanwhile is not in it. */
export function* readState(
  state: StateClient,
  prefix: string,
): Generator<{ readonly key: string; readonly value: StateValue }> {
  for (const key of keysOf(state, prefix)) {
    const value = state.read(key);
    if (value !== undefined) yield { key, value };
  }
}

/** Removes every key with the prefix, durably. Answers how many there were. */
export async function removeAll(state: StateClient, prefix: string): Promise<number> {
  let removed = 0;
  for (;;) {
    const { entries } = state.list(prefix, undefined, PAGE_KEYS);
    if (entries.length === 0) return removed;
    await Promise.all(entries.map(({ key }) => remove(state, key)));
    removed += entries.length;
  }
}

/** Forgets what a tenant used, or one of its apps. */
export async function removeUsage(
  state: StateClient,
  tenantId: string,
  app?: string,
): Promise<void> {
  if (app !== undefined) {
    await remove(state, systemKey("function-usage", tenantId, app));
    await removeAll(state, `${systemKey("usage", tenantId, app)}/`);
    return;
  }
  await removeAll(state, `${systemKey("function-usage", tenantId)}/`);
  await removeAll(state, `${systemKey("usage", tenantId)}/`);
  await removeAll(state, `${systemKey("deleted-usage", tenantId)}/`);
}

function* keysOf(state: StateClient, prefix: string): Generator<string> {
  let after: string | undefined;
  do {
    const page = state.list(prefix, after, PAGE_KEYS);
    for (const { key } of page.entries) yield key;
    after = page.next;
  } while (after !== undefined);
}

function readAll(state: StateClient, prefix: string): readonly unknown[] {
  return Array.from(keysOf(state, prefix), (key) => read(state, key)).filter(
    (record) => record !== undefined,
  );
}

function read(state: StateClient, key: string): unknown {
  const value = state.read(key);
  return value === undefined ? undefined : decode(key, value);
}

async function write(state: StateClient, key: string, record: object): Promise<void> {
  await state.write(key, { kind: "put", value: encode(record) }, "durable");
}

async function remove(state: StateClient, key: string): Promise<void> {
  await state.write(key, { kind: "delete" }, "durable");
}

function encode(record: object): Uint8Array {
  return Buffer.from(JSON.stringify({ format: FORMAT, record }));
}

function decode(key: string, value: StateValue): unknown {
  let stored: unknown;
  try {
    stored =
      value.kind === "register" ? JSON.parse(Buffer.from(value.value).toString()) : undefined;
  } catch (cause) {
    throw new HostError("DATA_DIR_CORRUPT", `the stored record ${key} is not JSON`, { cause });
  }
  if (typeof stored !== "object" || stored === null) {
    throw new HostError("DATA_DIR_CORRUPT", `the stored record ${key} is not an object`);
  }
  const format: unknown = Reflect.get(stored, "format");
  if (typeof format === "number" && format > FORMAT) {
    throw new HostError(
      "DATA_DIR_NEWER",
      `the record ${key} has format ${format}; this host knows formats up to ${FORMAT}`,
      { details: { format, formatMax: FORMAT } },
    );
  }
  return Reflect.get(stored, "record");
}

function toToken(record: unknown): TokenRecord {
  if (typeof record === "object" && record !== null) {
    const {
      tokenId,
      sha256,
      createdAtMs,
      scopes = [],
    } = Object.fromEntries(Object.entries(record));
    if (
      typeof tokenId === "string" &&
      typeof sha256 === "string" &&
      typeof createdAtMs === "number" &&
      Array.isArray(scopes) &&
      scopes.every(isTokenScope)
    ) {
      return { tokenId, sha256, createdAtMs, scopes };
    }
  }
  throw new HostError("DATA_DIR_CORRUPT", "the stored admin token is damaged");
}

function isRecentApp(value: unknown): value is RecentApp {
  if (typeof value !== "object" || value === null) return false;
  const { tenantId, app } = Object.fromEntries(Object.entries(value));
  return typeof tenantId === "string" && typeof app === "string";
}

function toKebab(name: string): string {
  return name.replaceAll(/[A-Z]/gu, (letter) => `-${letter.toLowerCase()}`);
}
