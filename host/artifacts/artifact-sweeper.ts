import assert from "node:assert/strict";
import type { ArtifactStore } from "./artifact-store.ts";

export interface ArtifactSweeperOptions {
  readonly artifacts: Pick<ArtifactStore, "sweep">;
  /** The names of everything that is needed now, by tenant. */
  readonly referenced: () => ReadonlyMap<string, ReadonlySet<string>>;
  readonly delayMs: number;
  readonly onSwept: (removed: number) => void;
  readonly onFailed: (error: unknown) => void;
}

// Decides when unreferenced artifacts are removed.
//
// W1. Never while something writes: what it has written is not referenced yet. A sweep waits for
//     writers by being put off, and writers wait for a sweep.
// W2. A failed sweep harms nothing, and the next one does its work.
export class ArtifactSweeper {
  readonly #options: ArtifactSweeperOptions;
  #writers = 0;
  #sweeping: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor(options: ArtifactSweeperOptions) {
    this.#options = options;
  }

  /** Runs something that writes artifacts and then, if all went well, refers to them. */
  async writing<T>(write: () => Promise<T>): Promise<T> {
    while (this.#sweeping !== undefined) await this.#sweeping;
    this.#writers += 1;
    try {
      return await write();
    } finally {
      this.#writers -= 1;
    }
  }

  /** Asks for a sweep soon; many wishes make one sweep. */
  schedule(): void {
    if (this.#timer !== undefined || this.#isClosed) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      if (this.#writers > 0 || this.#sweeping !== undefined) this.schedule();
      else void this.sweep();
    }, this.#options.delayMs).unref();
  }

  /** Sweeps now. The caller sees to it that nothing writes (W1). */
  sweep(): Promise<void> {
    assert(this.#writers === 0);
    this.#sweeping ??= this.#sweep().finally(() => {
      this.#sweeping = undefined;
    });
    return this.#sweeping;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    await this.#sweeping;
  }

  async #sweep(): Promise<void> {
    const { artifacts, referenced, onSwept, onFailed } = this.#options;
    try {
      onSwept(await artifacts.sweep(referenced()));
    } catch (error) {
      onFailed(error);
    }
  }
}
