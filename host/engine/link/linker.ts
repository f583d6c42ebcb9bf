import type { HostResourcePlan } from "../component/plan.ts";
import type { Linking } from "./linking.ts";
import type { ImportedModule, PreparedPlan, PreparedStep } from "./prepared-plan.ts";

/**
 * Runs the steps of a plan over shared modules, start functions included. Throws what a start
 * function throws. Nothing can wait here: there is a JavaScript frame below each start function.
 */
export function link(prepared: PreparedPlan, linking: Linking): void {
  const { guest, componentInstances } = linking;
  guest.meter.begin(prepared.plan.memoryPages);
  for (const { parent } of prepared.plan.componentInstances) {
    componentInstances.push(
      guest.createComponentInstance(parent === null ? undefined : componentInstances[parent]),
    );
  }
  for (const resource of prepared.plan.hostResources) defineHostResource(linking, resource);
  runSteps(linking, prepared.steps);
}

/** Also run to bring a frozen guest back: then its start functions run again. */
export function runSteps(linking: Linking, steps: readonly PreparedStep[]): void {
  for (const step of steps) runStep(linking, step);
}

function defineHostResource(
  { guest, links }: Linking,
  { resource, interfaceName, name }: HostResourcePlan,
): void {
  const drops = links[interfaceName]?.drop;
  const drop: ((object: never) => void) | undefined = drops?.[name];
  guest.defineResource(resource, {
    dropHostObject:
      drop === undefined ? undefined : (object) => void Reflect.apply(drop, drops, [object]),
  });
}

function runStep(linking: Linking, step: PreparedStep): void {
  switch (step.kind) {
    case "core-instance": {
      const imports = importObject(linking, step.imports);
      const { exports } = new WebAssembly.Instance(step.module, imports);
      const instance = linking.coreInstances.push(exports) - 1;
      for (const name of step.memories) linking.memory({ instance, name });
      linking.guest.meter.attach(exports);
      return;
    }
    case "context":
      linking.addContext(step.componentInstance, step.memory, step.realloc);
      return;
    case "guest-resource":
      linking.guest.defineResource(step.resource, {
        definedBy: linking.componentInstance(step.componentInstance),
        destructor: linking.optionalCoreFunction(step.destructor),
      });
      return;
    case "trampoline":
      linking.trampolines.push(step.bind(linking));
      return;
    default:
      step satisfies never;
  }
}

/** Without prototypes, so that an import called `__proto__` or `constructor` is one like any other. */
function importObject(linking: Linking, modules: readonly ImportedModule[]): WebAssembly.Imports {
  const imports: WebAssembly.Imports = Object.create(null);
  for (const { name, items } of modules) {
    const values: WebAssembly.ModuleImports = Object.create(null);
    for (const item of items) values[item.name] = linking.importValue(item.from);
    imports[name] = values;
  }
  return imports;
}
