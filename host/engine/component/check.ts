import { ComponentError } from "../engine.ts";
import type { ComponentErrorKind, InterfaceDeclaration, World } from "../engine.ts";
import type { Budget } from "./budget.ts";
import { describeFuncType } from "./describe-type.ts";
import type { Entity, InstanceEntity, PendingLift, SizedFunc } from "./entity.ts";
import { isCompatible, parseInterfaceName, parseVersion, quoteName } from "./names.ts";
import type { HostResourcePlan } from "./plan.ts";
import { isSameFunc } from "./type-equality.ts";
import { countNodes } from "./type-parts.ts";
import type { FuncType, ResourceId } from "./types.ts";

/**
 * Compares a component with the world it is to be linked in, and collects every problem: the author
 * sees all of them at once.
 *
 * K1. Imports are matched by name, compatible version and, for each function that is used, by type.
 * K2. What is not offered is linked to nothing: a component with a problem never becomes a plan.
 * K3. Interfaces may be used in part, and a component may export more than the world asks for.
 */
export class WorldCheck {
  readonly #world: World;
  readonly #interfaces: ReadonlyMap<string, InterfaceDeclaration>;
  readonly #offered = new Map<InterfaceDeclaration, InstanceEntity>();
  readonly #problems: string[] = [];
  readonly #importNames: string[] = [];
  #kind: ComponentErrorKind = "world-mismatch";
  #problemCount = 0;

  constructor(world: World) {
    this.#world = world;
    this.#interfaces = new Map(world.imports.map((declaration) => [declaration.name, declaration]));
  }

  /** The interfaces that the component imports, as it names them. */
  get importNames(): readonly string[] {
    return this.#importNames;
  }

  /** The resources of those interfaces. */
  get hostResources(): HostResourcePlan[] {
    return Array.from(this.#offered.keys(), ({ name: interfaceName, resources }) =>
      Object.entries(resources).map(([name, resource]) => ({ resource, interfaceName, name })),
    ).flat();
  }

  /** Above every resource that an interface declares: the component's own are counted from here. */
  get firstFreeResource(): ResourceId {
    const declared = this.#world.imports.flatMap((declaration) =>
      Object.values(declaration.resources),
    );
    return Math.max(-1, ...declared) + 1;
  }

  /** What the host offers under an import's name; undefined, and a problem, if nothing. */
  offer(importName: string): InstanceEntity | undefined {
    const parsed = parseInterfaceName(importName);
    const declaration = parsed === undefined ? undefined : this.#interfaces.get(parsed.name);
    if (parsed === undefined || declaration === undefined) {
      this.#add("import-not-allowed", `the import ${quoteName(importName)} is not offered`);
      return undefined;
    }
    const offeredVersion = parseVersion(declaration.version);
    if (offeredVersion === undefined) throw new Error(`${declaration.name} declares no version`);
    if (!isCompatible(declaration.name, parsed.version, offeredVersion)) {
      this.#add(
        "import-not-allowed",
        `the import ${quoteName(importName)} is not offered, only version ${declaration.version} of it`,
      );
      return undefined;
    }
    this.#importNames.push(importName);
    return this.#offerInterface(declaration);
  }

  refuseImport(importName: string): void {
    this.#add("import-not-allowed", `the import ${quoteName(importName)} is not offered`);
  }

  report(problem: string): void {
    this.#add("world-mismatch", problem);
  }

  /** The exports that the world asks for, and those it allows; each is a function of one of the types that it names. */
  checkExports(
    exports: ReadonlyMap<string, Entity>,
    budget: Budget,
  ): { readonly name: string; readonly lift: PendingLift }[] {
    const lifts: { readonly name: string; readonly lift: PendingLift }[] = [];
    const { exports: required, optionalExports = {} } = this.#world;
    for (const [name, types] of Object.entries({ ...required, ...optionalExports })) {
      const entity = exports.get(name);
      if (entity === undefined && Object.hasOwn(optionalExports, name)) continue;
      const expected = types.map((type) => describeFuncType(type)).join(" or ");
      if (entity === undefined) {
        this.report(`the export ${quoteName(name)} is missing, expected ${expected}`);
      } else if (entity.sort !== "func") {
        this.report(`the export ${quoteName(name)} is a ${entity.sort}, expected ${expected}`);
      } else if (!types.some((type) => isSameFunc(entity.type, sizedFunc(type), budget))) {
        const found = describeFuncType(entity.type.type);
        this.report(`the export ${quoteName(name)} is ${found}, expected ${expected}`);
      } else if (entity.origin.kind === "lift") {
        lifts.push({ name, lift: entity.origin.lift });
      } else {
        this.report(`the export ${quoteName(name)} only passes on an import`);
      }
    }
    return lifts;
  }

  /** Throws `ComponentError` with all problems, if there are any. */
  finish(): void {
    if (this.#problemCount === 0) return;
    const left = this.#problemCount - this.#problems.length;
    const rest = left > 0 ? [`and ${left} more`] : [];
    throw new ComponentError(this.#kind, [...this.#problems, ...rest]);
  }

  #offerInterface(declaration: InterfaceDeclaration): InstanceEntity {
    let offered = this.#offered.get(declaration);
    if (offered === undefined) {
      offered = { sort: "instance", exports: offeredExports(declaration), isHost: true };
      this.#offered.set(declaration, offered);
    }
    return offered;
  }

  #add(kind: "import-not-allowed" | "world-mismatch", problem: string): void {
    this.#problemCount += 1;
    if (kind === "import-not-allowed") this.#kind = kind;
    if (this.#problems.length < PROBLEMS_MAX) this.#problems.push(problem);
  }
}

const PROBLEMS_MAX = 50;

function offeredExports(declaration: InterfaceDeclaration): Map<string, Entity> {
  const exports = new Map<string, Entity>();
  for (const [name, resource] of Object.entries(declaration.resources)) {
    exports.set(name, {
      sort: "type",
      type: { kind: "resource", resource, definedIn: undefined },
    });
  }
  for (const [name, { type, suspends }] of Object.entries(declaration.functions)) {
    exports.set(name, {
      sort: "func",
      type: sizedFunc(type),
      origin: { kind: "host", interfaceName: declaration.name, name, suspends },
    });
  }
  return exports;
}

/** Declarations are the host's own and small: their size is counted where they are met. */
function sizedFunc(type: FuncType): SizedFunc {
  const values = type.params.map((param) => param.type);
  if (type.result !== null) values.push(type.result);
  return {
    kind: "func",
    type,
    nodes: values.reduce((sum, value) => sum + countNodes(value) + 1, 1),
  };
}
