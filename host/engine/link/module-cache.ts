import { hash } from "node:crypto";
import type { ModuleInterface } from "../component/build-plan.ts";
import type { CompileLimits } from "../engine.ts";
import { isOwned } from "./owned-module.ts";

/** What a core module became at upload. */
export interface RewrittenModule extends Pick<ModuleInterface, "makes" | "globals"> {
  readonly sha256: string;
  readonly bytes: Uint8Array;
}

/**
 * The core modules that all owners share: compiled, by the SHA-256 of their bytes, and what they were rewritten
 * to, by that of what was uploaded. The language runtime is the same module in nearly every app: it is
 * rewritten and compiled once, and its machine code is shared by all threads. What is one owner's is not
 * kept: how long its next upload takes would tell how many modules others have uploaded since.
 */
export class ModuleCache {
  readonly #modules = new Map<string, WebAssembly.Module>();
  readonly #rewritten = new Map<string, RewrittenModule>();

  has(sha256: string): boolean {
    return this.#modules.has(sha256);
  }

  get(sha256: string): WebAssembly.Module | undefined {
    const module = this.#modules.get(sha256);
    if (module !== undefined) keep(this.#modules, sha256, module, MODULES_MAX);
    return module;
  }

  /** Of a module that all owners share: how long it takes says whether somebody uploaded it before. */
  rewritten(
    uploadedSha256: string,
    { grownTableElementsMax }: Pick<CompileLimits, "grownTableElementsMax">,
    rewrite: () => RewrittenModule,
  ): RewrittenModule {
    const key = `${uploadedSha256} ${grownTableElementsMax}`;
    const module = this.#rewritten.get(key) ?? withoutUpload(rewrite());
    keep(this.#rewritten, key, module, REWRITTEN_MAX);
    return module;
  }

  /** Throws `WebAssembly.CompileError`. `sha256` must be that of the bytes. */
  compile(sha256: string, bytes: Uint8Array): WebAssembly.Module {
    const module = this.#modules.get(sha256) ?? new WebAssembly.Module(bytes);
    if (!isOwned(module)) keep(this.#modules, sha256, module, MODULES_MAX);
    return module;
  }
}

/** What was not changed is a part of the upload, which would stay with it. */
function withoutUpload(module: RewrittenModule): RewrittenModule {
  return { ...module, bytes: new Uint8Array(module.bytes) };
}

/** The least recently used one is first, and goes when there are too many. */
function keep<T>(items: Map<string, T>, key: string, item: T, countMax: number): void {
  items.delete(key);
  items.set(key, item);
  for (const oldest of items.keys()) {
    if (items.size <= countMax) break;
    items.delete(oldest);
  }
}

/** Machine code of a language runtime takes some megabytes: enough for all of them, and no more. */
const MODULES_MAX = 16;
/** Their bytes: the runtimes of the SDK, and what links them, are six. */
const REWRITTEN_MAX = 8;

export function hashModule(bytes: Uint8Array): string {
  return hash("sha256", bytes);
}
