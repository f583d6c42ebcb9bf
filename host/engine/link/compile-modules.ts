import { Budget } from "../component/budget.ts";
import type { ModuleInterface, Modules } from "../component/build-plan.ts";
import type { DecodedComponent } from "../component/decode.ts";
import { escapeText, quoteName } from "../component/names.ts";
import { checkUnused, malformed } from "../component/reader.ts";
import { requireCompilable } from "../core/compile-work.ts";
import { ComponentError } from "../engine.ts";
import type { CompileLimits, Ownership } from "../engine.ts";
import { readCoreInterface } from "../core/core-interface.ts";
import type { CoreInterface } from "../core/core-interface.ts";
import { ADDED_NAMES_PREFIX, countParts } from "../core/core-module.ts";
import { rewriteModule } from "../core/rewrite-module.ts";
import { exposeState } from "./expose-state.ts";
import { hashModule } from "./module-cache.ts";
import type { ModuleCache, RewrittenModule } from "./module-cache.ts";
import { ownModule } from "./owned-module.ts";

const MESSAGE_CHARACTERS_MAX = 300;

interface UsedModule {
  readonly sha256: string;
  readonly bytes: Uint8Array;
  readonly isShared: boolean;
  readonly code: WebAssembly.Module;
  readonly interface: ModuleInterface;
}

/**
 * The core modules of one component, compiled when planning first asks for them: what a component
 * carries along without using it is validated, and neither compiled nor stored. Before that, their state is exposed and
 * they are made to pay and to ask, and what is not shared is marked as its owner's: hashed, compiled and
 * stored are the bytes that this gives. Their parts are counted before anything of that is done.
 */
export class UsedModules implements Modules {
  readonly #modules: readonly Uint8Array[];
  readonly #cache: ModuleCache;
  readonly #limits: CompileLimits;
  readonly #budget: Budget;
  readonly #ownership: Ownership | undefined;
  readonly #paid = new Set<number>();
  /** Also why it is refused: it is read once, however many components instantiate it. */
  readonly #lookedAt = new Map<number, CoreInterface | ComponentError>();
  readonly #byIndex = new Map<number, UsedModule>();
  /** Equal modules are one; the order is that of their numbers in the plan. */
  readonly #byHash = new Map<string, UsedModule>();

  constructor(
    { modules, sections }: Pick<DecodedComponent, "modules" | "sections">,
    cache: ModuleCache,
    limits: CompileLimits,
    ownership?: Ownership,
  ) {
    this.#modules = modules;
    this.#cache = cache;
    this.#limits = limits;
    this.#budget = new Budget(limits);
    this.#budget.spendSections(sections);
    this.#ownership = ownership;
  }

  /** Of the component and of the core modules that were asked for. */
  get sections(): number {
    return this.#budget.sections;
  }

  /** Of the core modules that were asked for. */
  get coreFunctions(): number {
    return this.#budget.coreFunctions;
  }

