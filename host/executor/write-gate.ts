/**
 * How many invocations may wait for their writes before the next one starts.
 *
 * What they wait for is a message to the storage thread and back, and what a few of them compute hides
 * that. More would only mean more instances in turn, and each one's memory is out of the processor's
 * caches when its turn comes.
 */
const WAITING_MAX = 8;

// Counts an executor's invocations that wait for a write, and says how many more may start.
//
// W1. A gate with room lets as many start as asked for.
// W2. A full gate lets one start for each turn in which a write settled: functions that write again
//     and again take their room back at once, and must not keep everybody else from starting.
export class WriteGate {
  readonly #onLeave: () => void;
  #waiting = 0;
  #hasSettled = false;

  constructor(onLeave: () => void) {
    this.#onLeave = onLeave;
  }

  get isFull(): boolean {
    return this.#waiting >= WAITING_MAX;
  }

  enter(): void {
    this.#waiting += 1;
  }

  leave(): void {
    this.#waiting -= 1;
    this.#hasSettled = true;
    this.#onLeave();
  }

  /** Whether this turn may start one although the gate is full; a settled write is good for one. */
  takePassage(): boolean {
    const mayPass = this.isFull && this.#hasSettled;
    this.#hasSettled = false;
    return mayPass;
  }
}
