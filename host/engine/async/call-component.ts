// What `canon lower` of a function is that another component of the same guest lifts, and whose type is async. Values
// pass through JavaScript, so the two need share neither memory nor encoding.
//
// D1. The callee's first stretch runs within the caller's. Lowered asynchronously, the caller goes on after it, with a
//     subtask where the call has not returned; lowered synchronously, it blocks until it has.
// D2. What the callee returns is lowered when it returns, whatever the caller does then.
// D3. Where that stretch is put aside (its slice of time is over), the caller's is, too.

import type {
  CoreFunction,
  CoreResult,
  CoreValue,
  GuestContext,
} from "../canonical/guest-context.ts";
import { FLAT_ASYNC_PARAMS_MAX, FLAT_PARAMS_MAX, FLAT_RESULTS_MAX } from "../canonical/layout.ts";
import { requireMayLeave } from "../canonical/leave.ts";
import { liftArguments } from "../canonical/lower-host-function.ts";
import { Loans } from "../canonical/resources.ts";
import { compileLoweredResult, compileSequence } from "../canonical/signature.ts";
import type { StringEncoding } from "../canonical/strings.ts";
import { containsBorrow } from "../component/type-parts.ts";
import type { FuncType } from "../component/types.ts";
import type { AsyncCoreExport, AsyncLiftedExport } from "./lift-async-export.ts";
import { SUBTASK_STATES, Subtask, requireFewSubtasks } from "./subtask.ts";
import type { Task } from "./task.ts";
import { requireTask } from "./waitable-set.ts";

export interface ComponentCallOptions {
  readonly stringEncoding: StringEncoding;
  /** Whether the caller lowers it asynchronously. */
  readonly async: boolean;
}

/** What it binds is to be wrapped with `WebAssembly.Suspending`. */
export type LoweredComponentCall = (cx: GuestContext, callee: AsyncCoreExport) => CoreFunction;

export function compileComponentCall(
  type: FuncType,
  options: ComponentCallOptions,
  lifted: AsyncLiftedExport,
): LoweredComponentCall {
  const { stringEncoding } = options;
  const types = type.params.map((param) => param.type);
  const paramsMax = options.async ? FLAT_ASYNC_PARAMS_MAX : FLAT_PARAMS_MAX;
  const resultsMax = options.async ? 0 : FLAT_RESULTS_MAX;
  const params = compileSequence(types, stringEncoding, paramsMax);
  const result = compileLoweredResult(type.result, stringEncoding, resultsMax);
  const lends = types.some(containsBorrow);
  const finish = options.async ? goOn : awaitReturn;
  return (cx, callee) =>
    (...flat) => {
      const { instance } = cx;
      const { guest } = instance;
      try {
        requireMayLeave(instance);
        requireFewSubtasks(guest);
        const subtask = new Subtask(lends ? new Loans() : undefined);
        const call: Call = { cx, subtask, flatResult: undefined };
        guest.subtasksUnderWay += 1;
        const task = lifted.start(callee, {
          instance,
          onStart: () => {
            subtask.start();
            return liftArguments(cx, params.lift, flat, subtask.loans);
          },
          onResolve: (resolution) => {
            if (resolution.kind === "cancelled") {
              subtask.giveUp();
            } else {
              call.flatResult = result.lower(cx, resolution.value, flat[params.coreLength]);
              subtask.return();
            }
          },
          onExit: () => {
            guest.subtasksUnderWay -= 1;
          },
        });
        subtask.callee = task;
        return afterStretch(cx, task, () => finish(call));
      } catch (cause) {
        throw guest.fail(cause);
      }
    };
}

interface Call {
  readonly cx: GuestContext;
  readonly subtask: Subtask;
  flatResult: CoreValue | void;
}

/** Goes on in the stretch of the caller when that of the callee is over, be it at once (D3). */
export function afterStretch(
  { instance: { guest } }: { readonly instance: GuestContext["instance"] },
  callee: Task,
  goOnCaller: () => CoreResult,
): CoreResult {
  if (!callee.isRunning) return goOnCaller();
  return guest.suspend(callee.stretchEnded(), goOnCaller, (cause) => guest.fail(cause));
}

function goOn({ cx, subtask }: Call): number {
  if (!subtask.isResolved) return subtask.handOver(cx.instance);
  subtask.deliverEnd();
  return SUBTASK_STATES.returned;
}

function awaitReturn(call: Call): CoreResult {
  const { cx, subtask } = call;
  if (subtask.isResolved) {
    subtask.deliverEnd();
    return call.flatResult;
  }
  return subtask.awaitEnd(requireTask(cx.instance), () => call.flatResult);
}
