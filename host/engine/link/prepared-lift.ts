import { compileAsyncExport } from "../async/lift-async-export.ts";
import type { CoreFunction } from "../canonical/guest-context.ts";
import { compileLiftedExport } from "../canonical/lift-export.ts";
import type { CoreExport, LiftedExport } from "../canonical/lift-export.ts";
import type { CoreExportReference, LiftPlan } from "../component/plan.ts";
import type { ComponentValue } from "../component/types.ts";
import type { Linking } from "./linking.ts";

/** A call of one instance's export: a value, or a promise of it where the guest may have waited. */
export type ExportedFunction = (args: readonly ComponentValue[]) => ComponentValue;

/** An exported function of the plan, compiled at most once, and bound for each instance that calls it. */
export interface PreparedLift {
  readonly plan: LiftPlan;
  /** Undefined for an async export, which no other component can call. */
  readonly adaptable: AdaptableLift | undefined;
  /** `canSuspend`: give the call a stack of its own, on which it can wait. */
  readonly bind: (linking: Linking, canSuspend: boolean) => ExportedFunction;
}

export interface AdaptableLift {
  /** Compiled when it is first asked for. */
  readonly exported: () => LiftedExport;
  readonly bind: (linking: Linking, canSuspend: boolean) => CoreExport;
}

export function prepareLift(plan: LiftPlan): PreparedLift {
  const { callback } = plan;
  if (plan.async && callback !== null) {
    const exported = compileAsyncExport(plan.type, plan);
    return {
      plan,
      adaptable: undefined,
      bind: (linking, canSuspend) => {
        const coreExport = {
          cx: linking.context(plan.context),
          core: onStack(linking, plan.coreFunc, canSuspend),
          callback: onStack(linking, callback, canSuspend),
        };
        return (args) => exported.call(coreExport, args);
      },
    };
  }
  let compiled: LiftedExport | undefined;
  const exported = (): LiftedExport => (compiled ??= compileLiftedExport(plan.type, plan));
  const bind = (linking: Linking, canSuspend: boolean): CoreExport => ({
    cx: linking.context(plan.context),
    core: onStack(linking, plan.coreFunc, canSuspend),
    postReturn: linking.optionalCoreFunction(plan.postReturn),
  });
  return {
    plan,
    adaptable: { exported, bind },
    bind: (linking, canSuspend) => {
      const coreExport = bind(linking, canSuspend);
      return (args) => exported().call(coreExport, args);
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
