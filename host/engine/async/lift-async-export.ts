// What `canon lift` of a function of an async type is. With a callback, the guest's function starts a task, and its
// callback goes on with it, until the guest says exit; with neither callback nor the option async, it runs to its end
// on its stack, and what it returns is the result.
//
// C1. A call of the host ends when its task exits, not when it returns: an instance runs one call at a time.
// C2. A guest that yields lets the thread's other work run before it goes on.
// C3. A call that finds another in the instance waits for it, before anything of it runs (`Entrance`).

import { Task } from "./task.ts";
import type { AsyncSignature, Resolution } from "./task.ts";
import type { ComponentInstance } from "../canonical/component-instance.ts";
import type {
  CoreFunction,
  CoreResult,
  CoreValue,
  GuestContext,
  SyncCoreFunction,
} from "../canonical/guest-context.ts";
import { FLAT_PARAMS_MAX } from "../canonical/layout.ts";
import { requireMayLeave } from "../canonical/leave.ts";
import { compileLiftedResult, compileSequence } from "../canonical/signature.ts";
import type { LiftedResult, Sequence } from "../canonical/signature.ts";
import type { StringEncoding } from "../canonical/strings.ts";
import { trap } from "../canonical/trap.ts";
import type { ComponentValue, FuncType, TypeNumber, ValueType } from "../component/types.ts";
import type { Blocked, Scheduler } from "./scheduler.ts";
import { NO_EVENT, TASK_CANCELLED, WaitableSet } from "./waitable-set.ts";
import type { GuestEvent } from "./waitable-set.ts";

/** In the lower four bits of what the guest answers; above them is the index of a waitable set. */
const CALLBACK_CODES = { exit: 0, yield: 1, wait: 2 } as const;

export interface AsyncCoreExport {
  readonly cx: GuestContext;
  readonly core: CoreFunction;
  /** Of one that is lifted with it. */
  readonly callback: CoreFunction | undefined;
  /** Of one that is lifted synchronously. */
  readonly postReturn: SyncCoreFunction | undefined;
}

export interface AsyncLiftOptions {
  readonly stringEncoding: StringEncoding;
  /** Whether it is lifted with the option async, and says by `task.return` what it returns. */
  readonly async: boolean;
  readonly resultNumber: TypeNumber;
}

/** Who calls, and what it wants to know. */
export interface AsyncCaller {
  /** Undefined for the host. */
  readonly instance: ComponentInstance | undefined;
  /** Asked for the arguments when the call begins, which may be later. */
  onStart(): readonly ComponentValue[];
  onResolve(resolution: Resolution): void;
  /** Before its last stretch ends. */
  onExit(): void;
}

/** Who is told how a call of the host ends: one of the two, once, before the call returns or later. */
export interface CallEnd {
  returned(value: ComponentValue): void;
  failed(error: unknown): void;
}

export interface AsyncLiftedExport {
  /** Starts a call, and runs its first stretch: `task.isRunning` while that is not over. */
  readonly start: (export_: AsyncCoreExport, caller: AsyncCaller) => Task;
  /** Throws nothing. */
  readonly callFromHost: (
    export_: AsyncCoreExport,
    args: readonly ComponentValue[],
    end: CallEnd,
  ) => void;
}

export function compileAsyncExport(type: FuncType, options: AsyncLiftOptions): AsyncLiftedExport {
  const { stringEncoding, resultNumber } = options;
  const types = type.params.map((param) => param.type);
  const lift: CompiledLift = {
    params: compileSequence(types, stringEncoding, FLAT_PARAMS_MAX),
    result: options.async ? undefined : compileLiftedResult(type.result, stringEncoding),
    signature: options.async ? { resultNumber, stringEncoding } : undefined,
  };
  const start = (export_: AsyncCoreExport, caller: AsyncCaller): Task =>
    new LiftedCall(lift, export_, caller).start();
  return {
    start,
    callFromHost: (export_, args, end) => {
      const { scheduler } = export_.cx.instance.guest;
      const caller = new HostCaller(scheduler, args, end);
      scheduler.open(caller);
      try {
        start(export_, caller);
      } catch (error) {
        scheduler.failed(error);
      }
    },
  };
}

