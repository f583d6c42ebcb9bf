export interface BackOffOptions {
  /** So many offences have no consequence yet. */
  readonly freeOffences: number;
  /** How long the first one that has keeps its author out; each further one doubles it. */
  readonly firstMs: number;
  readonly longestMs: number;
  /** An offence is forgotten after so long without a new one. */
  readonly forgottenAfterMs: number;
}

/** Keeps out whoever did harm, for longer each time. Pure: the time is the caller's. */
export class BackOff {
  readonly #options: BackOffOptions;
  #offences = 0;
  #lastAtMs = Number.NEGATIVE_INFINITY;
  #blockedUntilMs = Number.NEGATIVE_INFINITY;

  constructor(options: BackOffOptions) {
    this.#options = options;
  }

  /** Those that are not forgotten. */
  offences(nowMs: number): number {
    const forgotten = Math.floor((nowMs - this.#lastAtMs) / this.#options.forgottenAfterMs);
    return Math.max(0, this.#offences - forgotten);
  }

  offend(nowMs: number): void {
    this.#offences = this.offences(nowMs) + 1;
    this.#lastAtMs = nowMs;
    const { freeOffences, firstMs, longestMs } = this.#options;
    const counted = this.#offences - freeOffences;
    if (counted <= 0) return;
    this.#blockedUntilMs = nowMs + Math.min(firstMs * 2 ** (counted - 1), longestMs);
  }

  /** For how long it is still kept out; 0 where it is not. */
  waitMs(nowMs: number): number {
    return Math.max(0, this.#blockedUntilMs - nowMs);
  }
}
