// A call from one component instance to another of the same guest: the caller's `canon lower` of
// what the callee lifted. Values pass through JavaScript, so the two need not share an encoding.
//
// The callee cannot suspend: JSPI does not suspend through the JavaScript frame between the two.
// A suspending import that the callee calls then traps, with WebAssembly's own message.

import type { FuncType } from "../component/types.ts";
import type { CoreFunction, GuestContext } from "./guest-context.ts";
import { FLAT_PARAMS_MAX, FLAT_RESULTS_MAX } from "./layout.ts";
import type { CoreExport, LiftedExport } from "./lift-export.ts";
import { liftArguments } from "./lower-host-function.ts";
import { requireMayLeave } from "./leave.ts";
import { Loans } from "./resources.ts";
import { compileLoweredResult, compileSequence, containsBorrow } from "./signature.ts";
import type { StringEncoding } from "./strings.ts";
import { trap } from "./trap.ts";

export interface AdapterOptions {
  /** The caller's. The callee's is in its lifted export. */
  readonly stringEncoding: StringEncoding;
}

/** Binds to one instance: the caller's context, and the callee's core function. */
export type AdaptedCall = (cx: GuestContext, callee: CoreExport) => CoreFunction;

export function compileAdaptedCall(
  type: FuncType,
  options: AdapterOptions,
  lifted: LiftedExport,
): AdaptedCall {
  const types = type.params.map((param) => param.type);
  const params = compileSequence(types, options.stringEncoding, FLAT_PARAMS_MAX);
  const result = compileLoweredResult(type.result, options.stringEncoding, FLAT_RESULTS_MAX);
  const lends = types.some(containsBorrow);
  return (cx, callee) =>
    (...flat) => {
      try {
        requireMayLeave(cx.instance);
        const loans = lends ? new Loans() : undefined;
        const args = liftArguments(cx, params.lift, flat, loans);
        const returned = lifted.call(callee, args, cx.instance);
        if (returned instanceof Promise) trap("a call between components cannot suspend");
        loans?.giveBack();
        return result.lower(cx, returned, flat[params.coreLength]);
      } catch (cause) {
        throw cx.instance.guest.fail(cause);
      }
    };
}