/** A class, as calls are: a call of the host makes no closures that its end would not need. */
class HostCaller implements AsyncCaller {
  readonly instance = undefined;
  readonly #scheduler: Scheduler;
  readonly #args: readonly ComponentValue[];
  readonly #end: CallEnd;
  #result: ComponentValue;

  constructor(scheduler: Scheduler, args: readonly ComponentValue[], end: CallEnd) {
    this.#scheduler = scheduler;
    this.#args = args;
    this.#end = end;
  }

  onStart(): readonly ComponentValue[] {
    return this.#args;
  }

  onResolve(resolution: Resolution): void {
    if (resolution.kind === "returned") this.#result = resolution.value;
  }

  onExit(): void {
    this.#scheduler.close();
    this.#end.returned(this.#result);
  }

  /** Code of the guest may be below: it ends before anybody hears of it. */
  failed(cause: unknown): void {
    queueMicrotask(() => this.#end.failed(cause));
  }
}

interface CompiledLift {
  readonly params: Sequence;
  /** Of one that is lifted synchronously. */
  readonly result: LiftedResult | undefined;
  /** Of one that is not. */
  readonly signature: AsyncSignature | undefined;
}

class LiftedCall {
  readonly #lift: CompiledLift;
  readonly #export: AsyncCoreExport;
  readonly #caller: AsyncCaller;
  readonly #instance: ComponentInstance;
  readonly #task: Task;

  constructor(lift: CompiledLift, export_: AsyncCoreExport, caller: AsyncCaller) {
    const { cx, callback } = export_;
    this.#lift = lift;
    this.#export = export_;
    this.#caller = caller;
    this.#instance = cx.instance;
    this.#task = new Task(cx.instance, {
      signature: lift.signature,
      cx,
      isExclusive: callback !== undefined || lift.signature === undefined,
      caller,
    });
  }

  start(): Task {
    const { entrance } = this.#instance;
    const task = this.#task;
    task.begin(this.#caller.instance);
    if (entrance.isAwaited || !entrance.mayBegin(task)) this.#awaitBegin();
    else this.#begin();
    return task;
  }

  #awaitBegin(): void {
    const { entrance } = this.#instance;
    const task = this.#task;
    const blocked = task.block({
      isReady: () => entrance.mayBegin(task),
      isCancellable: true,
      goOn: (isCancelled) => {
        if (!isCancelled) this.#later(() => this.#begin());
        entrance.endAwaitBegin();
        if (!isCancelled) return;
        task.cancel();
        this.#caller.onExit();
      },
    });
    entrance.awaitBegin(blocked);
  }

  #begin(): void {
    const { cx, core, callback } = this.#export;
    this.#instance.entrance.hold(this.#task);
    this.#task.start();
    const returned = core(...this.#lift.params.lower(cx, this.#caller.onStart()));
    this.#whenReturned(returned, (value) => {
      if (this.#lift.result !== undefined) this.#finish(this.#lift.result, value);
      else if (callback === undefined) this.#exit();
      else this.#goOn(callback, value);
    });
  }

  #whenReturned(returned: CoreResult, goOn: (value: CoreValue | void) => void): void {
    if (!(returned instanceof Promise)) {
      goOn(returned);
      return;
    }
    const { guest } = this.#instance;
    const settled = (value: CoreValue | void): void => {
      if (guest.isClosed || guest.failure !== undefined) return;
      // Its caller, which waits for this stretch, was put aside.
      guest.resumed();
      this.#later(() => goOn(value));
    };
    returned.then(settled, (error: unknown) => this.#task.fail(error));
  }

  /** What fails has nobody to throw to. */
  #later(goOn: () => void): void {
    try {
      goOn();
    } catch (error) {
      this.#task.fail(error);
    }
  }

  #finish(result: LiftedResult, returned: CoreValue | void): void {
    const { cx, postReturn } = this.#export;
    const instance = this.#instance;
    cx.startLifting();
    this.#task.resolve(result.lift(cx, returned));
    if (postReturn !== undefined) {
      instance.mayLeave = false;
      instance.guest.meter.directly(() =>
        returned === undefined ? postReturn() : postReturn(returned),
      );
      instance.mayLeave = true;
    }
    this.#exit();
  }

  #exit(): void {
    this.#task.requireEnd();
    this.#caller.onExit();
    this.#task.exit();
    this.#instance.entrance.release(this.#task);
  }

  #goOn(callback: CoreFunction, answered: CoreValue | void): void {
    const packed = Number(answered) >>> 0;
    const code = packed & 0xf;
    if (code === CALLBACK_CODES.exit) this.#exit();
    else if (code === CALLBACK_CODES.yield) this.#yield(callback);
    else if (code === CALLBACK_CODES.wait) {
      this.#wait(callback, requireWaitableSet(this.#instance.handles.get(packed >>> 4)));
    } else trap(`the guest answered with the unknown callback code ${code}`);
  }

  #yield(callback: CoreFunction): void {
    if (this.#isCancelled(callback)) return;
    const { guest } = this.#instance;
    let hasTurn = false;
    const blocked = this.#block(
      () => hasTurn,
      (isCancelled) => this.#callBack(callback, isCancelled ? TASK_CANCELLED : NO_EVENT),
    );
    guest.scheduler.expect(guest.meter.yielded(), () => {
      hasTurn = true;
      guest.scheduler.wake(blocked);
    });
  }

  #wait(callback: CoreFunction, set: WaitableSet): void {
    if (this.#isCancelled(callback)) return;
    const blocked = this.#block(
      () => set.hasPendingEvent,
      (isCancelled) => {
        set.stopWaiting(blocked);
        this.#callBack(callback, set.takeFor(isCancelled));
      },
      () => set.passOn(),
    );
    set.startWaiting(blocked);
    if (set.hasPendingEvent) this.#instance.guest.scheduler.wake(blocked);
  }

  /** What it was asked before, it learns now, and goes on at once. */
  #isCancelled(callback: CoreFunction): boolean {
    if (!this.#task.takeCancellation(true)) return false;
    this.#callBack(callback, TASK_CANCELLED);
    return true;
  }

  /** Until it is ready, and no other call is in the instance. */
  #block(
    isReady: () => boolean,
    goOn: (isCancelled: boolean) => void,
    passOn?: () => void,
  ): Blocked {
    const { entrance } = this.#instance;
    const task = this.#task;
    const blocked = task.block({
      isReady: () => isReady() && entrance.isFree,
      isCancellable: true,
      passOn,
      goOn: (isCancelled) => {
        entrance.hold(task);
        goOn(isCancelled);
      },
    });
    entrance.await(blocked);
    entrance.release(task);
    return blocked;
  }

  #callBack(callback: CoreFunction, event: GuestEvent): void {
    this.#later(() => {
      const returned = callback(event.code, event.index, event.payload);
      this.#whenReturned(returned, (answered) => this.#goOn(callback, answered));
    });
  }
}

