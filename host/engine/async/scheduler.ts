// Which task of a guest goes on when: all of its component instances share one. A task runs in stretches, from where it
// is started or goes on to where it blocks or exits; this calls the blocked ones that are ready, one after the other.
//
// S1. One stretch runs at a time, with those it calls nested in it. One that waits for the host's own sake (a slice
//     of time that is over, a function that takes its time) still runs: nothing else of the guest does meanwhile.
// S2. What the host brings (the end of an import) is delivered between stretches, never within one: it may need
//     `realloc`, in which no stretch may be.
// S3. Blocked tasks go on, and what the host brings is delivered, only while a call of the host runs: a guest in no
//     call takes no time. What is brought between two calls is delivered when the next one begins.
// S4. A call of the host in which nothing is ready and nothing is expected of the host would wait for good: it traps.
// S5. After a hundred blocked tasks that it went on with, or found not ready, the guest waits for its turn.
// S6. Looking for who goes on is time of the guest, like the stretches before and after.

import { trap } from "../canonical/trap.ts";
import type { Meter } from "../core/meter.ts";
import type { Entrance } from "./entrance.ts";
import type { Task } from "./task.ts";

/** A task that cannot go on now. */
export interface Blocked {
  readonly task: Task;
  readonly isReady: () => boolean;
  /** Whether it may go on before it is ready, in order to learn that it is cancelled. */
  readonly isCancellable: boolean;
  /** It was woken and is not ready: what it was woken for may be another's. */
  readonly passOn?: (() => void) | undefined;
  /** Its stretch has begun. */
  readonly goOn: (isCancelled: boolean) => void;
}

interface ScheduledGuest {
  readonly meter: Meter;
  readonly isClosed: boolean;
  readonly failure: unknown;
  fail(cause: unknown): Error;
  suspended(): void;
  resumed(): void;
}

/** A call of the host that waits. */
interface HostCall {
  failed(cause: unknown): void;
}

const VISITS_MAX = 100;

export class Scheduler {
  readonly #guest: ScheduledGuest;
  /** May be ready: whoever is in here is asked again. */
  readonly #woken = new Set<Blocked>();
  /** Whoever was to go on there could not: another one may. */
  readonly #passedOn = new Set<Entrance>();
  #deliveries: (() => void)[] = [];
  /** What the host still has to bring, or has brought and is not yet delivered. */
  #expected = 0;
  /** How many stretches run, nested in each other. */
  #depth = 0;
  /** Of blocked tasks, since the guest last waited for its turn. */
  #visits = 0;
  #isTickDue = false;
  #isAwaitingTurn = false;
  #call: HostCall | undefined;

  constructor(guest: ScheduledGuest) {
    this.#guest = guest;
  }

  /** A call of the host begins, of a function of any type (S3). */
  callBegins(): void {
    try {
      this.#deliverAll();
    } catch (cause) {
      throw this.#guest.fail(cause);
    }
  }

  /** From here on blocked tasks go on (S3). It is told when the guest fails meanwhile. */
  open(call: HostCall): void {
    this.#call = call;
    this.#visits = 0;
    this.#isAwaitingTurn = false;
  }

  /** Within its last stretch. */
  close(): void {
    this.#call = undefined;
  }

  /** The guest has failed, and the call of the host with it: nothing goes on. */
  failed(cause: unknown): void {
    const call = this.#call;
    this.#call = undefined;
    call?.failed(cause);
    this.#woken.clear();
    this.#passedOn.clear();
    this.#deliveries = [];
  }

  stretchBegins(): void {
    this.#depth += 1;
  }

  stretchEnds(): void {
    this.#depth -= 1;
    if (this.#depth > 0) return;
    // In a call, when it is known who goes on (S6); in none, nobody does.
    if (this.#call === undefined) this.#guest.suspended();
    else this.#tickLater();
  }

  wake(blocked: Blocked): void {
    if (!blocked.task.isBlockedAs(blocked)) return;
    this.#woken.add(blocked);
    this.#tickLater();
  }

  forget(blocked: Blocked): void {
    this.#woken.delete(blocked);
  }

  /** Delivers how `pending` settles, between two stretches (S2). What `deliver` throws ends the guest. */
  expect<T>(pending: Promise<T>, deliver: (settled: PromiseSettledResult<T>) => void): void {
    this.#expected += 1;
    const settled = (outcome: PromiseSettledResult<T>): void => {
      if (this.#guest.isClosed || this.#guest.failure !== undefined) return;
      this.#deliveries.push(() => deliver(outcome));
      this.#tickLater();
    };
    pending.then(
      (value) => settled({ status: "fulfilled", value }),
      (reason: unknown) => settled({ status: "rejected", reason }),
    );
  }

  #tickLater(): void {
    if (this.#isTickDue || this.#depth > 0) return;
    this.#isTickDue = true;
    queueMicrotask(() => {
      this.#isTickDue = false;
      if (this.#guest.isClosed || this.#guest.failure !== undefined) return;
      try {
        this.#tick();
      } catch (cause) {
        this.#guest.fail(cause);
      }
    });
  }

  #tick(): void {
    if (this.#depth > 0 || this.#call === undefined) return;
    this.#guest.resumed();
    try {
      this.#deliverAll();
      this.#goOn();
    } finally {
      if (this.#depth === 0) this.#guest.suspended();
    }
  }

  #goOn(): void {
    // Once for all who could not: each looks through all who wait there.
    for (const entrance of this.#passedOn) entrance.letIn();
    this.#passedOn.clear();
    for (const blocked of this.#woken) {
      if (this.#call === undefined || this.#isAwaitingTurn) return;
      if (this.#visits === VISITS_MAX) {
        this.#awaitTurn();
        return;
      }
      this.#visits += 1;
      this.#woken.delete(blocked);
      if (!blocked.isReady()) {
        blocked.passOn?.();
        this.#passedOn.add(blocked.task.instance.entrance);
        continue;
      }
      blocked.task.goOn(blocked, undefined, false);
      if (this.#depth > 0) return;
    }
    if (this.#passedOn.size > 0) {
      this.#tickLater();
      return;
    }
    if (this.#call !== undefined && this.#expected === 0 && this.#woken.size === 0) {
      trap("the guest waits for an event that cannot come");
    }
  }

  #deliverAll(): void {
    const deliveries = this.#deliveries;
    this.#deliveries = [];
    for (const deliver of deliveries) {
      this.#expected -= 1;
      deliver();
    }
  }

  #awaitTurn(): void {
    this.#isAwaitingTurn = true;
    this.expect(this.#guest.meter.yielded(), () => {
      this.#isAwaitingTurn = false;
      this.#visits = 0;
    });
  }
}
