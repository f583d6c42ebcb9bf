import fc from "fast-check";
import { buildPlan } from "../component/build-plan.ts";
import type { ModuleInterface } from "../component/build-plan.ts";
import { decodeComponent } from "../component/decode.ts";
import { writePlan } from "../component/plan.ts";
import { createEngine } from "../create-engine.ts";
import { ComponentError, Trap } from "../engine.ts";
import type { Links, World } from "../engine.ts";
import { UsedModules } from "../link/compile-modules.ts";
import { ModuleCache } from "../link/module-cache.ts";
import { testLimits } from "./limits.ts";
import { mutations, outline } from "./mutations.ts";
import type { Mutate } from "./mutations.ts";

// Mutated components, and what must hold for each. `FUZZ_CASES=1000000` is the full size: so many cases for
// the engine's own tests together.

export const FUZZ_CASES = Number(process.env["FUZZ_CASES"] ?? 2000);
const SEED = Number(process.env["FUZZ_SEED"] ?? 20_261_121);
export const FUZZ_TIMEOUT_MS = 60_000 + FUZZ_CASES * 50;

/** Undefined where it was refused. What is not a `ComponentError` is thrown on. */
export function taken<T>(compile: () => T): T | undefined {
  try {
    return compile();
  } catch (error) {
    if (error instanceof ComponentError) return undefined;
    throw error;
  }
}

export function checkEach(cases: number, check: (mutate: Mutate) => void): void {
  fc.assert(fc.property(mutations, check), { numRuns: Math.ceil(cases), seed: SEED });
}

export interface Subject {
  readonly component: Uint8Array;
  readonly world: World;
  readonly links: () => Links;
}

/**
 * Each mutation of what is around the core modules is planned or refused; what is planned links or
 * traps. Gives the number of those that linked.
 */
export function linkMutations({ component, world, links }: Subject, cases: number): number {
  const original = decodeComponent(component, testLimits);
  const used = new UsedModules(original, new ModuleCache(), testLimits);
  const known = original.modules.map((_, index) => used.at(index));
  const at = (index: number): ModuleInterface => {
    const found = known[index];
    if (found === undefined) throw new ComponentError("malformed", ["a module too many"]);
    return found;
  };
  const modules = used.list().map(({ sha256, code }) => ({ sha256, code }));
  const engine = createEngine();
  const outlined = outline(component);
  let linkedCount = 0;
  checkEach(cases, (mutate) => {
    const planned = taken(() => {
      const { root } = decodeComponent(mutate(outlined), testLimits);
      return buildPlan(root, { at, interfaceOf: at }, world, testLimits);
    });
    if (planned === undefined) return;
    try {
      const { plan, imports } = planned;
      engine.instantiate({ plan: writePlan(plan), imports, modules }, links());
      linkedCount += 1;
    } catch (error) {
      if (!(error instanceof Trap)) throw error;
    }
  });
  return linkedCount;
}
