import { Compile } from "typebox/compile";
import { HostError } from "../errors.ts";
import { AppRecordSchema } from "./app-record.ts";
import type { AppRecord } from "./app-record.ts";

/** Where apps are kept. Each call settles when it is durable. */
export interface AppRecords {
  loadAll(): Promise<readonly unknown[]>;
  save(record: AppRecord): Promise<void>;
  remove(tenantId: string, app: string): Promise<void>;
}

const validator = Compile(AppRecordSchema);

// Owns which apps there are, and which revision of each is active. What the change of a record is
// worth is decided in `app-record.ts`; what it means for those who run is its callers' business.
//
// G1. A change is durable before anyone sees it: until then, and when it fails, the old record holds.
// G2. Changes of one app are made one after the other, each on what the one before left.
export class AppRegistry {
  readonly #records: AppRecords;
  readonly #tenants = new Map<string, Map<string, AppRecord>>();
  readonly #lastChanges = new Map<string, Promise<unknown>>();

  private constructor(records: AppRecords) {
    this.#records = records;
  }

  static async open(records: AppRecords): Promise<AppRegistry> {
    const registry = new AppRegistry(records);
    for (const record of await records.loadAll()) registry.#hold(parse(record));
    return registry;
  }

  find(tenantId: string, app: string): AppRecord | undefined {
    return this.#tenants.get(tenantId)?.get(app);
  }

  get(tenantId: string, app: string): AppRecord {
    const record = this.find(tenantId, app);
    if (record === undefined) {
      throw new HostError("APP_NOT_FOUND", "there is no app of this name", { details: { app } });
    }
    return record;
  }

  /** In the order of their names. */
  list(tenantId: string): readonly AppRecord[] {
    const apps = this.#tenants.get(tenantId);
    if (apps === undefined) return [];
    return [...apps.values()].toSorted((a, b) => (a.app < b.app ? -1 : 1));
  }

  count(tenantId: string): number {
    return this.#tenants.get(tenantId)?.size ?? 0;
  }

  /** Of all apps of a tenant together. */
  revisionCount(tenantId: string): number {
    let count = 0;
    for (const { revisions } of this.#tenants.get(tenantId)?.values() ?? []) {
      count += revisions.length;
    }
    return count;
  }

  *all(): Generator<AppRecord> {
    for (const apps of this.#tenants.values()) yield* apps.values();
  }

  /**
   * Puts what `next` makes of the app in its place. `next` may refuse by throwing; then, and when
   * the record cannot be stored, nothing changes. `onChanged` runs in the same turn as the change.
   */
  change(
    tenantId: string,
    app: string,
    next: (record: AppRecord | undefined) => AppRecord,
    onChanged: (record: AppRecord) => void,
  ): Promise<AppRecord> {
    return this.#serialise(tenantId, app, async () => {
      const record = next(this.find(tenantId, app));
      await this.#records.save(record);
      this.#hold(record);
      onChanged(record);
      return record;
    });
  }

  /** Forgets an app. Nothing happens to one that is not there. */
  remove(tenantId: string, app: string): Promise<void> {
    return this.#serialise(tenantId, app, async () => {
      await this.#records.remove(tenantId, app);
      const apps = this.#tenants.get(tenantId);
      apps?.delete(app);
      if (apps?.size === 0) this.#tenants.delete(tenantId);
    });
  }

  #hold(record: AppRecord): void {
    let apps = this.#tenants.get(record.tenantId);
    if (apps === undefined) {
      apps = new Map();
      this.#tenants.set(record.tenantId, apps);
    }
    apps.set(record.app, record);
  }

  async #serialise<T>(tenantId: string, app: string, change: () => Promise<T>): Promise<T> {
    const key = `${tenantId}/${app}`;
    const before = this.#lastChanges.get(key) ?? Promise.resolve();
    const result = before.then(change);
    const settled = result.then(
      () => undefined,
      () => undefined,
    );
    this.#lastChanges.set(key, settled);
    try {
      return await result;
    } finally {
      if (this.#lastChanges.get(key) === settled) this.#lastChanges.delete(key);
    }
  }
}

function parse(record: unknown): AppRecord {
  if (validator.Check(record)) return record;
  const [first] = validator.Errors(record);
  throw new HostError(
    "DATA_DIR_CORRUPT",
    `a stored app is damaged: ${first?.instancePath ?? ""} ${first?.message ?? ""}`,
  );
}
