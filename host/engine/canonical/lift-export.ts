// What `canon lift` of a function of a synchronous type is: a way into the guest. Compiled once for each function of a
// plan; the instance comes with each call.
//
// F1. Results are lifted before post-return runs, which may free them.
// F2. A call that fails leaves the instance entered: nobody can call into it again.

import type { ComponentValue, FuncType } from "../component/types.ts";
import { Task } from "../async/task.ts";
import type { ComponentInstance } from "./component-instance.ts";
import type { CoreFunction, CoreValue, GuestContext, SyncCoreFunction } from "./guest-context.ts";
import { FLAT_PARAMS_MAX } from "./layout.ts";
import { compileLiftedResult, compileSequence } from "./signature.ts";
import type { StringEncoding } from "./strings.ts";

export interface LiftOptions {
  readonly stringEncoding: StringEncoding;
}

/** One core function of one instance, with what its lifting needs. */
export interface CoreExport {
  readonly cx: GuestContext;
  /** A function wrapped by `WebAssembly.promising` makes the call asynchronous. */
  readonly core: CoreFunction;
  readonly postReturn: SyncCoreFunction | undefined;
}

export interface LiftedExport {
  /**
   * Calls into the guest. The result, or a promise of it exactly when `core` gives one. `caller` is the component
   * instance that calls, undefined for the host. Throws what the guest or the lowering throws.
   */
  call(
    export_: CoreExport,
    args: readonly ComponentValue[],
    caller?: ComponentInstance,
  ): ComponentValue;
}

export function compileLiftedExport(type: FuncType, options: LiftOptions): LiftedExport {
  const { stringEncoding } = options;
  const params = compileSequence(
    type.params.map((param) => param.type),
    stringEncoding,
    FLAT_PARAMS_MAX,
  );
  const result = compileLiftedResult(type.result, stringEncoding);
  const finish = (export_: CoreExport, task: Task, returned: CoreValue | void): ComponentValue => {
    const { cx, postReturn } = export_;
    const { instance } = cx;
    cx.startLifting();
    const value = result.lift(cx, returned);
    task.requireEnd();
    if (postReturn !== undefined) {
      instance.mayLeave = false;
      instance.guest.meter.directly(() =>
        returned === undefined ? postReturn() : postReturn(returned),
      );
      instance.mayLeave = true;
    }
    task.exit();
    return value;
  };
  return {
    call: (export_, args, caller) => {
      const { cx, core } = export_;
      const task = new Task(cx.instance);
      task.begin(caller);
      const returned = core(...params.lower(cx, args));
      if (returned instanceof Promise) {
        return returned.then((value) => finish(export_, task, value));
      }
      return finish(export_, task, returned);
    },
  };
}
