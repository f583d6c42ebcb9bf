import type { StateClient } from "@downpour/kvs";
import {
  addUsage as sum,
  noUsage,
  subtractUsage,
  USAGE_NAMES,
  UsageLedger,
} from "@downpour/tenants";
import type { AppUsage, UsageCounts } from "@downpour/tenants";
import { FairRoom } from "../fair-room.ts";
import type { InvocationRecord } from "../scheduler/deployed-app.ts";
import type { Logger } from "../telemetry/logger.ts";
import {
  addUsage,
  DELETED_APPS,
  readFunctionUsage,
  readRecentApps,
  readUsage,
  removeUsage,
  storeUsage,
  sumFunctions,
  writeRecentApps,
} from "./state-records.ts";
import type { FunctionNamesOf, RecentApp } from "./state-records.ts";

export interface UsageMeterOptions {
  readonly state: StateClient;
  readonly flushIntervalMs: number;
  /** How many of the apps that were used last are remembered over a restart. */
  readonly recentAppsMax: number;
  readonly functionNamesOf: FunctionNamesOf;
  readonly logger: Logger;
}

/**
 * What is stored ahead of an app's use, as long as it may be called. Half of it is more than a host
 * does in the time of a commit; a crash leaves it counted.
 */
const LEASE: UsageCounts = {
  ...noUsage(),
  invocations: 1_000,
  cpuUs: 2_000_000,
  bytesIn: 16 * 1_024 * 1_024,
  bytesOut: 16 * 1_024 * 1_024,
};

const HALF_LEASE: Partial<UsageCounts> = {
  invocations: LEASE.invocations / 2,
  cpuUs: LEASE.cpuUs / 2,
  bytesIn: LEASE.bytesIn / 2,
  bytesOut: LEASE.bytesOut / 2,
};

/** Of so many apps the usage is kept by name, after they are deleted too; that of further ones as one sum. */
const NAMED_APPS_MAX = 200;

// Owns what tenants used: counts invocations in memory and adds them to counters in the store.
//
// U1. Nothing is under-counted by a crash of what an app that holds a lease did, as far as the lease goes:
//     invocations, processor time and bytes. The lease is durable before the app runs, and is counted until an
//     orderly end gives it back: a crash counts at most a lease for each app too much. When half of it
//     is used up, what was counted is stored at once.
// U2. What a crash loses of the other counters is what was counted since the last flush.
//     So does it of what each function used. What is shown is of the active revision's functions; kept is that of all
//     revisions that may be active again.
// U3. What could not be stored is counted with the next flush. It is never counted twice.
export class UsageMeter {
  readonly #options: UsageMeterOptions;
  readonly #ledger = new UsageLedger();
  readonly #timer: NodeJS.Timeout;
  /** By tenant and app; while a lease is being stored, its promise. */
  readonly #leases = new Map<string, Promise<boolean>>();
  readonly #leased = new Set<string>();
  #recent: readonly RecentApp[];
  #flushing: Promise<void> | undefined;

  constructor(options: UsageMeterOptions) {
    this.#options = options;
    this.#recent = readRecentApps(options.state);
    this.#timer = setInterval(() => void this.flush(), options.flushIntervalMs);
    this.#timer.unref();
  }

  get recentApps(): readonly RecentApp[] {
    return this.#recent;
  }

