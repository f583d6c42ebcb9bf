// What `canon lift async` with a callback is: the guest's function starts a task, and its callback
// goes on with it, until the guest says exit.
//
// C1. A call ends when its task exits, not when it returns: an instance runs one call at a time.
// C2. A guest that exits without having yielded or waited costs no promise.
// C3. A guest that yields lets the thread's other work run before it goes on.

import { Task } from "./task.ts";
import type { AsyncSignature } from "./task.ts";
import type {
  CoreFunction,
  CoreValue,
  GuestContext,
  SyncCoreFunction,
} from "../canonical/guest-context.ts";
import { FLAT_PARAMS_MAX } from "../canonical/layout.ts";
import { guarded, requireMayLeave } from "../canonical/leave.ts";
import { compileSequence } from "../canonical/signature.ts";
import type { StringEncoding } from "../canonical/strings.ts";
import { trap } from "../canonical/trap.ts";
import type { ComponentValue, FuncType, ValueType } from "../component/types.ts";
import { NO_EVENT, WaitableSet, requireAlive } from "./waitable-set.ts";
import type { GuestEvent } from "./waitable-set.ts";

/** In the lower four bits of what the guest answers; above them is the index of a waitable set. */
const CALLBACK_CODES = { exit: 0, yield: 1, wait: 2 } as const;

export interface AsyncCoreExport {
  readonly cx: GuestContext;
  readonly core: CoreFunction;
  readonly callback: CoreFunction;
}

export interface AsyncLiftedExport {
  /** Starts a task. The result, or a promise of it where the guest does not exit at once. */
  readonly call: (export_: AsyncCoreExport, args: readonly ComponentValue[]) => ComponentValue;
}

export function compileAsyncExport(
  type: FuncType,
  options: { readonly stringEncoding: StringEncoding },
): AsyncLiftedExport {
  const params = compileSequence(
    type.params.map((param) => param.type),
    options.stringEncoding,
    FLAT_PARAMS_MAX,
  );
  const signature: AsyncSignature = {
    resultKey: resultKey(type.result),
    stringEncoding: options.stringEncoding,
  };
  return {
    call: (export_, args) => {
      const { cx, core } = export_;
      const { instance } = cx;
      instance.enter(undefined);
      if (instance.backpressure > 0) trap("the guest takes no calls (backpressure)");
      const task = new Task(instance, signature, cx);
      const packed = core(...params.lower(cx, args));
      if (!(packed instanceof Promise)) return goOn(export_, task, packed);
      return packed.then((settled) => goOn(export_, task, settled));
    },
  };
}

function exit(task: Task): ComponentValue {
  const result = task.exit();
  task.instance.leave(undefined);
  return result;
}

/** Nearly every call exits at once: only others pay for an asynchronous function. */
function goOn(export_: AsyncCoreExport, task: Task, packed: CoreValue | void): ComponentValue {
  return packed === CALLBACK_CODES.exit ? exit(task) : runToExit(export_, task, packed);
}

async function runToExit(
  export_: AsyncCoreExport,
  task: Task,
  started: CoreValue | void,
): Promise<ComponentValue> {
  const { guest, handles } = task.instance;
  let packed = Number(started) >>> 0;
  for (;;) {
    await requireAlive(guest);
    const code = packed & 0xf;
    if (code === CALLBACK_CODES.exit) return exit(task);
    let event: GuestEvent = NO_EVENT;
    if (code === CALLBACK_CODES.yield) {
      const turn = guest.meter.yielded();
      guest.suspended();
      await turn;
      await requireAlive(guest);
    } else if (code === CALLBACK_CODES.wait) {
      guest.suspended();
      event = await requireWaitableSet(handles.get(packed >>> 4)).wait(guest);
    } else {
      trap(`the guest answered with the unknown callback code ${code}`);
    }
    guest.resumed();
    packed = Number(await export_.callback(event.code, event.index, event.payload)) >>> 0;
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
  options: { readonly stringEncoding: StringEncoding },
): (cx: GuestContext) => SyncCoreFunction {
  const { stringEncoding } = options;
  const values = compileSequence(result === null ? [] : [result], stringEncoding, FLAT_PARAMS_MAX);
  const key = resultKey(result);
  // Nearly always the same one: its key is compared once.
  let checked: AsyncSignature | undefined;
  return (cx) =>
    (...flat: CoreValue[]) =>
      guarded(cx.instance, () => {
        requireMayLeave(cx.instance);
        const task = cx.instance.task;
        const signature = task?.signature ?? trap("task.return outside an asynchronous call");
        if (signature !== checked) {
          if (signature.resultKey !== key) trap("task.return with another type than the call's");
          checked = signature;
        }
        requireSameOptions(task?.cx, cx, signature.stringEncoding === stringEncoding);
        cx.startLifting();
        task?.resolve(values.lift(cx, flat)[0]);
      });
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

function resultKey(type: ValueType | null): string {
  return JSON.stringify(type);
}
