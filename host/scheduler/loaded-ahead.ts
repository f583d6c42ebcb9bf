export interface LoadedAheadLimits {
  readonly count: number;
  readonly codeBytes: number;
}

/**
 * What was loaded before anyone asked for it, within limits: the one that waits longest goes first. One that
 * is used is nothing that waits any more.
 */
export class LoadedAhead<T> {
  readonly #limits: LoadedAheadLimits;
  readonly #waiting = new Map<T, number>();
  #codeBytes = 0;

  constructor(limits: LoadedAheadLimits) {
    this.#limits = limits;
  }

  /** Answers what has to go; that may be the new one itself, where it is too large alone. */
  add(item: T, codeBytes: number): readonly T[] {
    this.delete(item);
    this.#waiting.set(item, codeBytes);
    this.#codeBytes += codeBytes;
    const dropped: T[] = [];
    for (const oldest of this.#waiting.keys()) {
      const { count, codeBytes: codeBytesMax } = this.#limits;
      if (this.#waiting.size <= count && this.#codeBytes <= codeBytesMax) break;
      this.delete(oldest);
      dropped.push(oldest);
    }
    return dropped;
  }

  delete(item: T): void {
    const codeBytes = this.#waiting.get(item);
    if (codeBytes === undefined) return;
    this.#codeBytes -= codeBytes;
    this.#waiting.delete(item);
  }
}
