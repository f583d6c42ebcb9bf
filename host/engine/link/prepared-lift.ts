import { compileAsyncExport } from "../async/lift-async-export.ts";
import type { AsyncCoreExport, AsyncLiftedExport, CallEnd } from "../async/lift-async-export.ts";
import type { CoreFunction } from "../canonical/guest-context.ts";
import { compileLiftedExport } from "../canonical/lift-export.ts";
import type { CoreExport, LiftedExport } from "../canonical/lift-export.ts";
import type { CoreExportReference, LiftPlan } from "../component/plan.ts";
import type { ComponentValue } from "../component/types.ts";
import type { Linking } from "./linking.ts";

/** A call of one instance's export. Throws nothing. */
export type ExportedFunction = (args: readonly ComponentValue[], end: CallEnd) => void;

/** An exported function of the plan, compiled at most once, and bound for each instance that calls it. */
export type PreparedLift = PreparedSyncLift | PreparedAsyncLift;

interface PreparedBase {
  readonly plan: LiftPlan;
  /** For the host. Its calls have a stack of their own, on which they can wait. */
  readonly bind: (linking: Linking) => ExportedFunction;
}

export interface PreparedSyncLift extends PreparedBase {
  readonly kind: "sync";
  /** Compiled when it is first asked for. */
  readonly exported: () => LiftedExport;
  /** For another component; `canSuspend`: on a stack of its own. */
  readonly bindCore: (linking: Linking, canSuspend: boolean) => CoreExport;
}

/** Of a function of an async type. */
export interface PreparedAsyncLift extends PreparedBase {
  readonly kind: "async";
  readonly exported: () => AsyncLiftedExport;
  readonly bindCore: (linking: Linking) => AsyncCoreExport;
}

export function prepareLift(plan: LiftPlan): PreparedLift {
  return plan.type.async ? prepareAsyncLift(plan) : prepareSyncLift(plan);
}

function prepareAsyncLift(plan: LiftPlan): PreparedAsyncLift {
  const { callback } = plan;
  let compiled: AsyncLiftedExport | undefined;
  const exported = (): AsyncLiftedExport => (compiled ??= compileAsyncExport(plan.type, plan));
  const bindCore = (linking: Linking): AsyncCoreExport => ({
    cx: linking.context(plan.context),
    core: onStack(linking, plan.coreFunc, true),
    callback: callback === null ? undefined : onStack(linking, callback, true),
    postReturn: linking.optionalCoreFunction(plan.postReturn),
  });
  return {
    kind: "async",
    plan,
    exported,
    bindCore,
    bind: (linking) => {
      const coreExport = bindCore(linking);
      return (args, end) => exported().callFromHost(coreExport, args, end);
    },
  };
}

function prepareSyncLift(plan: LiftPlan): PreparedSyncLift {
  let compiled: LiftedExport | undefined;
  const exported = (): LiftedExport => (compiled ??= compileLiftedExport(plan.type, plan));
  const bindCore = (linking: Linking, canSuspend: boolean): CoreExport => ({
    cx: linking.context(plan.context),
    core: onStack(linking, plan.coreFunc, canSuspend),
    postReturn: linking.optionalCoreFunction(plan.postReturn),
  });
  return {
    kind: "sync",
    plan,
    exported,
    bindCore,
    bind: (linking) => {
      const coreExport = bindCore(linking, true);
      return (args, end) => {
        let returned: ComponentValue;
        try {
          returned = exported().call(coreExport, args);
        } catch (error) {
          end.failed(error);
          return;
        }
        if (returned instanceof Promise) {
          returned.then(
            (value) => end.returned(value),
            (error: unknown) => end.failed(error),
          );
        } else {
          end.returned(returned);
        }
      };
    },
  };
}

/** With a stack of its own it can be put aside, also when it only computes for long. */
function onStack(
  linking: Linking,
  reference: CoreExportReference,
  canSuspend: boolean,
): CoreFunction {
  const core = linking.coreFunction(reference);
  const { meter } = linking.guest;
  if (!canSuspend) return (...flat) => meter.directly(() => core(...flat));
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- It takes and gives what `core` does.
  const promising = WebAssembly.promising(core) as CoreFunction;
  return (...flat) => {
    meter.canWait = true;
    return promising(...flat);
  };
}
