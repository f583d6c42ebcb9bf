/**
 * How many invocations may wait for their writes before the next one starts.
 *
 * A commit carries whatever is there, and a few dozen writes already hide its wait. More would only
 * mean more instances in turn, and each one's memory is out of the processor's caches when its turn
 * comes. Writes settle within a commit's time, whatever a tenant does, so nobody waits here for long.
 */
const WAITING_MAX = 24;

/** Counts an executor's invocations that wait for a write, and tells when the next may start. */
export class WriteGate {
  readonly #onOpen: () => void;
  #waiting = 0;

  constructor(onOpen: () => void) {
    this.#onOpen = onOpen;
  }

  get isClosed(): boolean {
    return this.#waiting >= WAITING_MAX;
  }

  enter(): void {
    this.#waiting += 1;
  }

  leave(): void {
    this.#waiting -= 1;
    if (!this.isClosed) this.#onOpen();
  }
}
