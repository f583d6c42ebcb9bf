// What `canon lower` of a host function is: a core function that lifts the guest's arguments, calls
// the host, and lowers its result. Compiled once for each function of a plan, bound for each instance.
//
// L1. A synchronous host function costs no promise. One that may suspend returns a promise only
//     when it really waits; the linker wraps the core function with `WebAssembly.Suspending`. Where its type is async,
//     an asynchronous call blocks, and others in the guest go on; else nobody there can tell that time passes.
// L2. Whatever the host throws ends the guest (G2): failures that a guest may see are values.
// L3. A promise that settles after the guest was closed changes nothing.

import type { Task } from "../async/task.ts";
import { suspendUntil } from "../async/waitable-set.ts";
import { containsBorrow } from "../component/type-parts.ts";
import type { ComponentValue, FuncType } from "../component/types.ts";
import type { Guest } from "./guest.ts";
import type { CoreFunction, CoreResult, CoreValue, GuestContext } from "./guest-context.ts";
import { FLAT_PARAMS_MAX, FLAT_RESULTS_MAX } from "./layout.ts";
import { requireMayLeave } from "./leave.ts";
import { Loans } from "./resources.ts";
import { compileLoweredResult, compileSequence } from "./signature.ts";
import type { StringEncoding } from "./strings.ts";
import { trap } from "./trap.ts";

export type HostFunction = (...args: never[]) => ComponentValue;

export interface LowerOptions {
  readonly stringEncoding: StringEncoding;
  /** Whether the host function may return a promise. */
  readonly suspends: boolean;
}

/** Binds to one instance; `receiver` is `this` of the host function. */
export type LoweredImport = (
  cx: GuestContext,
  host: HostFunction,
  receiver: unknown,
) => CoreFunction;

export function compileLoweredImport(type: FuncType, options: LowerOptions): LoweredImport {
  const types = type.params.map((param) => param.type);
  const params = compileSequence(types, options.stringEncoding, FLAT_PARAMS_MAX);
  const result = compileLoweredResult(type.result, options.stringEncoding, FLAT_RESULTS_MAX);
  const lends = types.some(containsBorrow);
  const { suspends } = options;
  return (cx, host, receiver) =>
    (...flat) => {
      const { guest } = cx.instance;
      try {
        requireMayLeave(cx.instance);
        const loans = lends ? new Loans() : undefined;
        const args = liftArguments(cx, params.lift, flat, loans);
        const returned = callHost(cx, host, receiver, args);
        const address = flat[params.coreLength];
        if (returned instanceof Promise) {
          if (!suspends) throw new TypeError("a host function that may not suspend gave a promise");
          const finish = (value: ComponentValue): CoreValue | void => {
            loans?.giveBack();
            return result.lower(cx, value, address);
          };
          return settleLater(cx, returned, finish, type.async);
        }
        loans?.giveBack();
        return result.lower(cx, returned, address);
      } catch (cause) {
        throw guest.fail(cause);
      }
    };
}

export function liftArguments(
  cx: GuestContext,
  lift: (cx: GuestContext, flat: readonly CoreValue[]) => ComponentValue[],
  flat: readonly CoreValue[],
  loans: Loans | undefined,
): ComponentValue[] {
  cx.startLifting();
  cx.loans = loans;
  const args = lift(cx, flat);
  cx.loans = undefined;
  return args;
}

/** The types were checked when the component was linked: the host's declaration says the same. */
export function callHost(
  cx: GuestContext,
  host: HostFunction,
  receiver: unknown,
  args: readonly ComponentValue[],
): ComponentValue {
  const { guest } = cx.instance;
  requireOpen(guest);
  const returned: ComponentValue = Reflect.apply(host, receiver, args);
  // A host function may end its own caller, which then must not go on. Nobody waits for what it promised.
  if (returned instanceof Promise && !isOpen(guest)) returned.catch(() => {});
  requireOpen(guest);
  return returned;
}

function isOpen(guest: Guest): boolean {
  return guest.failure === undefined && !guest.isClosed;
}

function requireOpen(guest: Guest): void {
  if (guest.failure !== undefined) throw guest.failure.cause;
  if (guest.isClosed) trap("the guest was ended");
}

function settleLater(
  cx: GuestContext,
  pending: Promise<ComponentValue>,
  finish: (value: ComponentValue) => CoreValue | void,
  isAsync: boolean,
): CoreResult {
  const { guest, task } = cx.instance;
  if (isAsync && task?.canBlock === true) return blockUntilSettled(task, pending, finish);
  return guest.suspend(pending, finish, (cause) => guest.fail(cause));
}

function blockUntilSettled(
  task: Task,
  pending: Promise<ComponentValue>,
  finish: (value: ComponentValue) => CoreValue | void,
): CoreResult {
  const { scheduler } = task.instance.guest;
  let settled: PromiseSettledResult<ComponentValue> | undefined;
  return suspendUntil(task, {
    isReady: () => settled !== undefined,
    isCancellable: false,
    onBlocked: (blocked) => {
      scheduler.expect(pending, (outcome) => {
        settled = outcome;
        scheduler.wake(blocked);
      });
    },
    onGoOn: () => {
      if (settled?.status !== "fulfilled") throw settled?.reason;
      return finish(settled.value);
    },
  });
}
