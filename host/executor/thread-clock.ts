/** A guest of the thread, as its clock knows it. */
export interface Timed {
  /** Of the invocation that it runs for. */
  readonly sequence: number;
  /** It has run for so long. */
  charge(ms: number): void;
}

// Knows whose guest runs on a thread, and charges each for its time.
//
// C1. Time is that of the guest whose code was entered last, up to when it waits, ends, or another is
//     entered: of several whose waits end at once, one runs after the other, and each pays for itself.
// C2. Whose guest has the thread is told at each change, before its code runs: also from one that never
//     comes back it can be read.
export class ThreadClock {
  readonly #hold: (sequence: number) => void;
  #running: Timed | undefined;
  #sinceMs = 0;

  /** `hold` is told the number of the invocation whose guest runs from now on; 0 for none. */
  constructor(hold: (sequence: number) => void) {
    this.#hold = hold;
  }

  /** Code of the guest runs from now on. */
  run(guest: Timed): void {
    this.#charge();
    this.#running = guest;
    this.#hold(guest.sequence);
  }

  /** Code of the guest runs, and may have been entered again unnoticed: to end a call that has returned. */
  goOn(guest: Timed): void {
    if (this.#running !== guest) this.run(guest);
  }

  /** It does not, until it is entered again. */
  stop(guest: Timed): void {
    if (this.#running !== guest) return;
    this.#charge();
    this.#running = undefined;
    this.#hold(0);
  }

  /** What the guest has run and was not charged for yet: since it was entered. */
  ranMs(guest: Timed): number {
    return this.#running === guest ? performance.now() - this.#sinceMs : 0;
  }

  #charge(): void {
    const nowMs = performance.now();
    this.#running?.charge(nowMs - this.#sinceMs);
    this.#sinceMs = nowMs;
  }
}
