import type { KvsError } from "./errors.ts";

/**
 * Holds back what a piece of work lets out until all that it stands on is durable, while the work
 * itself goes on: the output gate of Durable Objects.
 *
 * Give it to every read and write of the work, and let its outcome out when `open` says so.
 *
 * A1. A write at level `durable` through a gate is answered when it is executed; the gate is shut until
 *     it is stored.
 * A2. A read through a gate that sees such a write, whoever wrote it, shuts the gate as well.
 *     Writes of the lower levels shut no gate, also where their result counts one that does.
 * A3. Where one of those writes cannot be stored after all, the gate fails with its error for good: the
 *     work has gone on from what never was.
 */
export class OutputGate {
  #unstored = 0;
  #error: KvsError | undefined;
  #opening: PromiseWithResolvers<void> | undefined;

  /**
   * Undefined where nothing is to be waited for. Otherwise it settles when the gate opens, or rejects
   * with the `KvsError` of A3. Only for after the work's last read and write.
   */
  open(): Promise<void> | undefined {
    if (this.#error === undefined && this.#unstored === 0) return undefined;
    this.#opening = Promise.withResolvers<void>();
    if (this.#error !== undefined) this.#opening.reject(this.#error);
    return this.#opening.promise;
  }

  /** Writes that it waits for. */
  get unstored(): number {
    return this.#unstored;
  }

  /** One more write to wait for; the client's, as are the next two. */
  hold(): void {
    this.#unstored += 1;
  }

  release(): void {
    this.#unstored -= 1;
    if (this.#unstored === 0) this.#opening?.resolve();
  }

  fail(error: KvsError): void {
    this.#error ??= error;
    this.#opening?.reject(this.#error);
  }
}
