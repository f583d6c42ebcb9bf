import { FairRoom } from "../fair-room.ts";

export interface LoadedAheadLimits {
  readonly count: number;
  readonly codeBytes: number;
}

/**
 * What was loaded before anyone asked for it, within limits that tenants share fairly: past them goes, of who has
 * more than an equal part, the one that waits longest. One that is used is nothing that waits any more.
 */
export class LoadedAhead<T> {
  readonly #pieces: FairRoom<T>;
  readonly #codeBytes: FairRoom<T>;
  readonly #tenantOf = new Map<T, string>();

  constructor(limits: LoadedAheadLimits) {
    this.#pieces = new FairRoom(limits.count);
    this.#codeBytes = new FairRoom(limits.codeBytes);
  }

  /** Answers what has to go; that may be the new one itself, where it is too large alone. */
  add(tenantId: string, item: T, codeBytes: number): readonly T[] {
    this.delete(item);
    this.#tenantOf.set(item, tenantId);
    const tooMany = this.#pieces.keep(tenantId, item, 1);
    // First out of both rooms: what goes for the number makes room of bytes, too.
    for (const gone of tooMany) this.delete(gone);
    if (!this.#tenantOf.has(item)) return tooMany;
    const tooLarge = this.#codeBytes.keep(tenantId, item, codeBytes);
    for (const gone of tooLarge) this.delete(gone);
    return [...tooMany, ...tooLarge];
  }

  delete(item: T): void {
    const tenantId = this.#tenantOf.get(item);
    if (tenantId === undefined) return;
    this.#tenantOf.delete(item);
    this.#pieces.delete(tenantId, item);
    this.#codeBytes.delete(tenantId, item);
  }
}
