import type { Loans } from "../canonical/resources.ts";
import { trap } from "../canonical/trap.ts";
import { EVENT_CODES, Waitable } from "./waitable-set.ts";

export const SUBTASK_STATES = { started: 1, returned: 2 } as const;

// A call of the guest to the host that the guest does not wait for: it returned a promise.
//
// B1. What the call borrowed is given back when its end is delivered to the guest, not before.
// B2. A host function cannot be cancelled: a cancelled subtask still ends as returned.
export class Subtask extends Waitable {
  #hasReturned = false;
  #isCancellationRequested = false;
  #loans: Loans | undefined;
  #isEndDelivered = false;

  constructor(loans: Loans | undefined) {
    super();
    this.#loans = loans;
  }

  override get isUnderWay(): boolean {
    return !this.#hasReturned;
  }

  get isEndDelivered(): boolean {
    return this.#isEndDelivered;
  }

  resolve(index: number): void {
    this.#hasReturned = true;
    this.setPendingEvent(() => {
      this.#loans?.giveBack();
      this.#loans = undefined;
      this.#isEndDelivered = true;
      return { code: EVENT_CODES.subtask, index, payload: SUBTASK_STATES.returned };
    });
  }

  requestCancellation(): void {
    if (this.#isEndDelivered) trap("a subtask was cancelled after its end was delivered");
    if (this.#isCancellationRequested) trap("a subtask was cancelled twice");
    this.#isCancellationRequested = true;
  }

  drop(): void {
    if (!this.#isEndDelivered) trap("a subtask was dropped before its end was delivered");
    this.join(undefined);
  }
}
