import type { Loans } from "../canonical/resources.ts";
import { trap } from "../canonical/trap.ts";
import { EVENT_CODES, Waitable } from "./waitable-set.ts";

/** As the guest sees them; here, every call has started, and may be cancelled before it has returned. */
export const SUBTASK_STATES = { started: 1, returned: 2, cancelled: 4 } as const;

// A call of the guest to the host that the guest does not wait for: it returned a promise.
//
// B1. What the call borrowed is given back when its end is delivered to the guest, not before.
// B2. A cancelled subtask ends at once, where it has not returned before: what the host still does is
//     done for nobody, and its answer or failure is ignored.
export class Subtask extends Waitable {
  #isUnderWay = true;
  #loans: Loans | undefined;
  #isEndDelivered = false;

  constructor(loans: Loans | undefined) {
    super();
    this.#loans = loans;
  }

  override get isUnderWay(): boolean {
    return this.#isUnderWay;
  }

  get isEndDelivered(): boolean {
    return this.#isEndDelivered;
  }

  resolve(index: number): void {
    this.#isUnderWay = false;
    this.setPendingEvent(() => {
      this.#deliverEnd();
      return { code: EVENT_CODES.subtask, index, payload: SUBTASK_STATES.returned };
    });
  }

  /** The state in which it ends, which is delivered with this. */
  cancel(): number {
    if (this.#isEndDelivered) trap("a subtask was cancelled after its end was delivered");
    const event = this.takePendingEvent();
    if (event !== undefined) return event.payload;
    this.#isUnderWay = false;
    this.#deliverEnd();
    return SUBTASK_STATES.cancelled;
  }

  drop(): void {
    if (!this.#isEndDelivered) trap("a subtask was dropped before its end was delivered");
    this.join(undefined);
  }

  #deliverEnd(): void {
    this.#loans?.giveBack();
    this.#loans = undefined;
    this.#isEndDelivered = true;
  }
}
