import { KvsError } from "../errors.ts";
import { compareKeys, RESERVED_PREFIX } from "../keys.ts";
import { ENTRY_BOTTOM, mergeEntries } from "../lattice/entry.ts";
import type { Entry } from "../lattice/entry.ts";
import type { StatePage } from "../state-client.ts";
import { toPage } from "./page.ts";
import type { ListedKey } from "./page.ts";
import type { Delta, Store, TombstonePolicy } from "./store.ts";

/** A store for tests: one map, lost with the process. Listing sorts every key. */
export class MemoryStore implements Store {
  readonly durability = "memory";
  readonly #entries = new Map<string, Entry>();
  readonly #tombstones: TombstonePolicy;
  #isClosed = false;

  constructor(options: { readonly tombstones?: TombstonePolicy } = {}) {
    this.#tombstones = options.tombstones ?? "keep";
  }

  get(key: string): Entry | undefined {
    this.#checkOpen();
    return this.#entries.get(key);
  }

  list(prefix: string, after: string | undefined, limit: number): StatePage {
    this.#checkOpen();
    return toPage(this.#liveKeys(prefix, after), limit);
  }

  async merge(deltas: readonly Delta[]): Promise<void> {
    this.#checkOpen();
    for (const { key, entry } of deltas) {
      const merged = mergeEntries(this.#entries.get(key) ?? ENTRY_BOTTOM, entry);
      if (merged.kind === "absent" && this.#tombstones === "reclaim") this.#entries.delete(key);
      else this.#entries.set(key, merged);
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true;
  }

  *#liveKeys(prefix: string, after: string | undefined): Generator<ListedKey> {
    for (const key of [...this.#entries.keys()].toSorted(compareKeys)) {
      const kind = this.#entries.get(key)?.kind;
      if (kind === undefined || kind === "absent") continue;
      if (!key.startsWith(prefix) || key.startsWith(RESERVED_PREFIX)) continue;
      if (after === undefined || compareKeys(key, after) > 0) yield { key, kind };
    }
  }

  #checkOpen(): void {
    if (this.#isClosed) throw new KvsError("STORE_CLOSED", "the store is closed");
  }
}
