import type { FuncType, ComponentValue, ResourceId } from "./component/types.ts";

/**
 * The engine: from component bytes to a callable, suspendable instance. It knows nothing of
 * tenants, HTTP or threads, and nothing outside this folder knows of V8 or JSPI: a second engine
 * can stand beside this one.
 *
 * E1. An instance runs one call at a time; a second call while one runs is a bug of the caller.
 * E2. After a trap, or an abandoned call, an instance is dead and every further call is refused.
 * E3. No byte of a component becomes JavaScript source, and no name of it a property of a shared object.
 */
export interface Engine {
  /**
   * Decodes, checks against `world`, and compiles. Takes CPU time and memory in proportion to
   * untrusted input: call it in a thread with limits. Throws `ComponentError`.
   */
  compile(
    component: Uint8Array,
    world: World,
    limits: CompileLimits,
    ownership?: Ownership,
  ): Compilation;

  /** Makes a component runnable again, from what `compile` gave to be stored. */
  load(stored: LoadableComponent): CompiledComponent;

  /** Whether `load` can do without the bytes of a module: one that all share, and this engine has compiled lately. */
  hasModule(sha256: string): boolean;

  /** Does ahead what the first `instantiate` of a component would do for all of them. */
  prepare(compiled: CompiledComponent): void;

  /**
   * Runs the link steps (and with them start functions). Throws `Trap`, and `RangeError` where there
   * is no memory or address space for one more.
   */
  instantiate(compiled: CompiledComponent, links: Links, bounds?: Bounds): Instance;
}

/** What a guest may use. Without bounds it is not stopped, and what it uses is counted all the same. */
export interface Bounds {
  /** Linear memory of all its core instances: past it, `memory.grow` answers -1, as for any full memory. */
  readonly memoryBytesMax: number;
  /** Asked before its memories get so many bytes more, within that, or the engine for its handles; false is as for a full memory. */
  readonly takeMemory?: (bytes: number) => boolean;
  /**
   * Called whenever the guest has computed for a while, start functions included: some ten microseconds, or at
   * most some milliseconds. What it throws ends the guest there and then: its call rejects with it.
   * With a promise the guest is put aside until that settles; only where it `canWait`.
   */
  readonly onFuelSpent: (canWait: boolean) => Promise<void> | undefined;
  /** Called when the guest lets others go on, and settles when it is its turn again; without it, in the next turn of the event loop. */
  readonly onYield?: () => Promise<void>;
  /** Called when the guest waits: no code of it runs from now on. */
  readonly onSuspend?: () => void;
  /** Called each time before code of the guest runs that had waited, with nobody else's in between. */
  readonly onResume?: () => void;
}

/** What a component must and may be linked with. */
export interface World {
  readonly imports: readonly InterfaceDeclaration[];
  /** Each export must be there with one of these types; further exports are ignored. */
  readonly exports: Readonly<Record<string, readonly FuncType[]>>;
  /** The same for those that may be missing: `Instance.has` says whether they are there. */
  readonly optionalExports?: Readonly<Record<string, readonly FuncType[]>>;
}

/** One WIT interface as the host offers it: names and types, no behaviour. Plain data. */
export interface InterfaceDeclaration {
  /** Without the version, for example `downpour:faas/state`. */
  readonly name: string;
  /** A component may import any version that is semver-compatible and not newer than offered, except for WASI 0.2 (any patch). */
  readonly version: string;
  readonly resources: Readonly<Record<string, ResourceId>>;
  readonly functions: Readonly<Record<string, FunctionDeclaration>>;
}

export interface FunctionDeclaration {
  readonly type: FuncType;
  /** A sync import costs no promise; a suspending one may return one, and the guest waits without a thread. */
  readonly suspends: boolean;
}

export interface CompileLimits {
  readonly componentBytesMax: number;
  readonly nestingDepthMax: number;
  /** Of the component, of those in it, and of the core modules that it uses. */
  readonly sectionsMax: number;
  /** Defined by the core modules that it uses. */
  readonly coreFunctionsMax: number;
  readonly coreModulesMax: number;
  /** Parts of types: each type, field, case and name, and each 64 characters of a name. */
  readonly typeNodesMax: number;
  readonly definitionsMax: number;
  readonly nameBytesMax: number;
  /** What one instance of the component makes, over all its core instances. */
  readonly tablesMax: number;
  /** The sum of the maxima of its tables: V8 ends the process where they do not fit its heap. */
  readonly tableElementsMax: number;
  /** To this size a table may grow that was smaller: further, `table.grow` fails. */
  readonly grownTableElementsMax: number;
  /** Each takes gigabytes of address space. */
  readonly memoriesMax: number;
}

/**
 * Whose core modules are whose: equal ones have one machine code in the whole process. Without it,
 * all are shared.
 */
