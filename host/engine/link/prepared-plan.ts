import { isSuspending, readPlan } from "../component/plan.ts";
import type { CoreImport, CoreImportSource, LiftPlan, LinkStep, Plan } from "../component/plan.ts";
import type { CompiledComponent } from "../engine.ts";
import { ElementLayouts } from "../async/copy-element.ts";
import { Freezer } from "./freezer.ts";
import { prepareLift } from "./prepared-lift.ts";
import type { PreparedLift } from "./prepared-lift.ts";
import { prepareTrampoline } from "./trampolines.ts";
import type { BindTrampoline } from "./trampolines.ts";

/**
 * A plan as one thread runs it: what does not differ from instance to instance is made here, once.
 * Linking an instance only binds it.
 */
export interface PreparedPlan {
  readonly plan: Plan;
  readonly steps: readonly PreparedStep[];
  readonly exports: ReadonlyMap<string, PreparedLift>;
  /** Undefined where its instances cannot be put aside. */
  readonly freezer: Freezer | undefined;
}

export type PreparedStep =
  | {
      readonly kind: "core-instance";
      readonly module: WebAssembly.Module;
      readonly imports: readonly ImportedModule[];
      readonly memories: readonly string[];
      readonly globals: readonly string[];
    }
  | Extract<LinkStep, { kind: "context" | "guest-resource" }>
  | { readonly kind: "trampoline"; readonly bind: BindTrampoline };

/** The core imports of one module name. */
export interface ImportedModule {
  readonly name: string;
  readonly items: readonly { readonly name: string; readonly from: CoreImportSource }[];
}

export function preparePlan(compiled: CompiledComponent): PreparedPlan {
  const plan = readPlan(compiled.plan);
  const modules = compiled.modules.map(({ code }) => {
    if (code instanceof WebAssembly.Module) return code;
    throw new Error("the module was compiled by another engine");
  });
  const lifts = plan.lifts.map(prepareLift);
  const mayWait = contextsThatMayWait(plan);
  const elements = new ElementLayouts(
    new Map(plan.elements.map(({ number, type }) => [number, type])),
  );
  const steps = plan.steps.map((step) => prepareStep(step, modules, lifts, mayWait, elements));
  return {
    plan,
    steps,
    exports: new Map(plan.exports.map(({ name, lift }) => [name, required(lifts, lift)])),
    freezer: plan.canFreeze ? new Freezer(steps) : undefined,
  };
}

function prepareStep(
  step: LinkStep,
  modules: readonly WebAssembly.Module[],
  lifts: readonly PreparedLift[],
  mayWait: (context: number) => boolean,
  elements: ElementLayouts,
): PreparedStep {
  switch (step.kind) {
    case "core-instance":
      return {
        kind: "core-instance",
        module: required(modules, step.module),
        imports: groupByModule(step.imports),
        memories: step.memories,
        globals: step.globals,
      };
    case "trampoline":
      return {
        kind: "trampoline",
        bind: prepareTrampoline(step.trampoline, lifts, mayWait, elements),
      };
    case "context":
    case "guest-resource":
      return step;
    default:
      return step satisfies never;
  }
}

/**
 * A call may have to wait in a component instance whose modules were given something that waits, be it
 * a call into another instance of this kind.
 */
function contextsThatMayWait(plan: Plan): (context: number) => boolean {
  const instances = plan.steps.flatMap((step) =>
    step.kind === "context" ? [step.componentInstance] : [],
  );
  const trampolines = plan.steps.flatMap((step) =>
    step.kind === "trampoline" ? [step.trampoline] : [],
  );
  const waiting = new Set<number>();
  const mayWait = (context: number): boolean => waiting.has(required(instances, context));
  const callMayWait = ({ type, context }: LiftPlan): boolean => type.async || mayWait(context);
  let before: number;
  do {
    before = waiting.size;
    for (const trampoline of trampolines) {
      const waits =
        trampoline.kind === "lower-lift"
          ? callMayWait(required(plan.lifts, trampoline.lift))
          : isSuspending(trampoline);
      if (!waits) continue;
      waiting.add(
        "context" in trampoline
          ? required(instances, trampoline.context)
          : trampoline.componentInstance,
      );
    }
  } while (waiting.size > before);
  return mayWait;
}

function groupByModule(imports: readonly CoreImport[]): ImportedModule[] {
  const byModule = Map.groupBy(imports, (imported) => imported.module);
  return Array.from(byModule, ([name, items]) => ({
    name,
    items: items.map((item) => ({ name: item.name, from: item.from })),
  }));
}

function required<T>(items: readonly T[], index: number): T {
  const item = items[index];
  if (item === undefined) throw new Error("a plan names what it does not have");
  return item;
}
