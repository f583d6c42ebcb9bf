import { Type } from "typebox";
import type { Static } from "typebox";
import type { CompileLimits } from "../engine/engine.ts";

const whole = Type.Integer();

/**
 * What one component may have: the quotas of its tenant when it was uploaded. It is recorded with the
 * revision, which therefore can be compiled anew whatever the tenant may have by then.
 */
export const ComponentLimits = Type.Object({
  /** Elements of all tables of one instance; one table grows to a tenth of it. */
  tableElementsMax: whole,
  /** Functions in its core modules. */
  componentFunctionsMax: whole,
  /** Sections of the component and of what is in it. */
  componentSectionsMax: whole,
  /** Components inside each other. */
  componentNestingMax: whole,
});
export type ComponentLimits = Readonly<Static<typeof ComponentLimits>>;

/** What everybody had before tenants had quotas of it: revisions of then have none recorded. */
export const EARLIER_LIMITS: ComponentLimits = {
  tableElementsMax: 100_000,
  componentFunctionsMax: 1_000_000,
  componentSectionsMax: 1_000_000,
  componentNestingMax: 32,
};

/** Equal for equal limits. */
export function limitsKey(limits: ComponentLimits): string {
  const entries = Object.entries(limits).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return entries.map(([name, value]) => `${name}=${value}`).join(",");
}

/** What checking, compiling and describing one upload may take. */
export interface CompileBounds {
  readonly timeMaxMs: number;
  /** JavaScript heap of the thread. */
  readonly heapMibMax: number;
}

/** So many tables of an instance may grow as far as they can: toolchains make one that can, or none. */
const GROWN_TABLES = 10;

/** With what an upload has no quota for. How large it may be is decided while it is received. */
export function toCompileLimits(limits: ComponentLimits): CompileLimits {
  return {
    componentBytesMax: Number.MAX_SAFE_INTEGER,
    nestingDepthMax: limits.componentNestingMax,
    sectionsMax: limits.componentSectionsMax,
    coreFunctionsMax: limits.componentFunctionsMax,
    coreModulesMax: 256,
    typeNodesMax: 200_000,
    definitionsMax: 200_000,
    nameBytesMax: 1_024,
    // QuickJS takes 3 tables with 800 elements and 3 memories, StarlingMonkey a table of 7,700 elements. An element
    // takes about 20 bytes of V8's heap, which ends the thread of all its instances where it is full.
    tablesMax: 64,
    tableElementsMax: limits.tableElementsMax,
    grownTableElementsMax: Math.floor(limits.tableElementsMax / GROWN_TABLES),
    memoriesMax: 16,
  };
}

/** The quota behind a limit of the engine; the others are the same for everybody. */
export const QUOTA_OF_LIMIT: ReadonlyMap<keyof CompileLimits, keyof ComponentLimits> = new Map([
  ["nestingDepthMax", "componentNestingMax"],
  ["sectionsMax", "componentSectionsMax"],
  ["coreFunctionsMax", "componentFunctionsMax"],
  ["tableElementsMax", "tableElementsMax"],
]);
