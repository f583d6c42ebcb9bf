import type { StateClient } from "@downpour/kvs";
import { addUsage as sum, noUsage, UsageLedger } from "@downpour/tenants";
import type { UsageCounts } from "@downpour/tenants";
import type { InvocationRecord } from "../scheduler/deployed-app.ts";
import type { Logger } from "../telemetry/logger.ts";
import {
  addUsage,
  readRecentApps,
  readUsage,
  removeUsage,
  writeRecentApps,
} from "./state-records.ts";
import type { RecentApp } from "./state-records.ts";

export interface UsageMeterOptions {
  readonly state: StateClient;
  readonly flushIntervalMs: number;
  /** How many of the apps that were used last are remembered over a restart. */
  readonly recentAppsMax: number;
  readonly logger: Logger;
}

// Owns what tenants used: counts invocations in memory and adds them to counters in the store.
//
// U1. A crash loses what was counted since the last flush and the store's last batch: at most
//     `flushIntervalMs` and a few milliseconds. A shutdown loses nothing.
// U2. What could not be stored is counted with the next flush. It is never counted twice.
export class UsageMeter {
  readonly #options: UsageMeterOptions;
  readonly #ledger = new UsageLedger();
  readonly #timer: NodeJS.Timeout;
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
      isError: record.errorCode !== undefined,
      isColdStart: record.usage.coldStart,
      cpuUs: Math.round(record.usage.cpuUs),
      wallUs: Math.round(record.usage.wallUs),
      bytesIn: record.inputBytes,
      bytesOut: record.outputBytes,
    });
  }

  /** What each app of the tenant used since it was created, up to now. Waits for a flush under way. */
  async of(tenantId: string): Promise<ReadonlyMap<string, UsageCounts>> {
    await this.#flushing;
    const apps = new Map(readUsage(this.#options.state, tenantId));
    for (const { app, counts } of this.#ledger.pending(tenantId)) {
      apps.set(app, sum(apps.get(app) ?? noUsage(), counts));
    }
    return apps;
  }

  /** Forgets a tenant that is being deleted. */
  async remove(tenantId: string): Promise<void> {
    await this.#flushing;
    this.#ledger.forget(tenantId);
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
  }

  async #flush(): Promise<void> {
    const { state, logger } = this.#options;
    const taken = this.#ledger.take();
    if (taken.length === 0) return;
    const kept = await addUsage(state, taken);
    for (const usage of kept) this.#ledger.restore(usage);
    if (kept.length > 0) logger.warn({ apps: kept.length }, "usage could not be stored yet");
    await this.#remember(taken);
  }

  async #remember(used: readonly RecentApp[]): Promise<void> {
    const { state, recentAppsMax, logger } = this.#options;
    const fresh = used.map(({ tenantId, app }) => ({ tenantId, app }));
    const isFresh = new Set(fresh.map(({ tenantId, app }) => `${tenantId}/${app}`));
    const before = this.#recent.filter(({ tenantId, app }) => !isFresh.has(`${tenantId}/${app}`));
    const recent = [...fresh, ...before].slice(0, recentAppsMax);
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
