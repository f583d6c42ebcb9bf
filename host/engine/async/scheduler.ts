// Which task of a guest goes on when: all of its component instances share one. A task runs in stretches, from where it
// is started or goes on to where it blocks or exits; this calls the blocked ones that are ready, one after the other.
//
// S1. One stretch runs at a time, with those it calls nested in it. One that waits for the host's own sake (a slice
//     of time that is over, a function that takes its time) still runs: nothing else of the guest does meanwhile.
// S2. What the host brings (the end of an import) is delivered between stretches, never within one: it may need
//     `realloc`, in which no stretch may be.
// S3. A blocked task goes on only while a call of the host runs, so that a guest in no call takes no time.
// S4. A call of the host in which nothing is ready and nothing is expected of the host would wait for good: it traps.
// S5. After a hundred stretches without having left the thread to others, the guest waits for its turn.

import { trap } from "../canonical/trap.ts";
import type { Meter } from "../core/meter.ts";
import type { Task } from "./task.ts";

/** A task that cannot go on now. */
export interface Blocked {
  readonly task: Task;
  readonly isReady: () => boolean;
  /** Whether it may go on before it is ready, in order to learn that it is cancelled. */
  readonly isCancellable: boolean;
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
  readonly reject: (cause: unknown) => void;
}

const STRETCHES_MAX = 100;

export class Scheduler {
  readonly #guest: ScheduledGuest;
  /** May be ready: whoever is in here is asked again. */
  readonly #woken = new Set<Blocked>();
  #deliveries: (() => void)[] = [];
  /** What the host still has to bring, or has brought and is not yet delivered. */
  #expected = 0;
  /** How many stretches run, nested in each other. */
  #depth = 0;
  #stretches = 0;
  #isTickDue = false;
  #isAwaitingTurn = false;
  #call: HostCall | undefined;

  constructor(guest: ScheduledGuest) {
    this.#guest = guest;
  }

  /** From here on blocked tasks go on (S3). `reject` is called when the guest fails meanwhile. */
  open(call: HostCall): void {
    this.#call = call;
    this.#stretches = 0;
    this.#isAwaitingTurn = false;
  }

  close(): void {
    this.#call = undefined;
  }

  /** The guest has failed, and the call of the host with it: nothing goes on. */
  failed(cause: unknown): void {
    this.#call?.reject(cause);
    this.#call = undefined;
    this.#woken.clear();
    this.#deliveries = [];
  }

  stretchBegins(): void {
    this.#depth += 1;
  }

  stretchEnds(): void {
    this.#depth -= 1;
    if (this.#depth > 0) return;
    this.#guest.suspended();
    this.#tickLater();
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
    if (this.#depth > 0) return;
    this.#deliverAll();
    for (const blocked of this.#woken) {
      if (this.#call === undefined || this.#isAwaitingTurn) return;
      if (this.#stretches === STRETCHES_MAX) {
        this.#awaitTurn();
        return;
      }
      this.#woken.delete(blocked);
      if (!blocked.isReady()) {
        // What it was woken for is gone, and may be another's.
        blocked.task.instance.entrance.letIn();
        continue;
      }
      this.#stretches += 1;
      this.#guest.resumed();
      blocked.task.goOn(blocked, undefined, false);
      if (this.#depth > 0) return;
    }
    if (this.#call !== undefined && this.#expected === 0 && this.#woken.size === 0) {
      trap("the guest waits for an event that cannot come");
    }
  }

  #deliverAll(): void {
    const deliveries = this.#deliveries;
    if (deliveries.length === 0) return;
    this.#deliveries = [];
    this.#guest.resumed();
    for (const deliver of deliveries) {
      this.#expected -= 1;
      deliver();
    }
    this.#guest.suspended();
  }

  #awaitTurn(): void {
    this.#isAwaitingTurn = true;
    this.expect(this.#guest.meter.yielded(), () => {
      this.#isAwaitingTurn = false;
      this.#stretches = 0;
    });
  }
}
