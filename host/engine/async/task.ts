import type { ComponentInstance } from "../canonical/component-instance.ts";
import type { GuestContext } from "../canonical/guest-context.ts";
import type { StringEncoding } from "../canonical/strings.ts";
import { trap } from "../canonical/trap.ts";
import type { ComponentValue } from "../component/types.ts";

/** What `task.return` is checked against: a guest may only return what the running call promises. */
export interface AsyncSignature {
  /** Equal for structurally equal result types. */
  readonly resultKey: string;
  readonly stringEncoding: StringEncoding;
}

// One call into a component instance, from entering it to its exit.
//
// A1. An asynchronous task returns exactly once, before it exits; the value waits here for the exit.
// A2. A task ends with no borrowed handle left.
// A3. The host never asks a task to cancel: an abandoned call ends its whole instance. So
//     `task.cancel` always traps, as the specification says of a task that nobody cancelled.
export class Task {
  readonly instance: ComponentInstance;
  /** Undefined for a synchronous call. */
  readonly signature: AsyncSignature | undefined;
  /** The context of an asynchronous call: `task.return` must name the same memory. */
  readonly cx: GuestContext | undefined;
  borrowCount = 0;
  context0 = 0;
  context1 = 0;
  #hasReturned = false;
  #result: ComponentValue;
  readonly #outer: Task | undefined;

  /** Becomes the instance's current task. */
  constructor(instance: ComponentInstance, signature?: AsyncSignature, cx?: GuestContext) {
    this.instance = instance;
    this.signature = signature;
    this.cx = cx;
    this.#outer = instance.task;
    instance.task = this;
  }

  requireNoBorrows(): void {
    if (this.borrowCount > 0) trap("a call returned with borrowed handles that it had not dropped");
  }

  resolve(result: ComponentValue): void {
    if (this.#hasReturned) trap("task.return was called twice for one call");
    this.requireNoBorrows();
    this.#hasReturned = true;
    this.#result = result;
  }

  /** Gives the current task back to the call outside, if there is one. */
  end(): void {
    this.requireNoBorrows();
    this.instance.task = this.#outer;
  }

  /** The end of an asynchronous task, with what it returned. */
  exit(): ComponentValue {
    if (!this.#hasReturned) {
      trap("a call ended without task.return", { reason: "never-returned" });
    }
    this.end();
    return this.#result;
  }
}
