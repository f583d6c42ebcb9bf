import { trap } from "./trap.ts";

// The handles of one component instance: small integers that stand for what it may use.
//
// H1. Index 0 is never a handle. A freed index is given out again, the last freed first.
// H2. An index that is not in the table traps; the table never holds more than its limit.
export class HandleTable {
  readonly #entriesMax: number;
  /** Made with the first handle: most component instances never hold one. */
  #entries: (object | undefined)[] | undefined;
  #free: number[] | undefined;
  #count = 0;

  constructor(entriesMax: number) {
    this.#entriesMax = entriesMax;
  }

  get count(): number {
    return this.#count;
  }

  get(index: number): object {
    return this.#entries?.[index] ?? trap(`unknown handle index ${index >>> 0}`);
  }

  add(entry: object): number {
    if (this.#count >= this.#entriesMax) {
      trap(`more than ${this.#entriesMax} handles in one component instance`);
    }
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
    this.#count -= 1;
    return entry;
  }

  /** Empties the table and gives what was in it. */
  clear(): readonly object[] {
    const entries = (this.#entries ?? []).filter((entry) => entry !== undefined);
    this.#entries = undefined;
    this.#free = undefined;
    this.#count = 0;
    return entries;
  }
}
