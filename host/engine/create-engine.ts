import { buildPlan } from "./component/build-plan.ts";
import { isPlan } from "./component/plan.ts";
import { decodeComponent } from "./component/decode.ts";
import type {
  Compilation,
  CompileLimits,
  CompiledComponent,
  Engine,
  Instance,
  Links,
  StoredComponent,
  World,
} from "./engine.ts";
import { UsedModules } from "./link/compile-modules.ts";
import { LinkedInstance } from "./link/instance.ts";
import { ModuleCache, hashModule } from "./link/module-cache.ts";
import { preparePlan } from "./link/prepared-plan.ts";
import type { PreparedPlan } from "./link/prepared-plan.ts";

/** One for each thread: it remembers compiled modules by their content, and plans by identity. */
export function createEngine(): Engine {
  const modules = new ModuleCache();
  const prepared = new WeakMap<CompiledComponent, PreparedPlan>();
  return {
    compile: (component, world, limits) => compile(component, world, limits, modules),
    load: (stored) => load(stored, modules),
    instantiate: (compiled: CompiledComponent, links: Links): Instance => {
      let plan = prepared.get(compiled);
      if (plan === undefined) {
        plan = preparePlan(compiled);
        prepared.set(compiled, plan);
      }
      return new LinkedInstance(plan, links);
    },
  };
}

function compile(
  component: Uint8Array,
  world: World,
  limits: CompileLimits,
  cache: ModuleCache,
): Compilation {
  const decoded = decodeComponent(component, limits);
  const used = new UsedModules(decoded.modules, cache, limits);
  const { plan, imports } = buildPlan(decoded.root, (index) => used.at(index), world, limits);
  const modules = used.list();
  return {
    component: { plan, imports, modules: modules.map(({ sha256, code }) => ({ sha256, code })) },
    stored: { plan, imports, modules: modules.map(({ sha256, bytes }) => ({ sha256, bytes })) },
  };
}

function load(stored: StoredComponent, cache: ModuleCache): CompiledComponent {
  if (!isPlan(stored.plan)) {
    throw new Error("the component was compiled by another version of the engine");
  }
  return {
    plan: stored.plan,
    imports: stored.imports,
    modules: stored.modules.map(({ sha256, bytes }) => {
      // The bytes were on a disk: code that is not what was checked must not run.
      if (hashModule(bytes) !== sha256) throw new Error(`the stored module ${sha256} is damaged`);
      return { sha256, code: cache.compile(sha256, bytes) };
    }),
  };
}
