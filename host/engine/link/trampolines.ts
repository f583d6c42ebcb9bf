import * as builtins from "../async/builtins.ts";
import { compileComponentCall } from "../async/call-component.ts";
import type { LoweredComponentCall } from "../async/call-component.ts";
import type { ElementLayouts } from "../async/copy-element.ts";
import { compileCopy, endCancel, endDrop, endNew } from "../async/copy-builtins.ts";
import { compileTaskReturn } from "../async/lift-async-export.ts";
import { compileAsyncLoweredImport } from "../async/lower-async-import.ts";
import { compileLoweredImport } from "../canonical/lower-host-function.ts";
import type { HostFunction, LoweredImport } from "../canonical/lower-host-function.ts";
import { resourceDrop, resourceNew, resourceRep } from "../canonical/resources.ts";
import type { ComponentInstance } from "../canonical/component-instance.ts";
import type { CoreFunction } from "../canonical/guest-context.ts";
import type { TrampolinePlan } from "../component/plan.ts";
import type { ComponentValue } from "../component/types.ts";
import type { Linking } from "./linking.ts";
import type { PreparedAsyncLift, PreparedLift, PreparedSyncLift } from "./prepared-lift.ts";

/** Makes a core function of one instance. */
export type BindTrampoline = (linking: Linking) => WebAssembly.ImportValue;

/**
 * What a trampoline needs of its plan, compiled once; `lifts` and `elements` are those of the same plan, and
 * `mayWait` says of a context whether a call into its component instance may have to wait. Most functions
 * that a component imports are never called: each is compiled when it is called first.
 */
export function prepareTrampoline(
  plan: TrampolinePlan,
  lifts: readonly PreparedLift[],
  mayWait: (context: number) => boolean,
  elements: ElementLayouts,
): BindTrampoline {
  switch (plan.kind) {
    case "lower-host":
      return prepareHostFunction(plan);
    case "lower-lift":
      return prepareAdaptedCall(plan, lifts, mayWait);
    case "task-return": {
      const taskReturn = compileTaskReturn(plan.result, plan);
      return (linking) => taskReturn(linking.context(plan.context));
    }
    case "waitable-set-wait":
      return (linking) =>
        suspending(builtins.waitableSetWait(linking.context(plan.context), plan.cancellable));
    case "waitable-set-poll":
      return (linking) => builtins.waitableSetPoll(linking.context(plan.context), plan.cancellable);
    case "end-copy": {
      const copy = compileCopy(plan, elements);
      return plan.async
        ? (linking) => copy(linking.context(plan.context))
        : (linking) => suspending(copy(linking.context(plan.context)));
    }
    case "end-new":
    case "end-cancel":
    case "end-drop":
    case "resource-new":
    case "resource-drop":
    case "resource-rep":
    case "context-get":
    case "context-set":
    case "thread-yield":
    case "subtask-cancel":
    case "task-cancel":
    case "waitable-set-new":
    case "waitable-set-drop":
    case "waitable-join":
    case "subtask-drop":
    case "backpressure-set":
    case "backpressure-inc":
    case "backpressure-dec":
      return (linking) => bindBuiltin(plan, linking.componentInstance(plan.componentInstance));
    default:
      return plan satisfies never;
  }
}

function bindBuiltin(
  plan: Extract<TrampolinePlan, { readonly componentInstance: number }>,
  instance: ComponentInstance,
): WebAssembly.ImportValue {
  switch (plan.kind) {
    case "end-new":
      return endNew(instance, plan.type);
    case "end-cancel":
      return endCancel(instance, plan);
    case "end-drop":
      return endDrop(instance, plan);
    case "resource-new":
      return resourceNew(instance, plan.resource);
    case "resource-drop":
      return resourceDrop(instance, plan.resource);
    case "resource-rep":
      return resourceRep(instance, plan.resource);
    case "context-get":
      return builtins.contextGet(instance, plan.slot);
    case "context-set":
      return builtins.contextSet(instance, plan.slot);
    case "thread-yield":
      return suspending(builtins.threadYield(instance, plan.cancellable));
    case "subtask-cancel":
      return suspending(builtins.subtaskCancel(instance, plan.async));
    case "task-cancel":
      return builtins.taskCancel(instance);
    case "waitable-set-new":
      return builtins.waitableSetNew(instance);
    case "waitable-set-drop":
      return builtins.waitableSetDrop(instance);
    case "waitable-join":
      return builtins.waitableJoin(instance);
    case "subtask-drop":
      return builtins.subtaskDrop(instance);
    case "backpressure-inc":
      return builtins.backpressureIncrement(instance);
    case "backpressure-dec":
      return builtins.backpressureDecrement(instance);
    case "backpressure-set":
      return builtins.backpressureSet(instance);
    default:
      return plan satisfies never;
  }
}

