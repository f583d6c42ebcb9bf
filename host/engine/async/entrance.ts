import type { Blocked } from "./scheduler.ts";
import type { Task } from "./task.ts";

const BACKPRESSURE_MAX = 2 ** 16 - 1;

// Who may run in a component instance. Most code is not made for it that another call runs while one waits in its
// midst: so calls of async functions exclude each other there, and a guest can have new ones wait (backpressure).
//
// E1. One exclusive task at a time holds the instance: from entering it, or going on with its callback, until it exits
//     or its callback waits; also while it waits in its midst. Calls of synchronous functions do not ask.
// E2. Those that wait are let in in their order, as far as they are ready.
export class Entrance {
  #holder: Task | undefined;
  /** How often the guest asked for no further calls, and did not take it back. */
  #backpressure = 0;
  #waiting: Set<Blocked> | undefined;
  #enteringCount = 0;

  get isFree(): boolean {
    return this.#holder === undefined;
  }

  isHeldByAnother(task: Task): boolean {
    return this.#holder !== undefined && this.#holder !== task;
  }

  /** Whether a new call may begin now, if none waits for that already. */
  mayBegin(task: Task): boolean {
    return this.#backpressure === 0 && (!task.isExclusive || this.isFree);
  }

  get isAwaited(): boolean {
    return this.#enteringCount > 0;
  }

  hold(task: Task): void {
    if (task.isExclusive) this.#holder = task;
  }

  release(task: Task): void {
    if (this.#holder !== task) return;
    this.#holder = undefined;
    this.letIn();
  }

  /** A new call waits to be let in. */
  awaitBegin(blocked: Blocked): void {
    this.#enteringCount += 1;
    this.await(blocked);
  }

  /** It is let in, or gave up. */
  endAwaitBegin(): void {
    this.#enteringCount -= 1;
    this.letIn();
  }

  /** Woken when it is ready and the instance is free. */
  await(blocked: Blocked): void {
    this.#waiting ??= new Set();
    this.#waiting.add(blocked);
  }

  forget(blocked: Blocked): void {
    this.#waiting?.delete(blocked);
  }

  raise(): boolean {
    if (this.#backpressure >= BACKPRESSURE_MAX) return false;
    this.#backpressure += 1;
    return true;
  }

  lower(): boolean {
    if (this.#backpressure === 0) return false;
    this.#backpressure -= 1;
    if (this.#backpressure === 0) this.letIn();
    return true;
  }

  /** The earlier form, on or off. */
  set(isOn: boolean): void {
    this.#backpressure = isOn ? 1 : 0;
    if (!isOn) this.letIn();
  }

  /** Wakes the first that is ready: when it has run, the next one is. */
  letIn(): void {
    for (const blocked of this.#waiting ?? []) {
      if (!blocked.isReady()) continue;
      blocked.task.instance.guest.scheduler.wake(blocked);
      return;
    }
  }
}
