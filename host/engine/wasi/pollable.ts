// What a guest can wait for: something that is ready already, or a point in time.
//
// P1. A pollable has a timer only while a guest waits for it, and one guest waits for one at a time.
// P2. Dropping a pollable clears its timer; what waited is then never resumed. A guest that ends
//     drops all of its pollables, so no timer outlives it.

/** The longest timer that Node takes; longer waits take several. */
const TIMER_MS_MAX = 2 ** 31 - 1;

export class Pollable {
  #timer: NodeJS.Timeout | undefined;
  readonly #deadlineNs: bigint;
  readonly #nowNs: () => bigint;

  constructor(deadlineNs: bigint, nowNs: () => bigint) {
    this.#deadlineNs = deadlineNs;
    this.#nowNs = nowNs;
  }

  /** For what never waits, like the streams of this host. */
  static ready(): Pollable {
    return new Pollable(0n, () => 0n);
  }

  get isReady(): boolean {
    return this.#nowNs() >= this.#deadlineNs;
  }

  get deadlineNs(): bigint {
    return this.#deadlineNs;
  }

  /** Undefined where it is ready: then there is nothing to wait for. */
  wait(): Promise<void> | undefined {
    if (this.isReady) return undefined;
    return new Promise((resolve) => {
      this.#arm(resolve);
    });
  }

  cancel(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #arm(resolve: () => void): void {
    const remainingMs = Number((this.#deadlineNs - this.#nowNs()) / 1_000_000n) + 1;
    this.#timer = setTimeout(
      () => {
        this.#timer = undefined;
        // The coarse clock may still be short of the deadline that the timer reached.
        if (this.isReady) resolve();
        else this.#arm(resolve);
      },
      Math.min(remainingMs, TIMER_MS_MAX),
    );
  }
}
