import { HostError } from "../errors.ts";

/** Of one tenant; a value that is larger than that alone is taken where nothing else is under way. */
const WRITES_MAX = 512;
const BYTES_MAX = 4 * 1_024 * 1_024;
const RETRY_AFTER_MS = 1_000;

interface Use {
  writes: number;
  bytes: number;
}

/**
 * Bounds what each tenant writes over HTTP at once. These writes and the host's own records go through
 * one client of the store, which refuses everyone when too much is under way.
 */
export class WriteBudget {
  readonly #uses = new Map<string, Use>();

  /** Throws `QUEUE_FULL` where too much of the tenant is under way. */
  async run<T>(tenantId: string, bytes: number, write: () => Promise<T> | T): Promise<T> {
    const use = this.#uses.get(tenantId) ?? { writes: 0, bytes: 0 };
    const isFull = use.writes >= WRITES_MAX || use.bytes + bytes > BYTES_MAX;
    if (isFull && use.writes > 0) {
      throw new HostError("QUEUE_FULL", "too many writes of the tenant are under way", {
        details: {
          limitOf: "tenant",
          writesMax: WRITES_MAX,
          bytesMax: BYTES_MAX,
          retryAfterMs: RETRY_AFTER_MS,
        },
      });
    }
    this.#uses.set(tenantId, use);
    use.writes += 1;
    use.bytes += bytes;
    try {
      return await write();
    } finally {
      use.writes -= 1;
      use.bytes -= bytes;
      if (use.writes === 0) this.#uses.delete(tenantId);
    }
  }
}
