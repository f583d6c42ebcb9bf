import type { CompiledComponent } from "../engine.ts";
import { link } from "../link/linker.ts";
import { preparePlan } from "../link/prepared-plan.ts";
import { Linking } from "../link/linking.ts";
import type { CoreExports } from "../link/linking.ts";
import type { Links } from "../engine.ts";

/**
 * Makes only the core instances of a component, again and again with the imports of one real
 * instance: what V8 itself takes for them, as the floor that the engine is measured against.
 */
export function bareInstances(
  component: CompiledComponent,
  links: Links,
): () => readonly CoreExports[] {
  const prepared = preparePlan(component);
  const shared = new Linking(links);
  link(prepared, shared);
  return () => {
    const instances: CoreExports[] = [];
    for (const step of prepared.steps) {
      if (step.kind !== "core-instance") continue;
      const imports: WebAssembly.Imports = Object.create(null);
      for (const { name, items } of step.imports) {
        const values: WebAssembly.ModuleImports = Object.create(null);
        for (const item of items) {
          const own = "instance" in item.from ? instances[item.from.instance] : undefined;
          values[item.name] =
            "instance" in item.from
              ? (own?.[item.from.name] ?? shared.importValue(item.from))
              : shared.importValue(item.from);
        }
        imports[name] = values;
      }
      instances.push(new WebAssembly.Instance(step.module, imports).exports);
    }
    return instances;
  };
}