function suspending(coreFunction: CoreFunction): WebAssembly.Suspending {
  return new WebAssembly.Suspending(coreFunction);
}

function prepareHostFunction(plan: TrampolinePlan & { kind: "lower-host" }): BindTrampoline {
  const { interfaceName, name } = plan;
  const suspends = plan.suspends && !plan.async;
  let lower: LoweredImport | undefined;
  const compile = (): LoweredImport =>
    (lower ??= plan.async
      ? compileAsyncLoweredImport(plan.type, plan)
      : compileLoweredImport(plan.type, plan));
  return (linking) => {
    // Names of the host's own declarations, not of the guest.
    const functions = linking.links[interfaceName]?.functions;
    const host: HostFunction | undefined = functions?.[name];
    if (host === undefined) throw new Error(`${interfaceName} is linked without ${name}`);
    const cx = linking.context(plan.context);
    const coreFunction = whenCalled(() => compile()(cx, host, functions));
    return suspends ? suspending(coreFunction) : coreFunction;
  };
}

/**
 * A call from one component instance to another of the same guest: to the caller, the callee is as a
 * host is. Values pass through JavaScript, so the two need not share an encoding; JSPI does not suspend through
 * that frame, so a callee that may wait runs on a stack of its own, and its caller waits for it.
 */
function prepareAdaptedCall(
  plan: TrampolinePlan & { kind: "lower-lift" },
  lifts: readonly PreparedLift[],
  mayWait: (context: number) => boolean,
): BindTrampoline {
  const lift = lifts[plan.lift];
  if (lift === undefined) throw new Error("a plan adapts a function that it does not have");
  return lift.kind === "async"
    ? prepareAsyncCall(plan, lift)
    : prepareSyncCall(plan, lift, mayWait(lift.plan.context));
}

function prepareAsyncCall(
  plan: TrampolinePlan & { kind: "lower-lift" },
  lift: PreparedAsyncLift,
): BindTrampoline {
  let lower: LoweredComponentCall | undefined;
  const compile = (): LoweredComponentCall =>
    (lower ??= compileComponentCall(lift.plan.type, plan, lift.exported()));
  return (linking) => {
    const cx = linking.context(plan.context);
    return suspending(whenCalled(() => compile()(cx, lift.bindCore(linking))));
  };
}

function prepareSyncCall(
  plan: TrampolinePlan & { kind: "lower-lift" },
  lift: PreparedSyncLift,
  suspends: boolean,
): BindTrampoline {
  const { stringEncoding } = plan;
  let lower: LoweredImport | undefined;
  const compile = (): LoweredImport =>
    (lower ??= compileLoweredImport(lift.plan.type, { stringEncoding, suspends }));
  return (linking) => {
    const cx = linking.context(plan.context);
    const coreExport = lift.bindCore(linking, suspends);
    const host = (...args: readonly ComponentValue[]): ComponentValue =>
      lift.exported().call(coreExport, args, cx.instance);
    const coreFunction = whenCalled(() => compile()(cx, host, undefined));
    return suspends ? suspending(coreFunction) : coreFunction;
  };
}

function whenCalled(bind: () => CoreFunction): CoreFunction {
  let bound: CoreFunction | undefined;
  return (...flat) => (bound ??= bind())(...flat);
}
