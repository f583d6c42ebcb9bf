// One running guest: what all component instances of one `Instance` share. The linker makes one
// for each instance and asks it, after every call into the guest, whether anything failed.
//
// G1. The first failure wins and is final: a guest that has failed never runs again.
// G2. A failure of the host side reaches the guest as a WebAssembly trap, which no `catch_all` of
//     the guest can catch; the failure itself waits in `failure` for the linker.
// G3. A closed guest never runs again, and holds no resource of the host. The stacks that it was
//     suspended on are unwound at once: V8 never frees one whose promise stays pending.

import type { ResourceId } from "../component/types.ts";
import { Meter } from "../core/meter.ts";
import type { Bounds } from "../engine.ts";
import { Scheduler } from "../async/scheduler.ts";
import { ComponentInstance } from "./component-instance.ts";
import type { ResourceType } from "./resources.ts";
import { trap, uncatchableTrap } from "./trap.ts";

export interface GuestLimits {
  /** Handles (resources, subtasks, waitable sets, ends) that its component instances may hold at once, together. */
  readonly handlesMax: number;
  /**
   * JavaScript memory, about, that the values of one call may take when they are lifted. A list may
   * name the same bytes many times, so that the guest's own memory bounds nothing.
   */
  readonly liftedBytesMax: number;
  /** Asynchronous calls, of the host and between components, that may be under way at once. */
  readonly subtasksMax: number;
}

export const DEFAULT_GUEST_LIMITS: GuestLimits = {
  handlesMax: 65_536,
  liftedBytesMax: 128 * 1024 * 1024,
  subtasksMax: 1000,
};

/** JavaScript memory of one with what it stands for, as measured: a waitable set, or an end with a copy under way. */
const HANDLE_BYTES = 512;
/** Memory for handles is taken for so many at once. Guests hold a few: the first of them are not counted. */
const HANDLES_STEP = 128;

const UNBOUNDED: Bounds = { memoryBytesMax: Infinity, onFuelSpent: () => undefined };

export interface GuestFailure {
  readonly cause: unknown;
}

export class Guest {
  readonly limits: GuestLimits;
  readonly meter: Meter;
  readonly scheduler: Scheduler;
  readonly #bounds: Bounds;
  /** What is left of `liftedBytesMax` for the values that are being lifted. */
  liftableBytes = 0;
  subtasksUnderWay = 0;
  /** Reads and writes of streams and futures that are not over: they know of memories. */
  copiesUnderWay = 0;
  #handleCount = 0;
  /** There is memory for so many: it is not given back before the guest ends. */
  #handlesPaid = HANDLES_STEP;
  #failure: GuestFailure | undefined;
  #isClosed = false;
  /** More than one where a component of the guest waits in a call from another. */
  readonly #unwinds = new Set<(error: Error) => void>();
  readonly #componentInstances: ComponentInstance[] = [];
  readonly #resourceTypes: (ResourceType | undefined)[] = [];

  constructor(limits: GuestLimits = DEFAULT_GUEST_LIMITS, bounds: Bounds = UNBOUNDED) {
    this.limits = limits;
    this.#bounds = bounds;
    this.meter = new Meter(bounds, this);
    this.scheduler = new Scheduler(this);
  }

  get failure(): GuestFailure | undefined {
    return this.#failure;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Memory taken for handles, and what they stand for. */
  get handleBytes(): number {
    return (this.#handlesPaid - HANDLES_STEP) * HANDLE_BYTES;
  }

  /** For one more, in any table. */
  takeHandle(): void {
    const { handlesMax } = this.limits;
    if (this.#handleCount >= handlesMax) trap(`more than ${handlesMax} handles in one instance`);
    if (this.#handleCount >= this.#handlesPaid) {
      if (!this.meter.takeBytes(HANDLES_STEP * HANDLE_BYTES)) trap("no memory for more handles");
      this.#handlesPaid += HANDLES_STEP;
    }
    this.#handleCount += 1;
  }

  giveHandlesBack(count: number): void {
    this.#handleCount -= count;
  }

  createComponentInstance(parent?: ComponentInstance): ComponentInstance {
    const instance = new ComponentInstance(this, parent);
    this.#componentInstances.push(instance);
    return instance;
  }

  /** Gives a resource of the plan its behaviour in this guest, before any of its handles exists. */
  defineResource(resource: ResourceId, type: ResourceType): void {
    this.#resourceTypes[resource] = type;
  }

  resourceType(resource: ResourceId): ResourceType {
    const type = this.#resourceTypes[resource];
    if (type === undefined) throw new Error(`resource ${resource} is not defined in this guest`);
    return type;
  }

  /** Keeps the failure, and gives what to throw through the guest's frames in its place (G2). */
  fail(cause: unknown): Error {
    if (this.#failure === undefined) {
      this.#failure = { cause };
      this.scheduler.failed(cause);
    }
    return uncatchableTrap();
  }

  /**
   * What a WebAssembly stack of the guest is suspended on: settles like `pending`, or when the guest
   * closes. After the guest has closed, neither of the callbacks is called, and nothing of `pending`
   * is left unhandled.
   */
  suspend<T, R>(
    pending: Promise<T>,
    onFulfilled: (value: T) => R | Promise<R>,
    onRejected: (cause: unknown) => Error,
  ): Promise<R> {
    this.suspended();
    const settled = new Promise<R>((resolve, reject) => {
      this.#unwinds.add(reject);
      pending.then(
        (value) => this.#resume(() => resolve(onFulfilled(value)), reject, onRejected),
        (cause: unknown) => this.#resume(() => reject(onRejected(cause)), reject, onRejected),
      );
    });
    // Before V8 does the same: so nothing runs between the two.
    const resumed = (): void => this.resumed();
    settled.then(resumed, resumed);
    return settled;
  }

  /** No code of it runs from now on. */
  suspended(): void {
    this.#bounds.onSuspend?.();
  }

  /** Code of it runs from now on. */
  resumed(): void {
    if (!this.#isClosed) this.#bounds.onResume?.();
  }

  #resume(
    settle: () => void,
    reject: (error: Error) => void,
    toError: (cause: unknown) => Error,
  ): void {
    if (this.#isClosed) return;
    this.#unwinds.delete(reject);
    // What is handed over may be put into memory that the guest's code gives.
    this.resumed();
    try {
      settle();
    } catch (cause) {
      reject(toError(cause));
    }
  }

  /** Ends the guest: its suspended stacks are unwound, and its host resources are dropped (G3). */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    for (const unwind of this.#unwinds) unwind(uncatchableTrap());
    this.#unwinds.clear();
    for (const instance of this.#componentInstances) instance.dropHostResources();
  }
}
