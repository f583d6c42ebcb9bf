import type { CompileLimits, World } from "../engine.ts";
import {
  FLAT_ASYNC_PARAMS_MAX,
  FLAT_PARAMS_MAX,
  FLAT_RESULTS_MAX,
  layoutOf,
} from "../canonical/layout.ts";
import type { CoreSignature } from "../canonical/signature.ts";
import type { CoreInterface } from "../core/core-interface.ts";
import { coreMismatch, describeSignature, hasSignature } from "../core/core-mismatch.ts";
import { bindExtern, resolveAlias } from "./bind.ts";
import type { Binding } from "./bind.ts";
import { Budget, tooComplex } from "./budget.ts";
import type { CoreResources } from "./budget.ts";
import { checkScopeType } from "./check-types.ts";
import { WorldCheck } from "./check.ts";
import {
  CALLBACK,
  DESTRUCTOR,
  REALLOC,
  builtinSignature,
  liftedSignature,
  loweredSignature,
  postReturnSignature,
  taskReturnSignature,
} from "./core-signatures.ts";
import type {
  ComponentEntity,
  CoreInstance,
  CoreItem,
  Entity,
  FuncEntity,
  PendingLift,
  PendingTrampoline,
  ResolvedType,
  ResourceType,
  ScopeType,
  SizedFunc,
} from "./entity.ts";
import { ExternNames } from "./extern-names.ts";
import { quoteName } from "./names.ts";
import { PLAN_FORMAT } from "./plan.ts";
import type {
  CoreExportReference,
  CoreImport,
  CoreImportSource,
  LiftPlan,
  LinkStep,
  NumberedEnd,
  Plan,
  TrampolinePlan,
} from "./plan.ts";
import { checkUnused, malformed, unsupported } from "./reader.ts";
import { resolveReference, resolveResource, resolveType } from "./resolve-types.ts";
import { Scope } from "./scope.ts";
import type {
  CanonOptionsSyntax,
  CanonSyntax,
  ComponentSyntax,
  CoreArg,
  Definition,
  EndKind,
  NamedSortIndex,
  TypeSyntax,
} from "./syntax.ts";
import { TypeNumbers } from "./type-numbers.ts";
import { containsPointer } from "./type-parts.ts";
import { NO_TYPE } from "./types.ts";
import type { ResourceId, TypeNumber, ValueType } from "./types.ts";

/**
 * Instantiates a component in the abstract: walks its definitions, and those of the components it
 * instantiates, as instantiation would, with entities in place of values. What remains is the plan.
 *
 * P1. Each instantiation of a nested component is walked anew, and paid for (`Budget`).
 * P2. Steps are written when something uses their outcome: a function that nothing uses costs nothing.
 * P3. Each component and type that is defined is checked by itself as well, once, whether something uses it or not:
 *     nested ones with stand-ins for their imports, and without a plan. What is valid and only not supported is taken
 *     where nothing uses it.
 * P4. A component of the wrong world is reported with all its problems; one that is inconsistent in
 *     itself with the first.
 */
export function buildPlan(
  root: ComponentSyntax,
  modules: Modules,
  world: World,
  limits: CompileLimits,
): BuiltPlan {
  const check = new WorldCheck(world);
  const budget = new Budget(limits);
  const budgets = { plan: budget, checks: new Budget(limits, CHECKS_MAX) };
  let resources = check.firstFreeResource;
  const freshResource = (): ResourceId => resources++;
  const planner = new Planner({ modules, check, budgets, freshResource });
  const plan = planner.plan(root);
  check.finish();
  return { plan, imports: check.importNames, tableElements: budget.tableElements };
}

interface BuiltPlan {
  readonly plan: Plan;
  readonly imports: readonly string[];
  /** Of all tables of one instance, by their maxima. */
  readonly tableElements: number;
}

/** The core modules of an upload, by their number in it. */
export interface Modules {
  /** One that the plan makes an instance of. */
  readonly at: (index: number) => ModuleInterface;
  /** One that is only looked at. */
  readonly interfaceOf: (index: number) => CoreInterface;
}

/** What a core module imports, exports and makes. Equal modules have equal numbers. */
export interface ModuleInterface extends CoreInterface {
  readonly number: number;
  readonly makes: CoreResources;
  /** Which exports are the mutable globals it defines; undefined where it may hold other state. */
  readonly globals: readonly string[] | undefined;
}

