// WebAssembly's JavaScript interface, as far as the engine uses it: TypeScript has it only together
// with all of the DOM. Includes JavaScript Promise Integration (`Suspending`, `promising`).
declare namespace WebAssembly {
  type ExportValue = ((...args: never[]) => unknown) | Memory | Table | Global | Tag;
  type ImportValue = ExportValue | Suspending | number | bigint;
  type ModuleImports = Record<string, ImportValue>;
  type Imports = Record<string, ModuleImports>;
  type ExternalKind = "function" | "table" | "memory" | "global" | "tag";

  class Module {
    constructor(bytes: Uint8Array);
    static customSections(module: Module, name: string): readonly ArrayBuffer[];
    static exports(
      module: Module,
    ): readonly { readonly name: string; readonly kind: ExternalKind }[];
    static imports(module: Module): readonly {
      readonly module: string;
      readonly name: string;
      readonly kind: ExternalKind;
    }[];
    private readonly brand: true;
  }

  class Instance {
    constructor(module: Module, imports?: Imports);
    readonly exports: Readonly<Record<string, ExportValue>>;
  }

  class Memory {
    constructor(descriptor: { readonly initial: number; readonly maximum?: number });
    readonly buffer: ArrayBuffer;
    grow(pages: number): number;
  }

  class Table {
    readonly length: number;
    /** The length before; throws `RangeError` where the maximum is less. */
    grow(delta: number): number;
    private readonly brand: true;
  }

  class Global {
    /** Of a number type: the engine reads no other ones. */
    get value(): number | bigint;
    set value(value: unknown);
    private readonly brand: true;
  }

  class Tag {
    private readonly brand: true;
  }

  /** A function that suspends the WebAssembly stack which calls it, when it returns a promise. */
  class Suspending {
    constructor(asyncFunction: (...args: never[]) => unknown);
    private readonly brand: true;
  }

  function validate(bytes: Uint8Array): boolean;

  /** Runs an exported function on a stack of its own, that may suspend. */
  function promising<Args extends unknown[]>(
    exported: (...args: Args) => unknown,
  ): (...args: Args) => Promise<unknown>;

  class RuntimeError extends Error {}
  class CompileError extends Error {}
  class LinkError extends Error {}
  class SuspendError extends Error {}
  /** What a guest threw by itself, with its own exception handling. */
  class Exception {
    private readonly brand: true;
  }
}