export function requireWaitableSet(entry: object): WaitableSet {
  return entry instanceof WaitableSet
    ? entry
    : trap("a handle of another kind, not a waitable set");
}

/** `canon task.return`, compiled once for each plan. Binds to the context of its own options. */
export function compileTaskReturn(
  result: ValueType | null,
  options: { readonly stringEncoding: StringEncoding; readonly resultNumber: TypeNumber },
): (cx: GuestContext) => SyncCoreFunction {
  const { stringEncoding, resultNumber } = options;
  const values = compileSequence(result === null ? [] : [result], stringEncoding, FLAT_PARAMS_MAX);
  return (cx) =>
    (...flat: CoreValue[]) => {
      const { instance } = cx;
      try {
        requireMayLeave(instance);
        const { task } = instance;
        const signature = task?.signature ?? trap("task.return outside an asynchronous call");
        if (signature.resultNumber !== resultNumber) {
          trap("task.return with another type than the call's");
        }
        requireSameOptions(task?.cx, cx, signature.stringEncoding === stringEncoding);
        cx.startLifting();
        task?.resolve(values.lift(cx, flat)[0]);
      } catch (cause) {
        throw instance.guest.fail(cause);
      }
    };
}

/** Toolchains leave the memory out where the values need none: then there is nothing to differ. */
function requireSameOptions(
  lifted: GuestContext | undefined,
  returned: GuestContext,
  isSameEncoding: boolean,
): void {
  if (lifted?.hasMemory !== true || !returned.hasMemory) return;
  if (lifted.memory !== returned.memory || !isSameEncoding) {
    trap("task.return with another memory or string encoding than the call's");
  }
}