export interface Ownership {
  /** Who shares its modules with nobody else. */
  readonly owner: string;
  /** Whether a core module, by the SHA-256 of what was uploaded, is one for all owners. */
  readonly isShared: (sha256: string) => boolean;
}

export interface Compilation {
  readonly component: CompiledComponent;
  readonly stored: StoredComponent;
  readonly complexity: Complexity;
}

/** What a component has of that which `CompileLimits` bounds. */
export interface Complexity {
  readonly nestingDepth: number;
  readonly sections: number;
  readonly coreFunctions: number;
  readonly tableElements: number;
}

/**
 * Structured-cloneable, and small where it is cloned (code is shared between threads): made in the
 * compile thread, posted to the executors that run it.
 */
export interface CompiledComponent {
  /** Link steps and types, as text: threads that only pass it on do not build what it says. Its inside is the engine's own business. */
  readonly plan: string;
  readonly modules: readonly CompiledModule[];
  /** What the component imports, `namespace:package/interface@version`, for people. */
  readonly imports: readonly string[];
}

/** What is stored of a compiled component: `load` makes it runnable again. */
export interface StoredComponent {
  readonly plan: string;
  readonly modules: readonly {
    readonly sha256: string;
    readonly bytes: Uint8Array;
    readonly isShared: boolean;
  }[];
  readonly imports: readonly string[];
}

/** What is needed of a stored component to load it. */
export interface LoadableComponent extends Omit<StoredComponent, "modules"> {
  readonly modules: readonly {
    readonly sha256: string;
    /** May be left out as long as the engine says that it has the module. */
    readonly bytes: Uint8Array | undefined;
  }[];
}

export interface CompiledModule {
  /** Of the bytes that were compiled, lower-case hexadecimal: equal modules of one owner are compiled once. */
  readonly sha256: string;
  /** The engine's compiled form; opaque outside. */
  readonly code: object;
}

/** The functions behind each imported interface, for one instance. */
export type Links = Readonly<Record<string, InterfaceImplementation>>;

export interface InterfaceImplementation {
  readonly functions: Readonly<Record<string, (...args: never[]) => ComponentValue>>;
  /** Called when the guest drops its last handle of an owned resource. */
  readonly drop?: Readonly<Record<string, (resource: never) => void>>;
}

export interface Instance {
  /** Whether there is an export of the world: those that may be missing. */
  has(name: string): boolean;
  /**
   * Calls an export of the world. Rejects with `Trap` when the guest traps, and with the reason of
   * `abandon`; both leave the instance dead (E2).
   */
  call(name: string, args: readonly ComponentValue[]): Promise<ComponentValue>;
  /**
   * Gives up on the instance: a running call rejects with `reason` at once and its guest is never
   * resumed. Without a running call it only marks the instance dead.
   */
  abandon(reason: Error): void;
  /**
   * Puts an idle instance aside: only what its calls changed is kept, outside of the JavaScript heap.
   * The next call brings it back, at the price of a new instance; it rejects with `RangeError`, and
   * the instance stays frozen, while there is no memory for that. Says whether the instance is frozen:
   * one in a call is not, nor one with state that cannot be put aside.
   */
  freeze(): boolean;
  readonly isDead: boolean;
  /** Of all its calls: about one for each instruction, for those that only may have run, too. */
  readonly fuelUsed: number;
  /** Linear memory of all its core instances, in bytes; of a frozen one, what is kept of it. And of many handles, what these take. */
  readonly memoryBytes: number;
}

/**
 * Traps that authors run into: the call ended, and nothing can give its result any more; the guest
 * called itself too deeply.
 */
export type TrapReason = "never-returned" | "stack-exhausted";

/** The guest did what the specification ends with a trap. The message names no host internals. */
export class Trap extends Error {
  override readonly name = "Trap";
  readonly reason: TrapReason | undefined;

  constructor(
    message: string,
    options: { readonly cause?: unknown; readonly reason?: TrapReason } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.reason = options.reason;
  }
}

/** Why a component was refused. `kind` maps onto one error code of the host each. */
export type ComponentErrorKind =
  | "malformed"
  | "core-module"
  | "unsupported"
  | "too-complex"
  | "import-not-allowed"
  | "world-mismatch";

export class ComponentError extends Error {
  override readonly name = "ComponentError";
  readonly kind: ComponentErrorKind;
  /** Every problem found, in a function author's words, sanitised and of bounded length; the message is the first. */
  readonly problems: readonly string[];
  /** Byte offset in the upload, where there is one. */
  readonly offset: number | undefined;
  /** The limit that a component is too complex for. */
  readonly limit: keyof CompileLimits | undefined;

  constructor(
    kind: ComponentErrorKind,
    problems: readonly string[],
    offset?: number,
    limit?: keyof CompileLimits,
  ) {
    super(problems[0] ?? kind);
    this.kind = kind;
    this.problems = problems;
    this.offset = offset;
    this.limit = limit;
  }
}
