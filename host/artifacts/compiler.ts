import type { CompiledUpload, LoadedComponent } from "./compile-messages.ts";
import { CompilePool } from "./compile-pool.ts";
import type { CompilePoolOptions } from "./compile-pool.ts";
import { expectReply } from "./compile-thread.ts";
import type { CompiledArtifact } from "./app-record.ts";
import type { CompileBounds, ComponentLimits } from "./component-limits.ts";

export interface CompilerOptions extends Omit<CompilePoolOptions, "idleMs" | "threads"> {
  /** For what is loaded: it was within the bounds of its tenant when it was uploaded. */
  readonly loadBounds: CompileBounds;
}

const IDLE_MS = 60_000;
/** Two, so that one upload that takes its full time limit holds up nobody of another tenant. */
const UPLOAD_THREADS = 2;

/**
 * From bytes on disk to components that executors can run, off the main thread. Uploads and loads
 * have threads of their own: an upload that takes its full time limit must not hold up the first call of
 * an app that was compiled long ago.
 */
export class Compiler {
  readonly #uploads: CompilePool;
  readonly #loads: CompilePool;
  readonly #loadBounds: CompileBounds;

  constructor({ loadBounds, ...options }: CompilerOptions) {
    this.#loadBounds = loadBounds;
    this.#uploads = new CompilePool({ ...options, idleMs: IDLE_MS, threads: UPLOAD_THREADS });
    this.#loads = new CompilePool({ ...options, idleMs: IDLE_MS, threads: 1 });
  }

  /** Starts the thread that loads, so that the first call of an app does not wait for it. */
  warmUp(): void {
    this.#loads.warmUp(this.#loadBounds);
  }

  /** Checks, compiles and describes an uploaded file. Rejects with the `HostError` that says why not. */
  async compile(
    tenantId: string,
    componentPath: string,
    limits: ComponentLimits,
    bounds: CompileBounds,
  ): Promise<CompiledUpload> {
    const request = { kind: "compile", tenantId, componentPath, limits } as const;
    const reply = await this.#uploads.run(request, bounds);
    return expectReply(reply, "compiled").upload;
  }

  /** Makes a stored revision runnable; `limits` are those of its upload. */
  async load(
    tenantId: string,
    componentSha256: string,
    artifact: CompiledArtifact,
    limits: ComponentLimits,
  ): Promise<LoadedComponent> {
    const request = { kind: "load", tenantId, componentSha256, artifact, limits } as const;
    const reply = await this.#loads.run(request, this.#loadBounds);
    return expectReply(reply, "loaded").loaded;
  }

  async close(): Promise<void> {
    await Promise.all([this.#uploads.close(), this.#loads.close()]);
  }
}
