// What time it is, as guests may know it: with a fine clock they could measure what others of their process
// leave in the processor's caches (Spectre).
//
// K1. It tells whole milliseconds. Time since the start never goes back; the date follows the system's, at
//     most three milliseconds off.
// K2. When within a millisecond it goes on is another moment each time, at random: who counts loops from one
//     step to the next does not learn how long something between them took, but by doing it very often.

/** What a guest's clock advances by, at least. */
export const STEP_MS = 1;

/** The date and the time since the start reach a millisecond at different moments, both within one step. */
const DATE_OFF_MS_MAX = 2 * STEP_MS;

export class CoarseClock {
  #step = Number.NaN;
  /** The part of the step after which the clock goes on to the next one. */
  #stepsAt = 0;
  #dateOffsetMs = 0;

  /** From a start that nobody knows. */
  nowMs(): number {
    const preciseMs = performance.now();
    const step = Math.floor(preciseMs / STEP_MS);
    if (step !== this.#step) {
      this.#step = step;
      this.#stepsAt = Math.random();
    }
    return (preciseMs / STEP_MS - step < this.#stepsAt ? step : step + 1) * STEP_MS;
  }

  /** Since 1970-01-01T00:00:00Z. It takes the other one's steps: its own would be those of the system. */
  dateMs(): number {
    const nowMs = this.nowMs();
    const dateMs = Date.now();
    if (Math.abs(dateMs - nowMs - this.#dateOffsetMs) > DATE_OFF_MS_MAX) {
      this.#dateOffsetMs = dateMs - nowMs;
    }
    return nowMs + this.#dateOffsetMs;
  }
}

/** Of all guests of this thread. */
export const guestClock = new CoarseClock();
