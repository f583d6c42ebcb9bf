import type { Guest } from "./guest.ts";
import { trap } from "./trap.ts";

// The handles of one component instance: small integers that stand for what it may use.
//
// H1. Index 0 is never a handle. A freed index is given out again, the last freed first.
// H2. An index that is not in the table traps.
// H3. Each handle is one of those that the guest may have in all its tables (`Guest.takeHandle`).
export class HandleTable {
  readonly #guest: Guest;
  /** Made with the first handle: most component instances never hold one. */
  #entries: (object | undefined)[] | undefined;
  #free: number[] | undefined;
  #count = 0;

  constructor(guest: Guest) {
    this.#guest = guest;
  }

  get count(): number {
    return this.#count;
  }

  get(index: number): object {
    return this.#entries?.[index] ?? trap(`unknown handle index ${index >>> 0}`);
  }

  add(entry: object): number {
    this.#guest.takeHandle();
    this.#count += 1;
    this.#entries ??= [undefined];
    const index = this.#free?.pop() ?? this.#entries.length;
    this.#entries[index] = entry;
    return index;
  }

  remove(index: number): object {
    const entry = this.get(index);
    (this.#entries ??= [])[index] = undefined;
    (this.#free ??= []).push(index);
    this.#guest.giveHandlesBack(1);
    this.#count -= 1;
    return entry;
  }

  /** Empties the table and gives what was in it. */
  clear(): readonly object[] {
    const entries = (this.#entries ?? []).filter((entry) => entry !== undefined);
    this.#entries = undefined;
    this.#free = undefined;
    this.#guest.giveHandlesBack(this.#count);
    this.#count = 0;
    return entries;
  }
}
