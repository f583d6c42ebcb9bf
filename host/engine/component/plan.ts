import type { ResourceId, FuncType, TypeNumber, ValueType } from "./types.ts";
import type { EndKind, EndSide, StringEncoding } from "./syntax.ts";

/**
 * A component ready to be linked: nested components are dissolved into one list of steps over core
 * modules, and every reference is a number. JSON-safe and structured-cloneable.
 *
 * L1. A step refers only to what steps before it made: executing is one pass without a search.
 * L2. The only names in here are those that WebAssembly asks for: of core imports and core exports.
 *     They are looked up in maps, and on objects without a prototype.
 * L3. What the world does not know of an app (further exports, unused functions) is not in the plan.
 */
export interface Plan {
  readonly format: typeof PLAN_FORMAT;
  readonly componentInstances: readonly ComponentInstancePlan[];
  readonly hostResources: readonly HostResourcePlan[];
  readonly steps: readonly LinkStep[];
  readonly lifts: readonly LiftPlan[];
  /** What is copied through streams and futures: each type once. */
  readonly elements: readonly { readonly number: TypeNumber; readonly type: ValueType }[];
  /** The exports of the world. */
  readonly exports: readonly { readonly name: string; readonly lift: number }[];
  /** What the memories of all core instances begin with, in pages of 64 KiB. */
  readonly memoryPages: number;
  /** Whether memories and `globals` are all that changes in the core instances. */
  readonly canFreeze: boolean;
}

/** Counted up whenever the meaning of a stored plan changes: an old one must be compiled again. */
export const PLAN_FORMAT = 4;

/** As a plan is stored and posted: who passes it on need not read it. */
export function writePlan(plan: Plan): string {
  return JSON.stringify(plan);
}

/** Plans come from `buildPlan`, by way of a thread or the host's own disk: only their age is in doubt. */
export function readPlan(text: string): Plan {
  const plan: unknown = JSON.parse(text);
  if (!isPlan(plan)) throw new Error("the component was compiled by another version of the engine");
  return plan;
}

function isPlan(value: unknown): value is Plan {
  return (
    typeof value === "object" && value !== null && "format" in value && value.format === PLAN_FORMAT
  );
}

export interface ComponentInstancePlan {
  /** The instance around it; null for the component itself. */
  readonly parent: number | null;
}

/** A resource of the host that the component may hold handles of. */
export interface HostResourcePlan {
  readonly resource: ResourceId;
  readonly interfaceName: string;
  readonly name: string;
}

/** An export of a core instance, by the number of the step's own count of core instances. */
export interface CoreExportReference {
  readonly instance: number;
  readonly name: string;
}

/** Where a core import comes from: another instance's export, or a function that the engine makes. */
export type CoreImportSource = CoreExportReference | { readonly trampoline: number };

export interface CoreImport {
  readonly module: string;
  readonly name: string;
  readonly from: CoreImportSource;
}

/** Steps of one kind count up from 0: the third "context" step makes context 2. */
export type LinkStep =
  | {
      readonly kind: "core-instance";
      readonly module: number;
      readonly imports: readonly CoreImport[];
      /** The names of its exported memories. */
      readonly memories: readonly string[];
      /** The names of the exported globals that it defines and may change. */
      readonly globals: readonly string[];
    }
  | {
      readonly kind: "context";
      readonly componentInstance: number;
      readonly memory: CoreExportReference | null;
      readonly realloc: CoreExportReference | null;
    }
  | {
      readonly kind: "guest-resource";
      readonly resource: ResourceId;
      readonly componentInstance: number;
      readonly destructor: CoreExportReference | null;
    }
  | { readonly kind: "trampoline"; readonly trampoline: TrampolinePlan };

/** The type of a stream or future, one of whose ends a built-in is about: the same where both are. */
export interface NumberedEnd {
  readonly kind: EndKind;
  readonly elementNumber: TypeNumber;
}

/** A core function that the engine makes. `context` names a step, `componentInstance` an instance. */
export type TrampolinePlan =
  | {
      readonly kind: "lower-host";
      readonly interfaceName: string;
      readonly name: string;
      readonly type: FuncType;
      readonly suspends: boolean;
      readonly async: boolean;
      readonly stringEncoding: StringEncoding;
      readonly context: number;
    }
  | {
      readonly kind: "lower-lift";
      readonly lift: number;
      readonly async: boolean;
      readonly stringEncoding: StringEncoding;
      readonly context: number;
    }
  | {
      readonly kind: "resource-new" | "resource-drop" | "resource-rep";
      readonly resource: ResourceId;
      readonly componentInstance: number;
    }
  | {
      readonly kind: "task-return";
      readonly result: ValueType | null;
      readonly resultNumber: TypeNumber;
      readonly stringEncoding: StringEncoding;
      readonly context: number;
    }
  | {
      readonly kind: "context-get" | "context-set";
      readonly slot: 0 | 1;
      readonly componentInstance: number;
    }
  | {
      readonly kind: "waitable-set-wait" | "waitable-set-poll";
      readonly cancellable: boolean;
      readonly context: number;
    }
  | {
      readonly kind: "thread-yield";
      readonly cancellable: boolean;
      readonly componentInstance: number;
    }
  | {
      readonly kind: "subtask-cancel";
      readonly async: boolean;
      readonly componentInstance: number;
    }
  | {
      readonly kind: "end-new";
      readonly type: NumberedEnd;
      readonly componentInstance: number;
    }
  | {
      readonly kind: "end-copy";
      readonly type: NumberedEnd;
      readonly side: EndSide;
      readonly async: boolean;
      readonly stringEncoding: StringEncoding;
      readonly context: number;
    }
  | {
      readonly kind: "end-cancel";
      readonly type: NumberedEnd;
      readonly side: EndSide;
      readonly async: boolean;
      readonly componentInstance: number;
    }
  | {
      readonly kind: "end-drop";
      readonly type: NumberedEnd;
      readonly side: EndSide;
      readonly componentInstance: number;
    }
  | {
      readonly kind:
        | "task-cancel"
        | "waitable-set-new"
        | "waitable-set-drop"
        | "waitable-join"
        | "subtask-drop"
        | "backpressure-set"
        | "backpressure-inc"
        | "backpressure-dec";
      readonly componentInstance: number;
    };

/** Whether the guest's stack may have to wait inside of it; of a `lower-lift`, its callee says that. */
export function isSuspending(trampoline: TrampolinePlan): boolean {
  const { kind } = trampoline;
  if (kind === "lower-host") return trampoline.suspends && !trampoline.async;
  if (kind === "end-copy") return !trampoline.async;
  return kind === "waitable-set-wait" || kind === "thread-yield" || kind === "subtask-cancel";
}

export interface LiftPlan {
  readonly type: FuncType;
  readonly coreFunc: CoreExportReference;
  readonly stringEncoding: StringEncoding;
  readonly context: number;
  readonly async: boolean;
  /** Of the result of an asynchronously lifted one, for `task.return`. */
  readonly resultNumber: TypeNumber;
  readonly postReturn: CoreExportReference | null;
  readonly callback: CoreExportReference | null;
}
