declare const brand: unique symbol;

/**
 * A hybrid logical timestamp in one safe integer: milliseconds since 1970 × 1024, plus a logical
 * count in the low bits that carries into the milliseconds when it overflows. Safe until 2248.
 */
export type HybridTimestamp = number & { readonly [brand]: "HybridTimestamp" };

export const TICKS_PER_MS = 1024;

export function toHybridTimestamp(ticks: number): HybridTimestamp {
  if (!isHybridTimestamp(ticks)) {
    throw new RangeError(`a timestamp must be a safe integer from 0, got ${ticks}`);
  }
  return ticks;
}

export function isHybridTimestamp(ticks: number): ticks is HybridTimestamp {
  return Number.isSafeInteger(ticks) && ticks >= 0;
}

/** Before every timestamp a clock gives: the timestamp of a lattice's bottom. */
export const TIMESTAMP_ZERO: HybridTimestamp = toHybridTimestamp(0);

/**
 * Gives timestamps for one replica.
 *
 * H1. Each `now()` is greater than every one before it, whatever the wall clock does.
 * H2. Each `now()` is greater than `floor` and than everything observed: the owner passes what is
 *     stored as the floor, so a restart with a wall clock set back never goes backwards.
 * H3. It is within one tick for each call of the wall clock, unless H1 or H2 hold it ahead.
 */
export class HybridClock {
  readonly #wallMs: () => number;
  #last: number;

  constructor(options: { readonly floor?: HybridTimestamp; readonly wallMs?: () => number } = {}) {
    this.#wallMs = options.wallMs ?? Date.now;
    this.#last = options.floor ?? 0;
  }

  now(): HybridTimestamp {
    const physical = Math.floor(this.#wallMs()) * TICKS_PER_MS;
    this.#last = physical > this.#last ? physical : this.#last + 1;
    return toHybridTimestamp(this.#last);
  }

  /** Makes every later timestamp greater than this one. */
  observe(timestamp: HybridTimestamp): void {
    if (timestamp > this.#last) this.#last = timestamp;
  }
}
