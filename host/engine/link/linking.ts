import type { ComponentInstance } from "../canonical/component-instance.ts";
import { GuestContext, GuestMemory } from "../canonical/guest-context.ts";
import type { Realloc, SyncCoreFunction } from "../canonical/guest-context.ts";
import { Guest } from "../canonical/guest.ts";
import type { CoreExportReference, CoreImportSource } from "../component/plan.ts";
import type { Links } from "../engine.ts";

export type CoreExports = Readonly<Record<string, WebAssembly.ExportValue>>;

/**
 * What the steps of one instantiation have made so far, by the numbers that the plan gives them.
 * Objects of `exports` have no prototype: WebAssembly makes them so.
 */
export class Linking {
  readonly links: Links;
  readonly guest: Guest;
  readonly componentInstances: ComponentInstance[];
  readonly coreInstances: CoreExports[] = [];
  readonly contexts: GuestContext[] = [];
  readonly trampolines: WebAssembly.ImportValue[] = [];
  readonly memories: GuestMemory[] = [];

  /** A guest that was frozen goes on in other core instances. */
  constructor(links: Links, guest = new Guest(), componentInstances: ComponentInstance[] = []) {
    this.links = links;
    this.guest = guest;
    this.componentInstances = componentInstances;
  }

  importValue(source: CoreImportSource): WebAssembly.ImportValue {
    if ("trampoline" in source) return at(this.trampolines, source.trampoline);
    return this.#export(source);
  }

  coreFunction(reference: CoreExportReference): SyncCoreFunction {
    const value = this.#export(reference);
    if (typeof value !== "function") throw inconsistent();
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- WebAssembly's own functions take and give core values.
    return value as SyncCoreFunction;
  }

  optionalCoreFunction(reference: CoreExportReference | null): SyncCoreFunction | undefined {
    return reference === null ? undefined : this.coreFunction(reference);
  }

  /** Memories are compared by identity: two instances may export the same one. */
  memory(reference: CoreExportReference): GuestMemory {
    const value = this.#export(reference);
    if (!(value instanceof WebAssembly.Memory)) throw inconsistent();
    const known = this.memories.find((candidate) => candidate.memory === value);
    if (known !== undefined) return known;
    const memory = new GuestMemory(value);
    this.memories.push(memory);
    return memory;
  }

  addContext(
    componentInstance: number,
    memory: CoreExportReference | null,
    realloc: CoreExportReference | null,
  ): void {
    this.contexts.push(
      new GuestContext(
        at(this.componentInstances, componentInstance),
        memory === null ? undefined : this.memory(memory),
        realloc === null ? undefined : this.#realloc(realloc),
      ),
    );
  }

  global(reference: CoreExportReference): WebAssembly.Global {
    const value = this.#export(reference);
    if (!(value instanceof WebAssembly.Global)) throw inconsistent();
    return value;
  }

  #realloc(reference: CoreExportReference): Realloc {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- One of another signature traps.
    return this.coreFunction(reference) as Realloc;
  }

  context(number: number): GuestContext {
    return at(this.contexts, number);
  }

  componentInstance(number: number): ComponentInstance {
    return at(this.componentInstances, number);
  }

  #export({ instance, name }: CoreExportReference): WebAssembly.ExportValue {
    const value = at(this.coreInstances, instance)[name];
    if (value === undefined) throw inconsistent();
    return value;
  }
}

function at<T>(items: readonly T[], index: number): T {
  const item = items[index];
  if (item === undefined) throw inconsistent();
  return item;
}

/** Planning made sure of it: a plan that is damaged, or was not made for these modules. */
function inconsistent(): Error {
  return new Error("the plan of a component does not fit its modules");
}
