import type { ComponentInstance } from "../canonical/component-instance.ts";
import type { GuestContext } from "../canonical/guest-context.ts";
import type { StringEncoding } from "../canonical/strings.ts";
import { trap } from "../canonical/trap.ts";
import type { ComponentValue, TypeNumber } from "../component/types.ts";
import type { Blocked } from "./scheduler.ts";

/** What `task.return` is checked against: a guest may only return what the running call promises. */
export interface AsyncSignature {
  readonly resultNumber: TypeNumber;
  readonly stringEncoding: StringEncoding;
}

/** How an asynchronous call ends for its caller. */
export type Resolution =
  | { readonly kind: "returned"; readonly value: ComponentValue }
  | { readonly kind: "cancelled" };

/** What a task of an async function type has, and one of a synchronous one has not. */
export interface AsyncCall {
  /** Undefined where the function is lifted synchronously: what it returns is its result. */
  readonly signature: AsyncSignature | undefined;
  readonly cx: GuestContext;
  /** Whether no other call of that kind may run between its stretches: all but those with a stack and no callback. */
  readonly isExclusive: boolean;
  readonly caller: { onResolve(resolution: Resolution): void };
}

type TaskState = "initial" | "started" | "cancel-pending" | "cancel-delivered" | "resolved";

// One call into a component instance, from entering it to its exit.
//
// A1. An asynchronous task resolves exactly once, before it exits: it returns, or says that it is cancelled.
// A2. A task ends with no borrowed handle left.
// A3. Only an asynchronous task can block. What blocks ends its stretch: its caller goes on, and others may enter.
// A4. The host never asks a task to cancel: an abandoned call ends its whole instance. Another component may; a task
//     learns of it once, where it says that it wants to.
export class Task {
  readonly instance: ComponentInstance;
  readonly #call: AsyncCall | undefined;
  borrowCount = 0;
  context0 = 0;
  context1 = 0;
  #state: TaskState = "initial";
  #blocked: Blocked | undefined;
  #isRunning = false;
  /** Of the stretch that runs. */
  #caller: ComponentInstance | undefined;
  #outer: Task | undefined;
  /** Whoever waits for its end. */
  #stretchEnd: PromiseWithResolvers<void> | undefined;

  constructor(instance: ComponentInstance, call?: AsyncCall) {
    this.instance = instance;
    this.#call = call;
  }

  get signature(): AsyncSignature | undefined {
    return this.#call?.signature;
  }

  /** The context of an asynchronous call: `task.return` must name the same memory. */
  get cx(): GuestContext | undefined {
    return this.#call?.cx;
  }

  get isExclusive(): boolean {
    return this.#call?.isExclusive === true;
  }

  get isRunning(): boolean {
    return this.#isRunning;
  }

  get canBlock(): boolean {
    return this.#call !== undefined;
  }

  // Stretches.

  /** Enters the instance from `caller` (undefined for the host), and becomes its current task. */
  begin(caller: ComponentInstance | undefined): void {
    const { instance } = this;
    instance.enter(caller);
    this.#caller = caller;
    this.#outer = instance.task;
    instance.task = this;
    this.#isRunning = true;
    instance.guest.scheduler.stretchBegins();
  }

  #endStretch(): void {
    const { instance } = this;
    instance.task = this.#outer;
    this.#outer = undefined;
    instance.leave(this.#caller);
    this.#caller = undefined;
    this.#isRunning = false;
    const end = this.#stretchEnd;
    this.#stretchEnd = undefined;
    instance.guest.scheduler.stretchEnds();
    end?.resolve();
  }

  /** Settles when the stretch that runs has ended. */
  stretchEnded(): Promise<void> {
    this.#stretchEnd = Promise.withResolvers();
    return this.#stretchEnd.promise;
  }

  /** The stretch failed: the call in which it runs fails with it, or the call of the host. */
  fail(error: unknown): void {
    const end = this.#stretchEnd;
    this.#stretchEnd = undefined;
    if (end === undefined) this.instance.guest.scheduler.failed(error);
    else end.reject(error);
  }

  /** Ends the stretch. Whoever makes it ready wakes what this gives. */
  block(waiting: Omit<Blocked, "task">): Blocked {
    if (!this.canBlock) trap("the guest waits in a synchronous call, which has to return first");
    const blocked = { task: this, ...waiting };
    this.#blocked = blocked;
    this.#endStretch();
    return blocked;
  }

  goOn(blocked: Blocked, caller: ComponentInstance | undefined, isCancelled: boolean): void {
    this.#unblock();
    this.begin(caller);
    // Only what has a stack of its own, or gets one, goes on.
    this.instance.guest.meter.canWait = true;
    blocked.goOn(isCancelled);
  }

  /** Not any more, where it went on in the meantime. */
  isBlockedAs(blocked: Blocked): boolean {
    return this.#blocked === blocked;
  }

  #unblock(): void {
    const blocked = this.#blocked;
    this.#blocked = undefined;
    if (blocked === undefined) return;
    this.instance.guest.scheduler.forget(blocked);
    this.instance.entrance.forget(blocked);
  }

  // Its life.

  start(): void {
    this.#state = "started";
  }

  requireNoBorrows(): void {
    if (this.borrowCount > 0) trap("a call returned with borrowed handles that it had not dropped");
  }

  resolve(value: ComponentValue): void {
    if (this.#state === "resolved") trap("task.return was called twice for one call");
    this.#resolve({ kind: "returned", value });
  }

  /** Says to its caller that it gave up. */
  cancel(): void {
    if (this.#state !== "cancel-delivered") trap("task.cancel in a call that nobody cancelled");
    this.#resolve({ kind: "cancelled" });
  }

  #resolve(resolution: Resolution): void {
    this.requireNoBorrows();
    this.#call?.caller.onResolve(resolution);
    this.#state = "resolved";
  }

  /**
   * Its caller does not want its result any more: it learns of it now, or where it next can. Whether it
   * went on for that, in a stretch that may not be over.
   */
  requestCancellation(caller: ComponentInstance): boolean {
    const blocked = this.#blocked;
    if (this.#state === "initial") {
      // It waits to be let in: no code of it has run.
      this.#state = "cancel-delivered";
      this.#unblock();
      blocked?.goOn(true);
      return false;
    }
    if (blocked?.isCancellable === true && this.#mayGoOnFrom(caller)) {
      this.#state = "cancel-delivered";
      this.goOn(blocked, caller, true);
      return true;
    }
    this.#state = "cancel-pending";
    return false;
  }

  #mayGoOnFrom(caller: ComponentInstance): boolean {
    const { entrance } = this.instance;
    return (
      !(this.isExclusive && entrance.isHeldByAnother(this)) && this.instance.mayEnterFrom(caller)
    );
  }

  /** Whether it learns now that it is cancelled. */
  takeCancellation(isCancellable: boolean): boolean {
    if (!isCancellable || this.#state !== "cancel-pending") return false;
    this.#state = "cancel-delivered";
    return true;
  }

  /** It is over: nothing is missing that it had to do. */
  requireEnd(): void {
    if (this.#call !== undefined && this.#state !== "resolved") {
      trap("a call ended without task.return", { reason: "never-returned" });
    }
    this.requireNoBorrows();
  }

  /** Its last stretch ends. */
  exit(): void {
    this.#endStretch();
  }
}
