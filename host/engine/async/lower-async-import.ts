// What `canon lower async` of a host function is: the guest gets a subtask where the host returns a
// promise, and goes on. Where the host answers at once, there is no subtask.

import type { GuestContext, SyncCoreFunction } from "../canonical/guest-context.ts";
import { FLAT_ASYNC_PARAMS_MAX } from "../canonical/layout.ts";
import { callHost, liftArguments } from "../canonical/lower-host-function.ts";
import type { HostFunction } from "../canonical/lower-host-function.ts";
import { requireMayLeave } from "../canonical/leave.ts";
import { Loans } from "../canonical/resources.ts";
import { compileLoweredResult, compileSequence } from "../canonical/signature.ts";
import type { StringEncoding } from "../canonical/strings.ts";
import { containsBorrow } from "../component/type-parts.ts";
import type { ComponentValue, FuncType } from "../component/types.ts";
import { SUBTASK_STATES, Subtask, requireFewSubtasks } from "./subtask.ts";

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
        requireFewSubtasks(guest);
        const subtask = new Subtask(lends ? new Loans() : undefined);
        const args = liftArguments(cx, params.lift, flat, subtask.loans);
        subtask.start();
        const returned = callHost(cx, host, receiver, args);
        const address = flat[params.coreLength];
        if (returned instanceof Promise) {
          settleLater(cx, subtask, returned, (value) => result.lower(cx, value, address));
          return subtask.handOver(cx.instance);
        }
        subtask.deliverEnd();
        result.lower(cx, returned, address);
        return SUBTASK_STATES.returned;
      } catch (cause) {
        throw guest.fail(cause);
      }
    };
}

function settleLater(
  { instance }: GuestContext,
  subtask: Subtask,
  pending: Promise<ComponentValue>,
  lower: (value: ComponentValue) => void,
): void {
  const { guest } = instance;
  guest.subtasksUnderWay += 1;
  guest.scheduler.expect(pending, (settled) => {
    // Not before its result lies in the memory that it was called from.
    guest.subtasksUnderWay -= 1;
    if (subtask.isResolved) return;
    if (settled.status === "rejected") throw settled.reason;
    lower(settled.value);
    subtask.return();
  });
}
