/** What one app used. Whole numbers, so that they add up as counters. */
export interface UsageCounts {
  readonly invocations: number;
  readonly errors: number;
  readonly coldStarts: number;
  readonly cpuUs: number;
  /** Of the guests' code, in thousands: a counter holds years of them. */
  readonly fuelThousands: number;
  readonly wallUs: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** Reads, writes and listings of state. */
  readonly stateOperations: number;
  readonly logBytes: number;
  readonly logEntriesDropped: number;
}

export const USAGE_NAMES = [
  "invocations",
  "errors",
  "coldStarts",
  "cpuUs",
  "fuelThousands",
  "wallUs",
  "bytesIn",
  "bytesOut",
  "stateOperations",
  "logBytes",
  "logEntriesDropped",
] as const satisfies readonly (keyof UsageCounts)[];

/** What one function of an app used, of that which its app did. */
export interface FunctionCounts {
  readonly invocations: number;
  readonly errors: number;
  readonly cpuUs: number;
}

export interface AppUsage {
  readonly tenantId: string;
  readonly app: string;
  readonly counts: UsageCounts;
  /** By the names of those that ran. */
  readonly functions: ReadonlyMap<string, FunctionCounts>;
}

export interface UsageSample {
  readonly tenantId: string;
  readonly app: string;
  /** One of the app's manifest: whoever records it keeps other names out. */
  readonly functionName: string;
  readonly isError: boolean;
  readonly isColdStart: boolean;
  readonly cpuUs: number;
  readonly fuelThousands: number;
  readonly wallUs: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** Reads, writes and listings of state. */
  readonly stateOperations: number;
  readonly logBytes: number;
  readonly logEntriesDropped: number;
}

type Pending = { -readonly [Name in keyof UsageCounts]: UsageCounts[Name] };
type PendingFunction = { -readonly [Name in keyof FunctionCounts]: FunctionCounts[Name] };

interface PendingApp {
  readonly counts: Pending;
  readonly functions: Map<string, PendingFunction>;
}

/**
 * Counts in memory what has not been stored yet; whoever stores it takes it with `take`, and gives
 * it back with `restore` where storing failed. What is in here when the process is killed is lost.
 */
export class UsageLedger {
  #pending = new Map<string, Map<string, PendingApp>>();

  record(sample: UsageSample): void {
    const { counts, functions } = this.#of(sample.tenantId, sample.app);
    let own = functions.get(sample.functionName);
    if (own === undefined) {
      own = { invocations: 0, errors: 0, cpuUs: 0 };
      functions.set(sample.functionName, own);
    }
    own.invocations += 1;
    own.cpuUs += sample.cpuUs;
    if (sample.isError) own.errors += 1;
    counts.invocations += 1;
    if (sample.isError) counts.errors += 1;
    if (sample.isColdStart) counts.coldStarts += 1;
    counts.cpuUs += sample.cpuUs;
    counts.fuelThousands += sample.fuelThousands;
    counts.wallUs += sample.wallUs;
    counts.bytesIn += sample.bytesIn;
    counts.bytesOut += sample.bytesOut;
    counts.stateOperations += sample.stateOperations;
    counts.logBytes += sample.logBytes;
    counts.logEntriesDropped += sample.logEntriesDropped;
  }

  /** What is not stored yet of one tenant. */
  pending(tenantId: string): readonly AppUsage[] {
    const apps = this.#pending.get(tenantId) ?? new Map<string, PendingApp>();
    return Array.from(apps, ([app, { counts, functions }]) => ({
      tenantId,
      app,
      counts: { ...counts },
      functions: new Map(Array.from(functions, ([name, own]) => [name, { ...own }])),
    }));
  }

  /** Whether one of these counts is reached by what is not stored yet of an app. */
  hasReached(tenantId: string, app: string, counts: Partial<UsageCounts>): boolean {
    const pending = this.#pending.get(tenantId)?.get(app)?.counts;
    if (pending === undefined) return false;
    return USAGE_NAMES.some((name) => pending[name] >= (counts[name] ?? Number.POSITIVE_INFINITY));
  }

  /** Everything that is not stored yet, which now is the caller's to store. */
  take(): readonly AppUsage[] {
    const taken = [...this.#pending.keys()].flatMap((tenantId) => this.pending(tenantId));
    this.#pending = new Map();
    return taken;
  }

  restore(usage: AppUsage): void {
    const { counts, functions } = this.#of(usage.tenantId, usage.app);
    for (const name of USAGE_NAMES) counts[name] += usage.counts[name];
    for (const [name, own] of usage.functions) {
      functions.set(name, addFunctionUsage(functions.get(name), own));
    }
  }

  /** Forgets what is not stored yet of a tenant that is being deleted, or of one of its apps. */
  forget(tenantId: string, app?: string): void {
    if (app === undefined) this.#pending.delete(tenantId);
    else this.#pending.get(tenantId)?.delete(app);
  }

  #of(tenantId: string, app: string): PendingApp {
    let apps = this.#pending.get(tenantId);
    if (apps === undefined) {
      apps = new Map();
      this.#pending.set(tenantId, apps);
    }
    let pending = apps.get(app);
    if (pending === undefined) {
      pending = { counts: noUsage(), functions: new Map() };
      apps.set(app, pending);
    }
    return pending;
  }
}

export function noUsage(): Pending {
  return {
    invocations: 0,
    errors: 0,
    coldStarts: 0,
    cpuUs: 0,
    fuelThousands: 0,
    wallUs: 0,
    bytesIn: 0,
    bytesOut: 0,
    stateOperations: 0,
    logBytes: 0,
    logEntriesDropped: 0,
  };
}

export function addUsage(a: UsageCounts, b: UsageCounts): UsageCounts {
  const sum = noUsage();
  for (const name of USAGE_NAMES) sum[name] = a[name] + b[name];
  return sum;
}

export function subtractUsage(a: UsageCounts, b: UsageCounts): UsageCounts {
  const rest = noUsage();
  for (const name of USAGE_NAMES) rest[name] = a[name] - b[name];
  return rest;
}

export function addFunctionUsage(a: FunctionCounts | undefined, b: FunctionCounts): FunctionCounts {
  return {
    invocations: (a?.invocations ?? 0) + b.invocations,
    errors: (a?.errors ?? 0) + b.errors,
    cpuUs: (a?.cpuUs ?? 0) + b.cpuUs,
  };
}
