import type { ComponentInstance } from "../canonical/component-instance.ts";
import type { Guest } from "../canonical/guest.ts";
import type { Loans } from "../canonical/resources.ts";
import { trap } from "../canonical/trap.ts";
import type { Task } from "./task.ts";
import { EVENT_CODES, Waitable } from "./waitable-set.ts";

export const SUBTASK_STATES = {
  starting: 0,
  started: 1,
  returned: 2,
  cancelledBeforeStarted: 3,
  cancelledBeforeReturned: 4,
} as const;

type SubtaskState = (typeof SUBTASK_STATES)[keyof typeof SUBTASK_STATES];

// A call of the guest that it may not wait for: to the host, which returned a promise, or to another component.
//
// B1. What the call borrowed is given back when its end is delivered to the guest, not before.
// B2. A cancelled call of the host ends at once, where it has not returned before: what the host still does is
//     done for nobody, and its answer or failure is ignored. A component is asked, and may answer all the same.
export class Subtask extends Waitable {
  readonly loans: Loans | undefined;
  #state: SubtaskState = SUBTASK_STATES.starting;
  /** Its handle, once it has one: from then on the guest hears of it by events. */
  #index: number | undefined;
  /** Of another component. */
  callee: Task | undefined;
  #isCancelled = false;
  #isEndDelivered = false;

  constructor(loans: Loans | undefined) {
    super();
    this.loans = loans;
  }

  get state(): SubtaskState {
    return this.#state;
  }

  get isResolved(): boolean {
    return this.#state > SUBTASK_STATES.started;
  }

  start(): void {
    this.#progress(SUBTASK_STATES.started);
  }

  return(): void {
    this.#progress(SUBTASK_STATES.returned);
  }

  /** It gave up, as it was asked to. */
  giveUp(): void {
    this.#progress(
      this.#state === SUBTASK_STATES.starting
        ? SUBTASK_STATES.cancelledBeforeStarted
        : SUBTASK_STATES.cancelledBeforeReturned,
    );
  }

  /** The guest goes on without its end, and gets a handle for it: both in one number. */
  handOver(instance: ComponentInstance): number {
    this.#index = instance.handles.add(this);
    return this.#state | (this.#index << 4);
  }

  #progress(state: SubtaskState): void {
    this.#state = state;
    const index = this.#index;
    if (index === undefined) {
      this.wakeWaiting();
      return;
    }
    this.setPendingEvent(() => {
      if (this.isResolved) this.deliverEnd();
      return { code: EVENT_CODES.subtask, index, payload: this.#state };
    });
  }

  /** The callee, where it went on to learn of it. */
  requestCancellation(caller: ComponentInstance): Task | undefined {
    if (this.#isEndDelivered) trap("a subtask was cancelled after its end was delivered");
    if (this.#isCancelled) trap("a subtask was cancelled twice");
    if (this.isResolved) return undefined;
    this.#isCancelled = true;
    if (this.callee === undefined) this.giveUp();
    return this.callee?.requestCancellation(caller) === true ? this.callee : undefined;
  }

  /** Blocks the task until it has ended. */
  awaitEnd<T>(task: Task, take: () => T): Promise<T> {
    return this.await(
      task,
      () => this.isResolved,
      () => {
        this.takeEnd();
        return take();
      },
    );
  }

  /** The state in which it has ended, which is delivered with this. */
  takeEnd(): number {
    if (this.takePendingEvent() === undefined) this.deliverEnd();
    return this.#state;
  }

  drop(): void {
    if (!this.#isEndDelivered) trap("a subtask was dropped before its end was delivered");
    this.join(undefined);
  }

  deliverEnd(): void {
    this.loans?.giveBack();
    this.#isEndDelivered = true;
  }
}

/** Each holds memory of the host, and those of components a stack or a queue. */
export function requireFewSubtasks({ subtasksUnderWay, limits }: Guest): void {
  if (subtasksUnderWay >= limits.subtasksMax) {
    trap(`more than ${limits.subtasksMax} asynchronous calls under way`);
  }
}