  list(): UsedModule[] {
    return Array.from(this.#byHash.values());
  }

  at(index: number): ModuleInterface {
    const known = this.#byIndex.get(index);
    if (known !== undefined) return known.interface;
    const uploaded = this.#uploaded(index);
    const uploadedSha256 = hashModule(uploaded);
    const owner = this.#ownerOf(uploadedSha256);
    const rewritten =
      owner === undefined
        ? this.#rewriteShared(uploaded, uploadedSha256)
        : this.#rewrite(uploaded, this.#limits, owner);
    const { sha256 } = rewritten;
    const before = this.#byHash.get(sha256);
    const used = before ?? this.#compile(rewritten, owner === undefined);
    this.#byHash.set(sha256, used);
    this.#byIndex.set(index, used);
    return used.interface;
  }

  interfaceOf(index: number): CoreInterface {
    const used = this.#byIndex.get(index);
    if (used !== undefined) return used.interface;
    const found = this.#lookedAt.get(index) ?? this.#lookAt(index);
    this.#lookedAt.set(index, found);
    if (found instanceof ComponentError) throw found;
    return found;
  }

  /** Of the modules that nothing used: a component with one that is invalid is invalid itself. */
  requireRestValid(): void {
    for (const index of this.#modules.keys()) {
      if (this.#byIndex.has(index)) continue;
      checkUnused(() => {
        requireCompilable(this.#uploaded(index));
        if (!WebAssembly.validate(this.#uploaded(index))) {
          throw malformed(`a core module is invalid: the one of the number ${index}`);
        }
        this.interfaceOf(index);
      });
    }
  }

  #lookAt(index: number): CoreInterface | ComponentError {
    try {
      return requireUniqueImports(readCoreInterface(this.#uploaded(index)));
    } catch (error) {
      if (error instanceof ComponentError) return error;
      throw error;
    }
  }

  /** Its parts are paid for when it is first asked for. */
  #uploaded(index: number): Uint8Array {
    const uploaded = this.#modules[index];
    if (uploaded === undefined) throw new Error(`there is no core module ${index}`);
    if (!this.#paid.has(index)) {
      const { sections, functions } = countParts(uploaded);
      this.#budget.spendSections(sections);
      this.#budget.spendCoreFunctions(functions);
      this.#paid.add(index);
    }
    return uploaded;
  }

  /** The same for all owners, whatever one of them may have: its tables do not grow. */
  #rewriteShared(uploaded: Uint8Array, uploadedSha256: string): RewrittenModule {
    const { grownTableElementsMax } = this.#limits;
    const limits = {
      grownTableElementsMax: this.#ownership === undefined ? grownTableElementsMax : 0,
    };
    return this.#cache.rewritten(uploadedSha256, limits, () => this.#rewrite(uploaded, limits));
  }

  #rewrite(
    uploaded: Uint8Array,
    limits: Pick<CompileLimits, "grownTableElementsMax">,
    owner?: string,
  ): RewrittenModule {
    requireCompilable(uploaded);
    const exposed = exposeState(uploaded);
    const { bytes: rewritten, makes } = rewriteModule(exposed.bytes, limits);
    const bytes = owner === undefined ? rewritten : ownModule(rewritten, owner);
    return { sha256: hashModule(bytes), bytes, makes, globals: exposed.globals };
  }

  #compile({ sha256, bytes, makes, globals }: RewrittenModule, isShared: boolean): UsedModule {
    const code = this.#compiled(sha256, bytes);
    const { imports, exports: all } = requireUniqueImports(readCoreInterface(bytes));
    // What is added is the engine's own: no other module can import it.
    const exports = new Map(
      Array.from(all).filter(([name]) => !name.startsWith(ADDED_NAMES_PREFIX)),
    );
    const number = this.#byHash.size;
    return {
      sha256,
      bytes,
      isShared,
      code,
      interface: { number, imports, exports, makes, globals },
    };
  }

  /** Undefined for what all share, as everything is where nobody says whose it is. */
  #ownerOf(uploadedSha256: string): string | undefined {
    if (this.#ownership === undefined) return undefined;
    const { owner, isShared } = this.#ownership;
    return isShared(uploadedSha256) ? undefined : owner;
  }

  #compiled(sha256: string, bytes: Uint8Array): WebAssembly.Module {
    try {
      return this.#cache.compile(sha256, bytes);
    } catch (error) {
      if (error instanceof WebAssembly.CompileError) {
        throw malformed(
          `a core module is invalid: ${escapeText(error.message, MESSAGE_CHARACTERS_MAX)}`,
        );
      }
      // V8's own limits, for example on the number of functions or the size of a module.
      if (error instanceof RangeError) {
        throw new ComponentError("too-complex", [
          `a core module is too large: ${escapeText(error.message, MESSAGE_CHARACTERS_MAX)}`,
        ]);
      }
      throw error;
    }
  }
}

/** WebAssembly alone allows the same import twice; a component could not say what is given for which. */
function requireUniqueImports(found: CoreInterface): CoreInterface {
  const seen = new Map<string, Set<string>>();
  for (const { module, name } of found.imports) {
    const names = seen.get(module) ?? new Set();
    if (names.has(name)) {
      throw malformed(`the core import ${quoteName(module)} ${quoteName(name)} is there twice`);
    }
    seen.set(module, names.add(name));
  }
  return found;
}
