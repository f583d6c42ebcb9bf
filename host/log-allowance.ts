import assert from "node:assert/strict";

/** When the last of what was logged will have been let through, in nanoseconds of the monotonic clock. */
const PAID_UNTIL_NS = 0;
const BYTES_PER_SECOND = 1;
const CELLS_BYTES = 2 * BigInt64Array.BYTES_PER_ELEMENT;

/** As much as a second brings may be logged at once. */
const BURST_NS = 1_000_000_000n;
/** So far what passes anyway puts off the rest, in the time that it takes to pay for. */
const DEBT_NS = 2n * BURST_NS;

// How much the functions of one tenant may log in a second, on all threads together: a token bucket in memory that
// all of them share. It is asked where an entry is made, so that what is refused costs no other thread anything.
//
// A1. Over any time, what is let through is at most what the time brings, a second's worth and one entry more;
//     with what may be owed (`takeOwing`) two seconds' worth and one entry.
// A2. A new rate holds from the next entry on, on every thread, for what was let through before too. No thread
//     waits for another one.
// A3. What passes without asking (`charge`) is paid for like the rest, as far as two seconds' worth are owed with
//     it: what is logged afterwards waits for it no longer.
export class LogAllowance {
  readonly shared: SharedArrayBuffer;
  readonly #cells: BigInt64Array;

  private constructor(shared: SharedArrayBuffer) {
    this.shared = shared;
    this.#cells = new BigInt64Array(shared);
  }

  static of(bytesPerSecondMax: number): LogAllowance {
    const allowance = new LogAllowance(new SharedArrayBuffer(CELLS_BYTES));
    Atomics.store(allowance.#cells, BYTES_PER_SECOND, BigInt(bytesPerSecondMax));
    return allowance;
  }

  /** The same one, in another thread. */
  static from(shared: SharedArrayBuffer): LogAllowance {
    return new LogAllowance(shared);
  }

  get bytesPerSecondMax(): number {
    return Number(Atomics.load(this.#cells, BYTES_PER_SECOND));
  }

  /** By the one thread that sets it. */
  setRate(bytesPerSecondMax: number, nowNs: bigint = process.hrtime.bigint()): void {
    assert(bytesPerSecondMax > 0);
    const rate = BigInt(bytesPerSecondMax);
    const before = Atomics.exchange(this.#cells, BYTES_PER_SECOND, rate);
    this.#pay(nowNs, (owedNs) => (owedNs * before) / rate);
  }

  /** Whether an entry of so many bytes may be logged now; then it counts. */
  take(bytes: number, nowNs: bigint = process.hrtime.bigint()): boolean {
    return this.#take(bytes, BURST_NS, nowNs);
  }

  /** The same, for what may be logged though a second's worth was. */
  takeOwing(bytes: number, nowNs: bigint = process.hrtime.bigint()): boolean {
    return this.#take(bytes, DEBT_NS, nowNs);
  }

  /** Counts what is logged without asking (A3). */
  charge(bytes: number, nowNs: bigint = process.hrtime.bigint()): void {
    const costNs = this.#costNs(bytes);
    this.#pay(nowNs, (owedNs) => {
      const chargedNs = owedNs + costNs < DEBT_NS ? owedNs + costNs : DEBT_NS;
      return owedNs < chargedNs ? chargedNs : undefined;
    });
  }

  #take(bytes: number, owedNsMax: bigint, nowNs: bigint): boolean {
    const costNs = this.#costNs(bytes);
    return this.#pay(nowNs, (owedNs) => (owedNs < owedNsMax ? owedNs + costNs : undefined));
  }

  #costNs(bytes: number): bigint {
    return (BigInt(bytes) * BURST_NS) / Atomics.load(this.#cells, BYTES_PER_SECOND);
  }

  /** Changes how long it takes to pay for what was let through; false where that is not to change. */
  #pay(nowNs: bigint, change: (owedNs: bigint) => bigint | undefined): boolean {
    for (;;) {
      const untilNs = Atomics.load(this.#cells, PAID_UNTIL_NS);
      const owedNs = change(untilNs > nowNs ? untilNs - nowNs : 0n);
      if (owedNs === undefined) return false;
      const seen = Atomics.compareExchange(this.#cells, PAID_UNTIL_NS, untilNs, nowNs + owedNs);
      if (seen === untilNs) return true;
    }
  }
}
