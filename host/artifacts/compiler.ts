import type { CompiledUpload, LoadedComponent } from "./compile-messages.ts";
import { CompileThread, expectReply } from "./compile-thread.ts";
import type { CompileThreadOptions } from "./compile-thread.ts";
import type { CompiledArtifact } from "./app-record.ts";

export type CompilerOptions = Omit<CompileThreadOptions, "idleMs">;

const IDLE_MS = 60_000;

/**
 * From bytes on disk to components that executors can run, off the main thread. Uploads and loads
 * have a thread each: an upload that takes its full time limit must not hold up the first call of
 * an app that was compiled long ago.
 */
export class Compiler {
  readonly #uploads: CompileThread;
  readonly #loads: CompileThread;

  constructor(options: CompilerOptions) {
    this.#uploads = new CompileThread({ ...options, idleMs: IDLE_MS });
    this.#loads = new CompileThread({ ...options, idleMs: IDLE_MS });
  }

  /** Starts the thread that loads, so that the first call of an app does not wait for it. */
  warmUp(): void {
    this.#loads.warmUp();
  }

  /** Checks, compiles and describes an uploaded file. Rejects with the `HostError` that says why not. */
  async compile(componentPath: string): Promise<CompiledUpload> {
    const reply = await this.#uploads.run({ kind: "compile", componentPath });
    return expectReply(reply, "compiled").upload;
  }

  /** Makes a stored revision runnable. */
  async load(componentSha256: string, artifact: CompiledArtifact): Promise<LoadedComponent> {
    const reply = await this.#loads.run({ kind: "load", componentSha256, artifact });
    return expectReply(reply, "loaded").loaded;
  }

  async close(): Promise<void> {
    await Promise.all([this.#uploads.close(), this.#loads.close()]);
  }
}