/** One component instance on the way into the plan. */
interface InstanceInMaking {
  readonly parent: InstanceInMaking | undefined;
  readonly depth: number;
  readonly scope: Scope;
  readonly exports: Map<string, Entity>;
  readonly importNames: ExternNames;
  readonly exportNames: ExternNames;
  /** Whether the components and types that it defines have to be looked at by themselves. */
  readonly checksDefinitions: boolean;
  /** Its number in the plan, once something needs it. */
  number: number | undefined;
}

/** A core function that the engine makes: when it is needed. */
interface Builtin {
  readonly signature: CoreSignature;
  readonly make: () => TrampolinePlan;
}

interface SizedEnd {
  readonly type: NumberedEnd;
  readonly element: ValueType | null;
  readonly nodes: number;
}

/** Gives an import its meaning. */
type Supply = (definition: Definition & { kind: "import" }, instance: InstanceInMaking) => Entity;

/** Toolchains export one, under a few names: more would only burden whoever adds them up. */
const MEMORIES_MAX = 64;

/** Language runtimes need less than a hundred; each is an object of every instance. */
const TRAMPOLINES_MAX = 4096;

interface Planning {
  readonly modules: Modules;
  readonly check: WorldCheck;
  readonly budgets: { readonly plan: Budget; readonly checks: Budget };
  readonly freshResource: () => ResourceId;
}

/**
 * Each component is checked by itself, and instantiated again where those around it are checked: as often as it lies deep.
 * Real ones lie three deep at most.
 */
const CHECKS_MAX = 8;

const NOTHING_MADE: CoreResources = { tables: 0, tableElements: 0, memories: 0, memoryPages: 0 };

const NO_DEFINITIONS: ComponentSyntax = { definitions: [] };

class Planner {
  readonly #planning: Planning;
  readonly #check: WorldCheck;
  readonly #budget: Budget;
  readonly #steps: LinkStep[] = [];
  readonly #componentInstances: { readonly parent: number | null }[] = [];
  readonly #lifts: LiftPlan[] = [];
  readonly #elements = new Map<TypeNumber, ValueType>();
  readonly #typeNumbers: TypeNumbers;
  readonly #contexts = new Map<string, number>();
  #coreInstanceCount = 0;
  #memoryCount = 0;
  #memoryPages = 0;
  #trampolineCount = 0;
  #canFreeze = true;

  constructor(planning: Planning) {
    this.#planning = planning;
    this.#check = planning.check;
    this.#budget = planning.budgets.plan;
    this.#typeNumbers = new TypeNumbers(this.#budget);
  }

