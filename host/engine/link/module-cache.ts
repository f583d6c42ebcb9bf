import { hash } from "node:crypto";

/**
 * Compiled core modules by the SHA-256 of their bytes. The language runtime is the same module in
 * nearly every app: it is compiled once, and its machine code is shared by all threads.
 */
export class ModuleCache {
  readonly #modules = new Map<string, WebAssembly.Module>();

  has(sha256: string): boolean {
    return this.#modules.has(sha256);
  }

  get(sha256: string): WebAssembly.Module | undefined {
    const module = this.#modules.get(sha256);
    if (module !== undefined) this.#keep(sha256, module);
    return module;
  }

  /** Throws `WebAssembly.CompileError`. `sha256` must be that of the bytes. */
  compile(sha256: string, bytes: Uint8Array): WebAssembly.Module {
    const module = this.#modules.get(sha256) ?? new WebAssembly.Module(bytes);
    this.#keep(sha256, module);
    return module;
  }

  /** The least recently used one is first, and goes when there are too many. */
  #keep(sha256: string, module: WebAssembly.Module): void {
    this.#modules.delete(sha256);
    this.#modules.set(sha256, module);
    for (const oldest of this.#modules.keys()) {
      if (this.#modules.size <= MODULES_MAX) break;
      this.#modules.delete(oldest);
    }
  }
}

/** Machine code of a language runtime takes some megabytes: enough for those in use, and no more. */
const MODULES_MAX = 16;

export function hashModule(bytes: Uint8Array): string {
  return hash("sha256", bytes);
}
