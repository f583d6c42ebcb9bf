import type { CoreItemType } from "../core/core-interface.ts";
import type { CoreExportReference, LiftPlan, TrampolinePlan } from "./plan.ts";
import type { ComponentSyntax, Declaration, SortName } from "./syntax.ts";
import type { Scope } from "./scope.ts";
import type { FuncType, ResourceId, ValueType } from "./types.ts";

// What an index of a component stands for, once resolved.

export type Entity =
  | CoreItem
  | CoreModule
  | CoreInstance
  | FuncEntity
  | TypeEntity
  | ComponentEntity
  | InstanceEntity;

/** A core function, table, memory, global or tag. */
export type CoreItem = CoreItemType & { readonly from: CoreExportReference | PendingTrampoline };

/**
 * A core function that the engine makes; it becomes a step of the plan when something uses it.
 * The object is the function's identity.
 */
export interface PendingTrampoline {
  readonly make: () => TrampolinePlan;
  /** Its number in the plan, once it has one. */
  number: number | undefined;
}

/** A function that the component exports; it becomes a part of the plan when something calls it. */
export interface PendingLift {
  readonly make: () => LiftPlan;
  number: number | undefined;
}

export interface CoreModule {
  readonly sort: "core module";
  /** Among the distinct modules of the plan's component. */
  readonly module: number;
}

export interface CoreInstance {
  readonly sort: "core instance";
  readonly lookup: (name: string) => CoreItem | undefined;
}

export interface FuncEntity {
  readonly sort: "func";
  readonly type: SizedFunc;
  readonly origin: FuncOrigin;
}

export type FuncOrigin =
  | {
      readonly kind: "host";
      readonly interfaceName: string;
      readonly name: string;
      readonly suspends: boolean;
    }
  | { readonly kind: "lift"; readonly lift: PendingLift }
  /** Imported, and not offered: the component is refused once all its problems are known. */
  | { readonly kind: "missing" };

export interface TypeEntity {
  readonly sort: "type";
  readonly type: ResolvedType;
}

export type ResolvedType = SizedValue | SizedFunc | ResourceType | ScopeType;

/** A value type, and what it costs to walk it: shared parts count as often as they are reached. */
export interface SizedValue {
  readonly kind: "value";
  readonly type: ValueType;
  readonly nodes: number;
  readonly depth: number;
  readonly hasBorrow: boolean;
}

export interface SizedFunc {
  readonly kind: "func";
  readonly type: FuncType;
  readonly nodes: number;
}

export interface ResourceType {
  readonly kind: "resource";
  readonly resource: ResourceId;
  /** The component instance that defines it; undefined for resources of the host. */
  readonly definedIn: object | undefined;
}

/** The type of an instance or component: evaluated again for each use, with what is supplied there. */
export interface ScopeType {
  readonly kind: "instance" | "component";
  readonly declarations: readonly Declaration[];
  readonly outer: OuterScope;
}

export interface ComponentEntity {
  readonly sort: "component";
  readonly component: ComponentSyntax;
  readonly outer: OuterScope;
}

/** The scope around a definition, as far as it was filled when the definition was met. */
export interface OuterScope {
  readonly scope: Scope;
  readonly visible: Readonly<Record<"type" | "component" | "core module", number>>;
}

export interface InstanceEntity {
  readonly sort: "instance";
  readonly exports: ReadonlyMap<string, Entity>;
  /** An interface of the host: it declares functions and resources, and leaves other types to the guest. */
  readonly isHost: boolean;
}

export type EntityOf<S extends SortName> = Extract<Entity, { readonly sort: S }>;