  plan(root: ComponentSyntax): Plan {
    const exported = this.#instantiate(
      root,
      {
        scope: new Scope(undefined, "component"),
        parent: undefined,
        depth: 1,
        checksDefinitions: true,
      },
      (definition, instance) => this.#supplyFromWorld(definition, instance),
    );
    const exports = this.#check
      .checkExports(exported, this.#budget)
      .map(({ name, lift }) => ({ name, lift: this.#liftNumber(lift) }));
    return {
      format: PLAN_FORMAT,
      componentInstances: this.#componentInstances,
      hostResources: this.#check.hostResources,
      steps: this.#steps,
      lifts: this.#lifts,
      elements: Array.from(this.#elements, ([number, type]) => ({ number, type })),
      exports,
      memoryPages: this.#memoryPages,
      canFreeze: this.#canFreeze,
    };
  }

  #instantiate(
    component: ComponentSyntax,
    place: Pick<InstanceInMaking, "scope" | "parent" | "depth" | "checksDefinitions">,
    supply: Supply,
  ): ReadonlyMap<string, Entity> {
    const instance: InstanceInMaking = {
      ...place,
      exports: new Map(),
      importNames: new ExternNames("import"),
      exportNames: new ExternNames("export"),
      number: undefined,
    };
    for (const definition of component.definitions) {
      this.#budget.checkDepth(place.depth, definition.offset);
      this.#budget.spendDefinitions(1, definition.offset);
      this.#define(definition, instance, supply);
    }
    return instance.exports;
  }

  #define(definition: Definition, instance: InstanceInMaking, supply: Supply): void {
    const { scope } = instance;
    const { offset } = definition;
    switch (definition.kind) {
      case "core-module":
        scope.add({ sort: "core module", module: definition.module });
        return;
      case "core-instantiate":
        scope.add(this.#instantiateCore(definition.module, definition.args, scope, offset));
        return;
      case "core-exports":
        scope.add(this.#collectCoreExports(definition.exports, scope, offset));
        return;
      case "component": {
        const { component } = definition;
        const entity: ComponentEntity = { sort: "component", component, outer: scope.asOuter() };
        if (instance.checksDefinitions) this.#checkComponent(entity, instance.depth + 1);
        scope.add(entity);
        return;
      }
      case "instantiate":
        scope.add(this.#instantiateNested(definition, instance));
        return;
      case "exports": {
        const exports = this.#collect(definition.exports, "export", scope, offset);
        const names = new ExternNames("export");
        for (const [name, entity] of exports) names.add(name, entity, offset);
        scope.add({ sort: "instance", exports, isHost: false });
        return;
      }
      case "alias-export":
      case "alias-core-export":
      case "alias-outer":
        scope.add(resolveAlias(definition, scope, this.#budget, offset));
        return;
      case "type":
        scope.add({ sort: "type", type: this.#defineType(definition.type, instance, offset) });
        return;
      case "import": {
        const entity = supply(definition, instance);
        instance.importNames.add(definition.name, entity, offset);
        scope.add(entity);
        return;
      }
      case "export":
        this.#export(definition, instance);
        return;
      case "canon": {
        const { canon } = definition;
        if (canon.kind === "lift") scope.add(this.#lift(canon, instance, offset));
        else scope.add(this.#builtin(canon, instance, offset));
        return;
      }
      default:
        definition satisfies never;
    }
  }

  #supplyFromWorld(
    definition: Definition & { kind: "import" },
    instance: InstanceInMaking,
  ): Entity {
    const { name, type, offset } = definition;
    const place = { label: quoteName(name), offset, depth: instance.depth };
    const binding = this.#binding((problem) => this.#check.report(problem));
    if (type.kind === "instance") {
      return bindExtern(type, instance.scope, this.#check.offer(name), place, binding);
    }
    // A type that is equal to one that is known asks for nothing of the host.
    if (type.kind !== "type-equal") this.#check.refuseImport(name);
    return bindExtern(type, instance.scope, undefined, place, binding);
  }

  /**
   * Whether the component is consistent in itself, whatever is supplied to it, if it is ever instantiated: with stand-ins
   * for its imports, and without a plan.
   */
  #checkComponent({ component, outer }: ComponentEntity, depth: number): void {
    const checker = this.#checker();
    const place = { scope: new Scope(outer, "component"), parent: undefined, depth };
    const supply: Supply = ({ name, type, offset }, { scope }) => {
      const label = `the import ${quoteName(name)}`;
      const binding = checker.#strictBinding(offset);
      return bindExtern(type, scope, undefined, { label, offset, depth }, binding);
    };
    checkUnused(() => {
      checker.#instantiate(component, { ...place, checksDefinitions: true }, supply);
    });
  }

  /** Looks, and counts, by itself. */
  #checker(): Planner {
    const { modules, check, budgets, freshResource } = this.#planning;
    const at = (index: number): ModuleInterface => ({
      ...modules.interfaceOf(index),
      number: 0,
      makes: NOTHING_MADE,
      globals: undefined,
    });
    return new Planner({
      modules: { at, interfaceOf: (index) => modules.interfaceOf(index) },
      check,
      budgets: { plan: budgets.checks, checks: budgets.checks },
      freshResource,
    });
  }

  #instantiateNested(
    definition: Definition & { kind: "instantiate" },
    instance: InstanceInMaking,
  ): Entity {
    const { scope, depth } = instance;
    const { offset } = definition;
    const nested: ComponentEntity = scope.get("component", definition.component, offset);
    const args = this.#collect(definition.args, "argument", scope, offset);
    const exports = this.#instantiate(
      nested.component,
      {
        scope: new Scope(nested.outer, "component"),
        parent: instance,
        depth: depth + 1,
        checksDefinitions: false,
      },
      (imported, inner) => {
        const label = quoteName(imported.name);
        const supplied = args.get(imported.name);
        if (supplied === undefined) throw malformed(`the argument ${label} is missing`, offset);
        return bindExtern(
          imported.type,
          inner.scope,
          supplied,
          { label: `the argument ${label}`, offset, depth: depth + 1 },
          this.#strictBinding(offset),
        );
      },
    );
    return { sort: "instance", exports, isHost: false };
  }

  #export(definition: Definition & { kind: "export" }, instance: InstanceInMaking): void {
    const { name, sort, index, type, offset } = definition;
    const { scope, exports } = instance;
    if (sort.startsWith("core ") && sort !== "core module") {
      throw malformed(`expected the export of a component, found a ${sort}`, offset);
    }
    let entity: Entity = scope.get(sort, index, offset);
    if (type !== null) {
      const place = { label: `the export ${quoteName(name)}`, offset, depth: instance.depth };
      entity = bindExtern(type, scope, entity, place, this.#strictBinding(offset));
    }
    instance.exportNames.add(name, entity, offset);
    exports.set(name, entity);
    scope.add(entity);
  }

  #collect(
    items: readonly NamedSortIndex[],
    what: string,
    scope: Scope,
    offset: number,
  ): Map<string, Entity> {
    this.#budget.spendDefinitions(items.length, offset);
    const collected = new Map<string, Entity>();
    for (const { name, sort, index } of items) {
      if (collected.has(name))
        throw malformed(`the ${what} ${quoteName(name)} is there twice`, offset);
      collected.set(name, scope.get(sort, index, offset));
    }
    return collected;
  }

  #binding(report: (problem: string) => void): Binding {
    return {
      budget: this.#budget,
      typeNumbers: this.#typeNumbers,
      report,
      freshResource: this.#planning.freshResource,
      component: (_type, offset) => {
        throw unsupported("a component as import or export", offset);
      },
    };
  }

  /** Inside a component nothing is the author's choice any more: the toolchain made a mistake. */
  #strictBinding(offset: number): Binding {
    return this.#binding((problem) => {
      throw malformed(problem, offset);
    });
  }

  // Core instances.

  #instantiateCore(
    moduleIndex: number,
    args: readonly CoreArg[],
    scope: Scope,
    offset: number,
  ): CoreInstance {
    this.#budget.spendCoreModule(offset);
    const module = this.#planning.modules.at(scope.get("core module", moduleIndex, offset).module);
    this.#budget.spendCoreResources(module.makes, offset);
    this.#budget.spendDefinitions(args.length + module.imports.length, offset);
    const instances = new Map<string, CoreInstance>();
    for (const { name, instance } of args) {
      if (instances.has(name))
        throw malformed(`the argument ${quoteName(name)} is there twice`, offset);
      instances.set(name, scope.get("core instance", instance, offset));
    }
    const imports: CoreImport[] = module.imports.map((imported) => {
      const given = instances.get(imported.module)?.lookup(imported.name);
      const { sort } = imported.item;
      const mismatch =
        given?.sort === sort ? coreMismatch(imported.item, given) : `is not given a ${sort}`;
      if (given === undefined || mismatch !== undefined) {
        const name = `${quoteName(imported.module)} ${quoteName(imported.name)}`;
        throw malformed(`the core import ${name} ${mismatch}`, offset);
      }
      return { module: imported.module, name: imported.name, from: this.#importSource(given) };
    });
    const instance = this.#coreInstanceCount;
    this.#coreInstanceCount += 1;
    const memories = Array.from(module.exports)
      .filter(([, { sort }]) => sort === "core memory")
      .map(([name]) => name);
    this.#memoryCount += memories.length;
    if (this.#memoryCount > MEMORIES_MAX) {
      throw tooComplex(`more than ${MEMORIES_MAX} exported memories`, offset);
    }
    this.#memoryPages += module.makes.memoryPages;
    this.#canFreeze &&= module.globals !== undefined;
    const globals = module.globals ?? [];
    this.#steps.push({ kind: "core-instance", module: module.number, imports, memories, globals });
    return {
      sort: "core instance",
      lookup: (name) => {
        const item = module.exports.get(name);
        return item === undefined ? undefined : { ...item, from: { instance, name } };
      },
    };
  }

  #collectCoreExports(
    items: readonly NamedSortIndex[],
    scope: Scope,
    offset: number,
  ): CoreInstance {
    const exports = new Map<string, CoreItem>();
    for (const [name, item] of this.#collect(items, "core export", scope, offset)) {
      if (!isCoreItem(item))
        throw malformed(`expected a core export, found a ${item.sort}`, offset);
      exports.set(name, item);
    }
    return { sort: "core instance", lookup: (name) => exports.get(name) };
  }

  #importSource(item: CoreItem): CoreImportSource {
    return "make" in item.from ? { trampoline: this.#trampolineNumber(item.from) } : item.from;
  }

  #trampolineNumber(pending: PendingTrampoline): number {
    if (pending.number === undefined) {
      if (this.#trampolineCount >= TRAMPOLINES_MAX) {
        throw tooComplex(`more than ${TRAMPOLINES_MAX} functions that are given to core modules`);
      }
      this.#steps.push({ kind: "trampoline", trampoline: pending.make() });
      pending.number = this.#trampolineCount;
      this.#trampolineCount += 1;
    }
    return pending.number;
  }

