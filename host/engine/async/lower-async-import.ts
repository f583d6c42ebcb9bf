// What `canon lower async` of a host function is: the guest gets a subtask where the host returns a
// promise, and goes on. Where the host answers at once, there is no subtask.

import type { CoreValue, GuestContext, SyncCoreFunction } from "../canonical/guest-context.ts";
import { FLAT_ASYNC_PARAMS_MAX } from "../canonical/layout.ts";
import { callHost, liftArguments } from "../canonical/lower-host-function.ts";
import type { HostFunction } from "../canonical/lower-host-function.ts";
import { requireMayLeave } from "../canonical/leave.ts";
import { Loans } from "../canonical/resources.ts";
import { compileLoweredResult, compileSequence } from "../canonical/signature.ts";
import type { LoweredResult } from "../canonical/signature.ts";
import type { StringEncoding } from "../canonical/strings.ts";
import { trap } from "../canonical/trap.ts";
import { containsBorrow } from "../component/type-parts.ts";
import type { ComponentValue, FuncType } from "../component/types.ts";
import { SUBTASK_STATES, Subtask } from "./subtask.ts";

export type AsyncLoweredImport = (
  cx: GuestContext,
  host: HostFunction,
  receiver: unknown,
) => SyncCoreFunction;

export function compileAsyncLoweredImport(
  type: FuncType,
  options: { readonly stringEncoding: StringEncoding },
): AsyncLoweredImport {
  const types = type.params.map((param) => param.type);
  const params = compileSequence(types, options.stringEncoding, FLAT_ASYNC_PARAMS_MAX);
  const result = compileLoweredResult(type.result, options.stringEncoding, 0);
  const lends = types.some(containsBorrow);
  return (cx, host, receiver) =>
    (...flat) => {
      const { guest } = cx.instance;
      try {
        requireMayLeave(cx.instance);
        if (guest.subtasksUnderWay >= guest.limits.subtasksMax) {
          trap(`more than ${guest.limits.subtasksMax} asynchronous imports under way`);
        }
        const loans = lends ? new Loans() : undefined;
        const args = liftArguments(cx, params.lift, flat, loans);
        const returned = callHost(cx, host, receiver, args);
        const address = flat[params.coreLength];
        if (returned instanceof Promise) return startSubtask(cx, returned, result, address, loans);
        loans?.giveBack();
        result.lower(cx, returned, address);
        return SUBTASK_STATES.returned;
      } catch (cause) {
        throw guest.fail(cause);
      }
    };
}

function startSubtask(
  cx: GuestContext,
  pending: Promise<ComponentValue>,
  result: LoweredResult,
  address: CoreValue | undefined,
  loans: Loans | undefined,
): number {
  const { guest } = cx.instance;
  const subtask = new Subtask(loans);
  const index = cx.instance.handles.add(subtask);
  guest.subtasksUnderWay += 1;
  const settle = async (): Promise<void> => {
    try {
      const value = await pending;
      if (guest.isClosed || guest.failure !== undefined || !subtask.isUnderWay) return;
      // It may be put into memory that the guest's code gives.
      guest.resumed();
      result.lower(cx, value, address);
      subtask.resolve(index);
    } catch (cause) {
      if (!subtask.isUnderWay) return;
      // There is no guest frame to throw into: the call that waits, or ends, finds the failure.
      guest.fail(cause);
      subtask.wake();
    } finally {
      guest.suspended();
      // Not before its result lies in the memory that it was called from.
      guest.subtasksUnderWay -= 1;
    }
  };
  void settle();
  return SUBTASK_STATES.started | (index << 4);
}
