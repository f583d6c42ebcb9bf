import assert from "node:assert/strict";

/**
 * Lets so many pass in a second, and at once as many as a second brings. Pure: the time is the
 * caller's, in milliseconds of any clock that does not go back.
 */
export class TokenBucket {
  #perSecond: number;
  #tokens: number;
  #filledAtMs: number;

  constructor(perSecond: number, nowMs: number) {
    assert(perSecond > 0);
    this.#perSecond = perSecond;
    this.#tokens = perSecond;
    this.#filledAtMs = nowMs;
  }

  /** A new rate holds from now on; what is in the bucket stays, up to the new burst. */
  setRate(perSecond: number, nowMs: number): void {
    assert(perSecond > 0);
    this.#fill(nowMs);
    this.#perSecond = perSecond;
    this.#tokens = Math.min(this.#tokens, perSecond);
  }

  /** How long until `count` may pass: 0 for now. Takes nothing. */
  waitMs(nowMs: number, count = 1): number {
    this.#fill(nowMs);
    // What is more than a whole bucket passes when the bucket is full, and is paid for afterwards.
    const missing = Math.min(count, this.#perSecond) - this.#tokens;
    return missing <= 0 ? 0 : (missing / this.#perSecond) * 1_000;
  }

  /** Takes what passed. */
  take(count = 1): void {
    this.#tokens -= count;
  }

  #fill(nowMs: number): void {
    const gained = ((nowMs - this.#filledAtMs) / 1_000) * this.#perSecond;
    this.#tokens = Math.min(this.#tokens + gained, this.#perSecond);
    this.#filledAtMs = nowMs;
  }
}
