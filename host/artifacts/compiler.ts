import type { CompiledUpload, LoadedComponent } from "./compile-messages.ts";
import { CompilePool } from "./compile-pool.ts";
import type { CompilePoolOptions } from "./compile-pool.ts";
import { expectReply } from "./compile-thread.ts";
import type { CompiledArtifact } from "./app-record.ts";

export type CompilerOptions = Omit<CompilePoolOptions, "idleMs" | "threads">;

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

  constructor(options: CompilerOptions) {
    this.#uploads = new CompilePool({ ...options, idleMs: IDLE_MS, threads: UPLOAD_THREADS });
    this.#loads = new CompilePool({ ...options, idleMs: IDLE_MS, threads: 1 });
  }

  /** Starts the thread that loads, so that the first call of an app does not wait for it. */
  warmUp(): void {
    this.#loads.warmUp();
  }

  /** Checks, compiles and describes an uploaded file. Rejects with the `HostError` that says why not. */
  async compile(tenantId: string, componentPath: string): Promise<CompiledUpload> {
    const reply = await this.#uploads.run({ kind: "compile", tenantId, componentPath });
    return expectReply(reply, "compiled").upload;
  }

  /** Makes a stored revision runnable. */
  async load(
    tenantId: string,
    componentSha256: string,
    artifact: CompiledArtifact,
  ): Promise<LoadedComponent> {
    const reply = await this.#loads.run({ kind: "load", tenantId, componentSha256, artifact });
    return expectReply(reply, "loaded").loaded;
  }

  async close(): Promise<void> {
    await Promise.all([this.#uploads.close(), this.#loads.close()]);
  }
}
