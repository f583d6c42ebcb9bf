import { KvsError } from "@downpour/kvs";
import type { ErrorWire } from "../errors.ts";
import type { Outcome } from "../protocol.ts";
import { fromKvsError } from "../state-errors.ts";

// Owns the outcomes of invocations that have ended, and stand on writes that are not durable yet.
//
// H1. Each leaves once: as it is when its gate opens; as a failure where a write could not be stored;
//     or as the error of whoever no longer waits for it.
export class HeldOutcomes {
  readonly #release: (invocationId: string, outcome: Outcome) => void;
  readonly #held = new Map<string, Outcome>();

  constructor(release: (invocationId: string, outcome: Outcome) => void) {
    this.#release = release;
  }

  get size(): number {
    return this.#held.size;
  }

  /** `opened` rejects with a `KvsError` where the gate fails; any other error is a bug, and thrown on. */
  async hold(invocationId: string, outcome: Outcome, opened: Promise<void>): Promise<void> {
    this.#held.set(invocationId, outcome);
    try {
      await opened;
    } catch (error) {
      if (!(error instanceof KvsError)) throw error;
      this.fail(invocationId, fromKvsError(error).toWire());
      return;
    }
    if (this.#held.delete(invocationId)) this.#release(invocationId, outcome);
  }

  /** False where it is not held, or not any more. */
  fail(invocationId: string, error: ErrorWire): boolean {
    const outcome = this.#held.get(invocationId);
    if (outcome === undefined) return false;
    this.#held.delete(invocationId);
    this.#release(invocationId, { kind: "failed", error, usage: outcome.usage });
    return true;
  }
}