  // Component instances and what belongs to them.

  #instanceNumber(instance: InstanceInMaking): number {
    if (instance.number === undefined) {
      const parent = instance.parent === undefined ? null : this.#instanceNumber(instance.parent);
      instance.number = this.#componentInstances.length;
      this.#componentInstances.push({ parent });
    }
    return instance.number;
  }

  #context(
    instance: InstanceInMaking,
    memory: CoreExportReference | null,
    realloc: CoreExportReference | null,
  ): number {
    const componentInstance = this.#instanceNumber(instance);
    const key = JSON.stringify([componentInstance, memory, realloc]);
    let number = this.#contexts.get(key);
    if (number === undefined) {
      this.#steps.push({ kind: "context", componentInstance, memory, realloc });
      number = this.#contexts.size;
      this.#contexts.set(key, number);
    }
    return number;
  }

  #defineType(syntax: TypeSyntax, instance: InstanceInMaking, offset: number): ResolvedType {
    if (syntax.kind !== "resource") {
      const making = { budget: this.#budget, typeNumbers: this.#typeNumbers };
      const type = resolveType(syntax, instance.scope, making, offset);
      const isScope = type.kind === "instance" || type.kind === "component";
      if (isScope && instance.checksDefinitions) this.#checkScopeType(type, instance.depth, offset);
      return type;
    }
    return this.#defineResource(syntax.destructor, instance, offset);
  }

  #checkScopeType(type: ScopeType, depth: number, offset: number): void {
    const checker = this.#checker();
    checkScopeType(
      type,
      { label: "a type", offset, depth: depth + 1 },
      {
        ...checker.#strictBinding(offset),
        // It is only said to be one.
        component: ({ outer }) => ({ sort: "component", component: NO_DEFINITIONS, outer }),
      },
    );
  }

  #defineResource(
    destructor: number | null,
    instance: InstanceInMaking,
    offset: number,
  ): ResourceType {
    const resource = this.#planning.freshResource();
    // The host may hold one, and with it a destructor of core instances that would be gone.
    this.#canFreeze &&= destructor === null;
    this.#steps.push({
      kind: "guest-resource",
      resource,
      componentInstance: this.#instanceNumber(instance),
      destructor: this.#optionalCoreFunc(destructor, DESTRUCTOR_ROLE, instance.scope, offset),
    });
    return { kind: "resource", resource, definedIn: instance };
  }

  // Lifting and lowering.

  #lift(
    definition: CanonSyntax & { kind: "lift" },
    instance: InstanceInMaking,
    offset: number,
  ): FuncEntity {
    const { scope } = instance;
    const { options } = definition;
    const { type } = scope.get("type", definition.type, offset);
    if (type.kind !== "func") throw malformed("expected the type of a function to lift", offset);
    if (options.async && !type.type.async) {
      throw malformed("expected an async function type for the option async", offset);
    }
    const references = this.#memoryOptions(options, scope, offset);
    this.#requireOptions(type, options, "lift", offset);
    const lifted = { what: "a lifted function", signature: liftedSignature(type.type, options) };
    const coreFunc = this.#coreFunc(definition.coreFunc, lifted, scope, offset);
    const after = { what: "post-return", signature: postReturnSignature(lifted.signature) };
    const postReturn = this.#optionalCoreFunc(options.postReturn, after, scope, offset);
    const callback = this.#optionalCoreFunc(options.callback, CALLBACK_ROLE, scope, offset);
    const lift: PendingLift = {
      number: undefined,
      make: () => {
        this.#budget.spendTypeNodes(type.nodes, offset);
        return {
          type: type.type,
          coreFunc,
          stringEncoding: options.stringEncoding,
          context: this.#context(instance, references.memory, references.realloc),
          async: options.async,
          resultNumber: options.async
            ? this.#typeNumbers.numberOf(type.type.result, type.nodes)
            : NO_TYPE,
          postReturn,
          callback,
        };
      },
    };
    return { sort: "func", type, origin: { kind: "lift", lift } };
  }

  #liftNumber(lift: PendingLift): number {
    if (lift.number === undefined) {
      const plan = lift.make();
      lift.number = this.#lifts.length;
      this.#lifts.push(plan);
    }
    return lift.number;
  }

  #lower(
    definition: CanonSyntax & { kind: "lower" },
    instance: InstanceInMaking,
    offset: number,
  ): Builtin {
    const { scope } = instance;
    const { options } = definition;
    const { type, origin } = scope.get("func", definition.func, offset);
    if (options.postReturn !== null || options.callback !== null) {
      throw malformed(
        "expected no post-return and no callback where a function is lowered",
        offset,
      );
    }
    if (options.async && !type.type.async) {
      throw malformed("expected an async function type for the option async", offset);
    }
    const { memory, realloc } = this.#memoryOptions(options, scope, offset);
    this.#requireOptions(type, options, "lower", offset);
    const make = (): TrampolinePlan => {
      const context = this.#context(instance, memory, realloc);
      const { async, stringEncoding } = options;
      this.#budget.spendTypeNodes(type.nodes, offset);
      switch (origin.kind) {
        case "host": {
          const { interfaceName, name, suspends } = origin;
          const kind = "lower-host";
          return {
            kind,
            interfaceName,
            name,
            suspends,
            type: type.type,
            async,
            stringEncoding,
            context,
          };
        }
        case "lift": {
          const lift = this.#liftNumber(origin.lift);
          return { kind: "lower-lift", lift, async, stringEncoding, context };
        }
        case "missing": {
          // Never linked: the world check has the problem, and refuses the component at the end.
          const missing = { interfaceName: "", name: "", suspends: false };
          return {
            kind: "lower-host",
            ...missing,
            type: type.type,
            async,
            stringEncoding,
            context,
          };
        }
        default:
          return unreachable(origin);
      }
    };
    return { signature: loweredSignature(type.type, options.async), make };
  }

  #builtin(
    definition: Exclude<CanonSyntax, { kind: "lift" }>,
    instance: InstanceInMaking,
    offset: number,
  ): CoreItem {
    const { make, signature } = this.#makeBuiltin(definition, instance, offset);
    return {
      sort: "core func",
      type: { ...signature, isPlain: true },
      from: { number: undefined, make },
    };
  }

  #makeBuiltin(
    definition: Exclude<CanonSyntax, { kind: "lift" }>,
    instance: InstanceInMaking,
    offset: number,
  ): Builtin {
    if (definition.kind === "lower") return this.#lower(definition, instance, offset);
    if (definition.kind === "task-return") return this.#taskReturn(definition, instance, offset);
    return {
      signature: builtinSignature(definition),
      make: this.#makePlainBuiltin(definition, instance, offset),
    };
  }

  #makePlainBuiltin(
    definition: Exclude<CanonSyntax, { kind: "lift" | "lower" | "task-return" }>,
    instance: InstanceInMaking,
    offset: number,
  ): () => TrampolinePlan {
    const { scope } = instance;
    switch (definition.kind) {
      case "resource-new":
      case "resource-rep":
      case "resource-drop": {
        const { kind } = definition;
        const type = resolveResource(definition.resource, scope, offset);
        if (kind !== "resource-drop" && type.definedIn !== instance) {
          throw malformed(`expected a resource that this component defines for ${kind}`, offset);
        }
        const { resource } = type;
        return () => ({ kind, resource, componentInstance: this.#instanceNumber(instance) });
      }
      case "context-get":
      case "context-set": {
        const { kind, slot } = definition;
        return () => ({ kind, slot, componentInstance: this.#instanceNumber(instance) });
      }
      case "waitable-set-wait":
      case "waitable-set-poll": {
        const { kind, cancellable } = definition;
        const memory = this.#memory(definition.memory, scope, offset);
        return () => ({ kind, cancellable, context: this.#context(instance, memory, null) });
      }
      case "thread-yield": {
        const { kind, cancellable } = definition;
        return () => ({ kind, cancellable, componentInstance: this.#instanceNumber(instance) });
      }
      case "subtask-cancel": {
        const { kind, async } = definition;
        return () => ({ kind, async, componentInstance: this.#instanceNumber(instance) });
      }
      case "end-new": {
        const { kind } = definition;
        const { type } = this.#endType(definition, scope, offset);
        return () => ({
          kind,
          type,
          componentInstance: this.#instanceNumber(instance),
        });
      }
      case "end-copy":
        return this.#endCopy(definition, instance, offset);
      case "end-cancel": {
        const { kind, side, async } = definition;
        const { type } = this.#endType(definition, scope, offset);
        return () => ({
          kind,
          side,
          async,
          type,
          componentInstance: this.#instanceNumber(instance),
        });
      }
      case "end-drop": {
        const { kind, side } = definition;
        const { type } = this.#endType(definition, scope, offset);
        return () => ({
          kind,
          side,
          type,
          componentInstance: this.#instanceNumber(instance),
        });
      }
      case "task-cancel":
      case "waitable-set-new":
      case "waitable-set-drop":
      case "waitable-join":
      case "subtask-drop":
      case "backpressure-set":
      case "backpressure-inc":
      case "backpressure-dec": {
        const { kind } = definition;
        return () => ({ kind, componentInstance: this.#instanceNumber(instance) });
      }
      default:
        return unreachable(definition);
    }
  }

  #taskReturn(
    definition: CanonSyntax & { kind: "task-return" },
    instance: InstanceInMaking,
    offset: number,
  ): Builtin {
    const { options } = definition;
    const { async, realloc, postReturn, callback, stringEncoding } = options;
    if (async || realloc !== null || postReturn !== null || callback !== null) {
      throw malformed(
        "expected only the options memory and string-encoding for task.return",
        offset,
      );
    }
    const { scope } = instance;
    const value =
      definition.result === null ? null : resolveReference(definition.result, scope, offset);
    const { memory } = this.#memoryOptions(options, scope, offset);
    const result = value?.type ?? null;
    if (result !== null) {
      this.#budget.spendTypeWalk(value?.nodes ?? 0, offset);
      const needsMemory = containsPointer(result) || layoutOf(result).flat.length > FLAT_PARAMS_MAX;
      if (needsMemory && memory === null) throw malformed("expected the option memory", offset);
    }
    const make = (): TrampolinePlan => {
      const context = this.#context(instance, memory, null);
      const resultNumber = this.#typeNumbers.numberOf(result, value?.nodes ?? 0);
      this.#budget.spendTypeNodes(value?.nodes ?? 0, offset);
      return { kind: "task-return", result, resultNumber, stringEncoding, context };
    };
    return { signature: taskReturnSignature(result), make };
  }

  /** Reads lower the elements into the guest, and writes lift them from there. */
  #endCopy(
    definition: CanonSyntax & { kind: "end-copy" },
    instance: InstanceInMaking,
    offset: number,
  ): () => TrampolinePlan {
    const { kind, side, options } = definition;
    const { async, postReturn, callback, stringEncoding } = options;
    const { scope } = instance;
    if (postReturn !== null || callback !== null) {
      throw malformed("expected no post-return and no callback for a copy", offset);
    }
    const end = this.#endType(definition, scope, offset);
    const { memory, realloc } = this.#memoryOptions(options, scope, offset);
    const { type, element } = end;
    this.#budget.spendTypeWalk(end.nodes, offset);
    if (element !== null && memory === null) throw malformed("expected the option memory", offset);
    if (side === "readable" && realloc === null && element !== null && containsPointer(element)) {
      throw malformed("expected the option realloc", offset);
    }
    return () => {
      this.#planElement(end, offset);
      const context = this.#context(instance, memory, realloc);
      return { kind, side, async, stringEncoding, type, context };
    };
  }

  #endType(
    { end, type: index }: { readonly end: EndKind; readonly type: number },
    scope: Scope,
    offset: number,
  ): SizedEnd {
    const { type, nodes } = resolveReference(index, scope, offset);
    if (type.kind !== end) throw malformed(`expected the type of a ${end}`, offset);
    const { element, elementNumber } = type;
    return { type: { kind: end, elementNumber }, element, nodes };
  }

  #planElement({ type, element, nodes }: SizedEnd, offset: number): void {
    if (element === null || this.#elements.has(type.elementNumber)) return;
    this.#budget.spendTypeNodes(nodes, offset);
    this.#elements.set(type.elementNumber, element);
  }

  #memoryOptions(
    options: CanonOptionsSyntax,
    scope: Scope,
    offset: number,
  ): { readonly memory: CoreExportReference | null; readonly realloc: CoreExportReference | null } {
    const memory = options.memory === null ? null : this.#memory(options.memory, scope, offset);
    return {
      memory,
      realloc: this.#optionalCoreFunc(options.realloc, REALLOC_ROLE, scope, offset),
    };
  }

  /** Values that do not fit into core values pass through memory, and room for them is the guest's to give. */
  #requireOptions(
    { type, nodes }: SizedFunc,
    options: CanonOptionsSyntax,
    direction: "lift" | "lower",
    offset: number,
  ): void {
    this.#budget.spendTypeWalk(nodes, offset);
    const params = type.params.map((param) => param.type);
    const results = type.result === null ? [] : [type.result];
    const isAsyncLower = options.async && direction === "lower";
    const asyncResultsMax = isAsyncLower ? 0 : FLAT_PARAMS_MAX;
    const resultsMax = options.async ? asyncResultsMax : FLAT_RESULTS_MAX;
    const paramsMax = isAsyncLower ? FLAT_ASYNC_PARAMS_MAX : FLAT_PARAMS_MAX;
    const spills = flatCount(params) > paramsMax;
    const intoGuest = direction === "lift" ? params : results;
    const needsRealloc = intoGuest.some(containsPointer) || (direction === "lift" && spills);
    const needsMemory =
      needsRealloc ||
      spills ||
      flatCount(results) > resultsMax ||
      [...params, ...results].some(containsPointer);
    if (needsMemory && options.memory === null)
      throw malformed("expected the option memory", offset);
    if (needsRealloc && options.realloc === null)
      throw malformed("expected the option realloc", offset);
  }

  #optionalCoreFunc(
    index: number | null,
    role: CoreRole,
    scope: Scope,
    offset: number,
  ): CoreExportReference | null {
    return index === null ? null : this.#coreFunc(index, role, scope, offset);
  }

  #coreFunc(
    index: number,
    { what, signature }: CoreRole,
    scope: Scope,
    offset: number,
  ): CoreExportReference {
    const { type, from } = scope.get("core func", index, offset);
    if (!hasSignature(type, signature)) {
      throw malformed(
        `expected ${what} of the core type ${describeSignature(signature)}, found ${describeSignature(type)}`,
        offset,
      );
    }
    return coreExport(from, what, offset);
  }

  #memory(index: number, scope: Scope, offset: number): CoreExportReference {
    const { type, from } = scope.get("core memory", index, offset);
    if (type.is64) throw malformed("expected a memory with 32-bit addresses", offset);
    return coreExport(from, "a memory", offset);
  }
}

/** What a core function is there for, and the type that it must have. */
interface CoreRole {
  readonly what: string;
  readonly signature: CoreSignature;
}

const REALLOC_ROLE: CoreRole = { what: "realloc", signature: REALLOC };
const CALLBACK_ROLE: CoreRole = { what: "a callback", signature: CALLBACK };
const DESTRUCTOR_ROLE: CoreRole = { what: "a destructor", signature: DESTRUCTOR };

function coreExport(from: CoreItem["from"], what: string, offset: number): CoreExportReference {
  if ("make" in from) throw unsupported(`${what} that is not the export of a core module`, offset);
  return from;
}

function isCoreItem(entity: Entity): entity is CoreItem {
  return (
    entity.sort.startsWith("core ") &&
    entity.sort !== "core module" &&
    entity.sort !== "core instance"
  );
}

function flatCount(types: readonly ValueType[]): number {
  return types.reduce((sum, type) => sum + layoutOf(type).flat.length, 0);
}

function unreachable(value: never): never {
  throw new Error(`unreachable: ${JSON.stringify(value)}`);
}
