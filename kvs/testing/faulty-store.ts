import type { Entry } from "../lattice/entry.ts";
import type { StatePage } from "../state-client.ts";
import type { Delta, Store } from "../store/store.ts";

/** A store whose merges can be held back, and be made to fail, as a slow or full disk does. */
export class FaultyStore implements Store {
  /** Merges that were begun, held or not. */
  merges = 0;
  readonly #inner: Store;
  #hold: PromiseWithResolvers<void> | undefined;
  #failure: Error | undefined;

  constructor(inner: Store) {
    this.#inner = inner;
  }

  get durability(): Store["durability"] {
    return this.#inner.durability;
  }

  /** Merges from now on wait for `release`. */
  hold(): void {
    this.#hold ??= Promise.withResolvers<void>();
  }

  release(): void {
    this.#hold?.resolve();
    this.#hold = undefined;
  }

  /** Merges that end from now on fail, and apply nothing; undefined mends the store. */
  failWith(failure: Error | undefined): void {
    this.#failure = failure;
  }

  get(key: string): Entry | undefined {
    return this.#inner.get(key);
  }

  list(prefix: string, after: string | undefined, limit: number): StatePage {
    return this.#inner.list(prefix, after, limit);
  }

  async merge(deltas: readonly Delta[]): Promise<void> {
    this.merges += 1;
    await this.#hold?.promise;
    if (this.#failure !== undefined) throw this.#failure;
    await this.#inner.merge(deltas);
  }

  async close(): Promise<void> {
    await this.#inner.close();
  }
}
