import { createHash } from "node:crypto";

/**
 * Compiled core modules by the SHA-256 of their bytes. The language runtime is the same module in
 * nearly every app: it is compiled once, and its machine code is shared by all threads.
 */
export class ModuleCache {
  readonly #modules = new Map<string, WebAssembly.Module>();

  /** Throws `WebAssembly.CompileError`. `sha256` must be that of the bytes. */
  compile(sha256: string, bytes: Uint8Array): WebAssembly.Module {
    const module = this.#modules.get(sha256) ?? new WebAssembly.Module(bytes);
    // The least recently used one is first, and goes when there are too many.
    this.#modules.delete(sha256);
    this.#modules.set(sha256, module);
    for (const oldest of this.#modules.keys()) {
      if (this.#modules.size <= MODULES_MAX) break;
      this.#modules.delete(oldest);
    }
    return module;
  }
}

/** Machine code of a language runtime takes some megabytes: enough for those in use, and no more. */
const MODULES_MAX = 16;

export function hashModule(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
