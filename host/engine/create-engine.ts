import { buildPlan } from "./component/build-plan.ts";
import { readPlan, writePlan } from "./component/plan.ts";
import { decodeComponent } from "./component/decode.ts";
import type {
  Bounds,
  Compilation,
  CompileLimits,
  CompiledComponent,
  Engine,
  Instance,
  Links,
  LoadableComponent,
  Ownership,
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
  const plans = new WeakMap<CompiledComponent, PreparedPlan>();
  const prepare = (compiled: CompiledComponent): PreparedPlan => {
    const prepared = plans.get(compiled) ?? preparePlan(compiled);
    plans.set(compiled, prepared);
    return prepared;
  };
  return {
    compile: (component, world, limits, ownership) =>
      compile({ component, world, limits, ownership }, modules),
    load: (stored) => load(stored, modules),
    hasModule: (sha256) => modules.has(sha256),
    prepare: (compiled) => void prepare(compiled),
    instantiate: (compiled: CompiledComponent, links: Links, bounds?: Bounds): Instance =>
      new LinkedInstance(prepare(compiled), links, bounds),
  };
}

interface Upload {
  readonly component: Uint8Array;
  readonly world: World;
  readonly limits: CompileLimits;
  readonly ownership: Ownership | undefined;
}

function compile(upload: Upload, cache: ModuleCache): Compilation {
  const { component, world, limits, ownership } = upload;
  const decoded = decodeComponent(component, limits);
  const used = new UsedModules(decoded, cache, limits, ownership);
  const built = buildPlan(decoded.root, used, world, limits);
  used.requireRestValid();
  const { imports, tableElements } = built;
  const { sections, coreFunctions } = used;
  const plan = writePlan(built.plan);
  const modules = used.list();
  return {
    component: { plan, imports, modules: modules.map(({ sha256, code }) => ({ sha256, code })) },
    stored: {
      plan,
      imports,
      modules: modules.map(({ sha256, bytes, isShared }) => ({ sha256, bytes, isShared })),
    },
    complexity: { nestingDepth: decoded.nestingDepth, sections, coreFunctions, tableElements },
  };
}

function load(stored: LoadableComponent, cache: ModuleCache): CompiledComponent {
  // Here its age is found out, and not in the thread that runs it.
  void readPlan(stored.plan);
  // Before others push them out.
  const known = stored.modules.map(({ sha256, bytes }) =>
    bytes === undefined ? cache.get(sha256) : undefined,
  );
  return {
    plan: stored.plan,
    imports: stored.imports,
    modules: stored.modules.map(({ sha256, bytes }, index) => ({
      sha256,
      code: known[index] ?? compileStored(sha256, bytes, cache),
    })),
  };
}

/** The bytes were on a disk: code that is not what was checked must not run. */
function compileStored(
  sha256: string,
  bytes: Uint8Array | undefined,
  cache: ModuleCache,
): WebAssembly.Module {
  if (bytes === undefined) throw new Error(`the stored module ${sha256} is missing`);
  if (hashModule(bytes) !== sha256) throw new Error(`the stored module ${sha256} is damaged`);
  return cache.compile(sha256, bytes);
}
