// Waitables (things that will have an event) and sets of them, as entries of a handle table.
//
// W1. A waitable has at most one pending event; taking it from the set, or from itself, clears it. A newer one
//     replaces it: events are computed when they are taken, and tell the newest state.
// W2. A waitable is in at most one set; a set that holds any, or is waited for, cannot be dropped.
// W3. Of those with an event, a set gives the one that has had it longest: none is starved.
// W4. An event wakes one of the tasks that wait for the set: it takes it, or another one is woken in its place.

import type { ComponentInstance } from "../canonical/component-instance.ts";
import { trap } from "../canonical/trap.ts";
import type { Blocked } from "./scheduler.ts";
import type { Task } from "./task.ts";

export const EVENT_CODES = {
  none: 0,
  subtask: 1,
  streamRead: 2,
  streamWrite: 3,
  futureRead: 4,
  futureWrite: 5,
  taskCancelled: 6,
} as const;

export interface GuestEvent {
  readonly code: (typeof EVENT_CODES)[keyof typeof EVENT_CODES];
  /** The handle that the event belongs to. */
  readonly index: number;
  readonly payload: number;
}

export const NO_EVENT: GuestEvent = { code: EVENT_CODES.none, index: 0, payload: 0 };
export const TASK_CANCELLED: GuestEvent = { code: EVENT_CODES.taskCancelled, index: 0, payload: 0 };

export abstract class Waitable {
  #pendingEvent: (() => GuestEvent) | undefined;
  #set: WaitableSet | undefined;
  /** The task that waits for its event, and for no other. */
  #waiting: Blocked | undefined;

  get hasPendingEvent(): boolean {
    return this.#pendingEvent !== undefined;
  }

  get isInSet(): boolean {
    return this.#set !== undefined;
  }

  get isAwaited(): boolean {
    return this.#waiting !== undefined;
  }

  setPendingEvent(event: () => GuestEvent): void {
    this.#pendingEvent = event;
    this.#set?.hasEvent(this);
    this.wakeWaiting();
  }

  takePendingEvent(): GuestEvent | undefined {
    const event = this.#pendingEvent;
    this.#pendingEvent = undefined;
    this.#set?.hasNoEvent(this);
    return event?.();
  }

  join(set: WaitableSet | undefined): void {
    if (this.isAwaited) trap("a waitable that a call waits for was put into a set");
    this.#set?.remove(this);
    this.#set = set;
    set?.add(this);
  }

  /** Blocks the task in the midst of its code; `take` is called when it goes on. */
  await<T>(task: Task, isReady: () => boolean, take: () => T): Promise<T> {
    return suspendUntil(task, {
      isReady,
      isCancellable: false,
      onBlocked: (blocked) => {
        this.#waiting = blocked;
      },
      onGoOn: () => {
        this.#waiting = undefined;
        return take();
      },
    });
  }

  /** What it is awaited for may be there. */
  protected wakeWaiting(): void {
    if (this.#waiting !== undefined) wake(this.#waiting);
  }
}

export class WaitableSet {
  readonly #members = new Set<Waitable>();
  /** Those with an event, the oldest first. */
  readonly #eventful = new Set<Waitable>();
  readonly #waiting = new Set<Blocked>();

  add(waitable: Waitable): void {
    this.#members.add(waitable);
    if (waitable.hasPendingEvent) this.hasEvent(waitable);
  }

  remove(waitable: Waitable): void {
    this.#members.delete(waitable);
    this.#eventful.delete(waitable);
  }

  hasEvent(member: Waitable): void {
    this.#eventful.add(member);
    this.#wakeFirst();
  }

  hasNoEvent(member: Waitable): void {
    this.#eventful.delete(member);
  }

  get hasPendingEvent(): boolean {
    return this.#eventful.size > 0;
  }

  take(): GuestEvent | undefined {
    for (const member of this.#eventful) return member.takePendingEvent();
    return undefined;
  }

  /** For a task that goes on. What it leaves, the next one that waits is woken for (W4). */
  takeFor(isCancelled: boolean): GuestEvent {
    const event = isCancelled ? TASK_CANCELLED : (this.take() ?? NO_EVENT);
    if (this.hasPendingEvent) this.#wakeFirst();
    return event;
  }

  #wakeFirst(): void {
    for (const blocked of this.#waiting) {
      wake(blocked);
      return;
    }
  }

  /** Who was woken cannot go on now: another one may (W4). */
  passOn(): void {
    if (!this.hasPendingEvent) return;
    for (const blocked of this.#waiting) {
      if (!blocked.isReady()) continue;
      wake(blocked);
      return;
    }
  }

  /** The task waits for an event of this set. */
  startWaiting(blocked: Blocked): void {
    this.#waiting.add(blocked);
  }

  stopWaiting(blocked: Blocked): void {
    this.#waiting.delete(blocked);
  }

  /** Blocks the task in the midst of its code until there is an event, and gives it to `take`. */
  await<T>(task: Task, isCancellable: boolean, take: (event: GuestEvent) => T): Promise<T> {
    let waiting: Blocked | undefined;
    return suspendUntil(task, {
      isReady: () => this.hasPendingEvent,
      isCancellable,
      passOn: () => this.passOn(),
      onBlocked: (blocked) => {
        waiting = blocked;
        this.startWaiting(blocked);
      },
      onGoOn: (isCancelled) => {
        if (waiting !== undefined) this.stopWaiting(waiting);
        return take(this.takeFor(isCancelled));
      },
    });
  }

  drop(): void {
    if (this.#members.size > 0) trap("a waitable set was dropped with waitables in it");
    if (this.#waiting.size > 0) trap("a waitable set was dropped while a call waits for it");
  }
}

function wake(blocked: Blocked): void {
  blocked.task.instance.guest.scheduler.wake(blocked);
}

export interface StackWait<T> {
  readonly isReady: () => boolean;
  readonly isCancellable: boolean;
  readonly passOn?: () => void;
  /** Whoever makes it ready has to know of it. */
  readonly onBlocked: (blocked: Blocked) => void;
  /** In the stretch that goes on, before the guest does. */
  readonly onGoOn: (isCancelled: boolean) => T;
}

/** Blocks a task on its own stack: what this gives is for `WebAssembly.Suspending`. */
export function suspendUntil<T>(task: Task, wait: StackWait<T>): Promise<T> {
  const { guest } = task.instance;
  const { promise, resolve } = Promise.withResolvers<boolean>();
  wait.onBlocked(task.block({ ...wait, goOn: resolve }));
  return guest.suspend(promise, wait.onGoOn, (cause) => guest.fail(cause));
}

/** A start function is a synchronous call, in a task of its own. */
export function requireTask(instance: ComponentInstance): Task {
  return instance.task ?? trap("the guest waits while it starts");
}