  record(record: InvocationRecord): void {
    this.#ledger.record({
      tenantId: record.identity.tenantId,
      app: record.identity.app,
      functionName: record.functionName,
      isError: record.errorCode !== undefined,
      isColdStart: record.usage.coldStart,
      cpuUs: Math.round(record.usage.cpuUs),
      fuelThousands: Math.round(record.usage.fuel / 1_000),
      wallUs: Math.round(record.usage.wallUs),
      bytesIn: record.inputBytes,
      bytesOut: record.outputBytes,
      stateOperations: record.usage.stateOperations,
      logBytes: record.usage.logBytes,
      logEntriesDropped: record.usage.logEntriesDropped,
    });
    const { tenantId, app } = record.identity;
    if (this.#ledger.hasReached(tenantId, app, HALF_LEASE)) void this.flush();
  }

  /** To be awaited before an app runs (U1). Where the store takes no lease, the app runs without one. */
  async lease(tenantId: string, app: string): Promise<void> {
    const key = `${tenantId}/${app}`;
    let leased = this.#leases.get(key);
    if (leased === undefined) {
      leased = storeUsage(this.#options.state, { tenantId, app, counts: LEASE }, "durable").then(
        () => {
          this.#leased.add(key);
          return true;
        },
        (err: unknown) => {
          this.#options.logger.warn({ err, tenantId, app }, "usage could not be counted ahead");
          return false;
        },
      );
      this.#leases.set(key, leased);
    }
    if (!(await leased)) this.#leases.delete(key);
  }

  /** The app is gone, and nothing of it runs any more: what it used stays counted. */
  async retire(tenantId: string, app: string): Promise<void> {
    await this.flush();
    await this.#giveBack(tenantId, app);
    const apps = readUsage(this.#options.state, tenantId);
    const counts = apps.get(app);
    if (apps.size <= NAMED_APPS_MAX || counts === undefined) return;
    // First counted twice, then once: a crash in between under-counts nothing.
    await storeUsage(this.#options.state, { tenantId, app: DELETED_APPS, counts }, "durable");
    await removeUsage(this.#options.state, tenantId, app);
  }

  /**
   * What each app of the tenant used since it was created, up to now, or one of them; under `DELETED_APPS`
   * what those used whose names are not kept. Waits for a flush under way.
   */
  async of(tenantId: string, oneApp?: string): Promise<ReadonlyMap<string, UsageCounts>> {
    await this.#flushing;
    // One that is stored and not known to be would be taken for use.
    await Promise.all(this.#leases.values());
    const apps = new Map(
      Array.from(readUsage(this.#options.state, tenantId, oneApp), ([app, counts]) => [
        app,
        this.#leased.has(`${tenantId}/${app}`) ? subtractUsage(counts, LEASE) : counts,
      ]),
    );
    for (const { app, counts } of this.#ledger.pending(tenantId)) {
      if (oneApp !== undefined && app !== oneApp) continue;
      apps.set(app, sum(apps.get(app) ?? noUsage(), counts));
    }
    // What was leased and never called.
    for (const [app, counts] of apps) {
      if (USAGE_NAMES.every((name) => counts[name] === 0)) apps.delete(app);
    }
    return apps;
  }

  /** What each function of an app used that it has now, or had last. Waits for a flush under way. */
  async functionsOf(tenantId: string, app: string): Promise<AppUsage["functions"]> {
    await this.#flushing;
    const { state, functionNamesOf } = this.#options;
    const stored = readFunctionUsage(state, tenantId, app);
    const pending = this.#ledger.pending(tenantId).find((usage) => usage.app === app)?.functions;
    return sumFunctions(stored, pending ?? new Map(), functionNamesOf(tenantId, app)?.active);
  }

  /** Forgets a tenant that is being deleted. */
  async remove(tenantId: string): Promise<void> {
    await this.#flushing;
    this.#ledger.forget(tenantId);
    for (const key of this.#leased) {
      if (!key.startsWith(`${tenantId}/`)) continue;
      this.#leased.delete(key);
      this.#leases.delete(key);
    }
    await removeUsage(this.#options.state, tenantId);
  }

  /** Stores what was counted. One at a time: a second call waits for the first. */
  flush(): Promise<void> {
    this.#flushing ??= this.#flush().finally(() => {
      this.#flushing = undefined;
    });
    return this.#flushing;
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#flushing;
    await this.flush();
    await Promise.all(
      Array.from(this.#leased, (key) => {
        const [tenantId = "", app = ""] = key.split("/");
        return this.#giveBack(tenantId, app);
      }),
    );
  }

  async #giveBack(tenantId: string, app: string): Promise<void> {
    const key = `${tenantId}/${app}`;
    await this.#leases.get(key);
    this.#leases.delete(key);
    if (!this.#leased.delete(key)) return;
    const counts = subtractUsage(noUsage(), LEASE);
    try {
      await storeUsage(this.#options.state, { tenantId, app, counts }, "durable");
    } catch (err) {
      this.#options.logger.warn({ err, tenantId, app }, "usage was counted too high");
    }
  }

  async #flush(): Promise<void> {
    const { state, functionNamesOf, logger } = this.#options;
    const taken = this.#ledger.take();
    if (taken.length === 0) return;
    const kept = await addUsage(state, taken, functionNamesOf);
    for (const usage of kept) this.#ledger.restore(usage);
    if (kept.length > 0) logger.warn({ apps: kept.length }, "usage could not be stored yet");
    await this.#remember(taken);
  }

  async #remember(used: readonly RecentApp[]): Promise<void> {
    const { state, recentAppsMax, logger } = this.#options;
    const fresh = used.map(({ tenantId, app }) => ({ tenantId, app }));
    const isFresh = new Set(fresh.map(({ tenantId, app }) => `${tenantId}/${app}`));
    const before = this.#recent.filter(({ tenantId, app }) => !isFresh.has(`${tenantId}/${app}`));
    const recent = shared([...fresh, ...before], recentAppsMax);
    if (JSON.stringify(recent) === JSON.stringify(this.#recent)) return;
    this.#recent = recent;
    try {
      await writeRecentApps(state, recent);
    } catch (err) {
      // Only the next start is a little slower for it.
      logger.warn({ err }, "the recently used apps could not be stored");
    }
  }
}

/** At most so many, most recent first, of which each tenant has a fair part. */
function shared(apps: readonly RecentApp[], countMax: number): readonly RecentApp[] {
  const room = new FairRoom<RecentApp>(countMax);
  const gone = new Set(apps.toReversed().flatMap((app) => room.keep(app.tenantId, app, 1)));
  return apps.filter((app) => !gone.has(app));
}
