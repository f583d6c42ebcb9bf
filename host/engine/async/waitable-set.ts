// Waitables (things that will have an event) and sets of them, as entries of a handle table.
//
// W1. A waitable has at most one pending event; taking it from the set, or from itself, clears it.
// W2. A waitable is in at most one set; a set that holds any, or is waited for, cannot be dropped.
// W3. Waiting for a set in which nothing can happen any more traps: no other call of the guest could
//     ever add to it, and the instance would wait for good.

import type { Guest } from "../canonical/guest.ts";
import { trap } from "../canonical/trap.ts";

export const EVENT_CODES = { none: 0, subtask: 1 } as const;

export interface GuestEvent {
  readonly code: (typeof EVENT_CODES)[keyof typeof EVENT_CODES];
  /** The handle that the event belongs to. */
  readonly index: number;
  readonly payload: number;
}

export const NO_EVENT: GuestEvent = { code: EVENT_CODES.none, index: 0, payload: 0 };

export abstract class Waitable {
  #pendingEvent: (() => GuestEvent) | undefined;
  #set: WaitableSet | undefined;

  /** Whether an event may still come. */
  abstract get isUnderWay(): boolean;

  get hasPendingEvent(): boolean {
    return this.#pendingEvent !== undefined;
  }

  get isInSet(): boolean {
    return this.#set !== undefined;
  }

  /** The event is computed when it is taken, so that it tells the newest state. */
  setPendingEvent(event: () => GuestEvent): void {
    this.#pendingEvent = event;
    this.wake();
  }

  /** Lets who waits look again: for an event, or for the failure of the guest. */
  wake(): void {
    this.#set?.wake();
  }

  takePendingEvent(): GuestEvent | undefined {
    const event = this.#pendingEvent;
    this.#pendingEvent = undefined;
    return event?.();
  }

  join(set: WaitableSet | undefined): void {
    this.#set?.remove(this);
    this.#set = set;
    set?.add(this);
  }
}

export class WaitableSet {
  readonly #members = new Set<Waitable>();
  #wake: (() => void) | undefined;

  add(waitable: Waitable): void {
    this.#members.add(waitable);
    if (waitable.hasPendingEvent) this.wake();
  }

  remove(waitable: Waitable): void {
    this.#members.delete(waitable);
  }

  wake(): void {
    this.#wake?.();
  }

  /** The event of the member that waited longest since its last one, so that none is starved. */
  take(): GuestEvent | undefined {
    for (const member of this.#members) {
      const event = member.takePendingEvent();
      if (event === undefined) continue;
      this.#members.delete(member);
      this.#members.add(member);
      return event;
    }
    return undefined;
  }

  async wait(guest: Guest): Promise<GuestEvent> {
    for (;;) {
      // At once before waiting: what failed earlier woke nobody.
      throwIfFailed(guest);
      const event = this.take();
      if (event !== undefined) return event;
      this.#requireSomethingUnderWay();
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#wake = resolve;
      await promise;
      this.#wake = undefined;
      if (guest.isClosed) await untilCollected();
    }
  }

  drop(): void {
    if (this.#members.size > 0) trap("a waitable set was dropped with waitables in it");
    if (this.#wake !== undefined) trap("a waitable set was dropped while a call waits for it");
  }

  #requireSomethingUnderWay(): void {
    for (const member of this.#members) if (member.isUnderWay) return;
    trap("the guest waits for an event that cannot come");
  }
}

function throwIfFailed(guest: Guest): void {
  if (guest.failure !== undefined) throw guest.fail(guest.failure.cause);
}

/** What the frames of a closed guest wait for. Only JavaScript's do, and so become garbage. */
function untilCollected(): Promise<never> {
  return new Promise<never>(() => {});
}

/** After each wait: a failed guest ends now, and a closed one goes on waiting for good. */
export async function requireAlive(guest: Guest): Promise<void> {
  if (guest.isClosed) await untilCollected();
  throwIfFailed(guest);
}
