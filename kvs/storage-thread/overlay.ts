import { compareKeys } from "../keys.ts";
import type { StateValue } from "../state-client.ts";
import type { ListedKey } from "../store/page.ts";

interface OwnWrite {
  readonly number: number;
  /** Undefined after a delete. */
  readonly value: StateValue | undefined;
}

/**
 * A client's own writes that were answered and are not stored yet: what makes it read them (C1).
 * The last write of a key counts; each is dropped when it is stored, and what is stored then is that
 * write or a newer one.
 */
export class Overlay {
  readonly #writes = new Map<string, OwnWrite>();

  get(key: string): OwnWrite | undefined {
    return this.#writes.size === 0 ? undefined : this.#writes.get(key);
  }

  add(key: string, number: number, value: StateValue | undefined): void {
    const before = this.#writes.get(key);
    // Answers come in another order than writes: level memory does not wait for the others.
    if (before === undefined || before.number < number) this.#writes.set(key, { number, value });
  }

  drop(key: string, number: number): void {
    if (this.#writes.get(key)?.number === number) this.#writes.delete(key);
  }

  clear(): void {
    this.#writes.clear();
  }

  /** The writes that lie over the keys with a prefix. */
  *numbers(prefix: string): Generator<number> {
    for (const [key, { number }] of this.#writes) if (key.startsWith(prefix)) yield number;
  }

  /** Lays the own writes over stored keys, which come in order. */
  *over(
    stored: Iterable<ListedKey>,
    prefix: string,
    after: string | undefined,
  ): Generator<ListedKey> {
    const own = this.#sorted(prefix, after);
    let index = 0;
    for (const listed of stored) {
      for (; index < own.length; index += 1) {
        const [key, write] = own[index] ?? ["", undefined];
        if (compareKeys(key, listed.key) >= 0) break;
        if (write?.value !== undefined) yield { key, kind: write.value.kind };
      }
      const [key, write] = own[index] ?? ["", undefined];
      if (key !== listed.key) {
        yield listed;
      } else {
        index += 1;
        if (write?.value !== undefined) yield { key, kind: write.value.kind };
      }
    }
    for (const [key, { value }] of own.slice(index)) {
      if (value !== undefined) yield { key, kind: value.kind };
    }
  }

  #sorted(prefix: string, after: string | undefined): (readonly [string, OwnWrite])[] {
    return [...this.#writes]
      .filter(([key]) => key.startsWith(prefix))
      .filter(([key]) => after === undefined || compareKeys(key, after) > 0)
      .toSorted(([a], [b]) => compareKeys(a, b));
  }
}
