import { HostError } from "../errors.ts";
import { BackOff } from "./back-off.ts";
import type { BackOffOptions } from "./back-off.ts";
import { TokenBucket } from "./token-bucket.ts";

/** What an app, or a tenant with all its apps, may ask of the executors at once. */
export interface LoadLimits {
  /** Invocations that run. */
  readonly concurrencyMax: number;
  /** Invocations that wait. */
  readonly queueDepthMax: number;
  /** Input of those that wait. */
  readonly queuedBytesMax: number;
  /** Invocations that begin in a second, and as many at once. */
  readonly requestsPerSecondMax: number;
}

/** What runs and waits now of an app or a tenant. */
export interface LoadGauges {
  readonly inFlight: number;
  readonly queued: number;
  readonly queuedBytes: number;
}

/** When there will be room in a queue nobody knows; by then about a round of everyone's turns is over. */
const QUEUE_RETRY_AFTER_MS = 1_000;

// What one app, or one tenant, has under way, and the limits of that. It refuses, and changes nothing
// that it refuses for: who is admitted is counted by the scheduler, at the app and at its tenant.
//
// L1. A limit that is lowered holds for what comes: what runs or waits already is not ended by it.
// L2. Every refusal says which limit it was, whose, and when to come again.
export class Load implements LoadGauges {
  readonly #owner: "app" | "tenant";
  readonly #bucket: TokenBucket;
  readonly #backOff: BackOff;
  limits: LoadLimits;
  inFlight = 0;
  queued = 0;
  queuedBytes = 0;

  constructor(owner: "app" | "tenant", limits: LoadLimits, backOff: BackOffOptions, nowMs: number) {
    this.#owner = owner;
    this.limits = limits;
    this.#bucket = new TokenBucket(limits.requestsPerSecondMax, nowMs);
    this.#backOff = new BackOff(backOff);
  }

  get mayRun(): boolean {
    return this.inFlight < this.limits.concurrencyMax;
  }

  setLimits(limits: LoadLimits, nowMs: number): void {
    this.limits = limits;
    this.#bucket.setRate(limits.requestsPerSecondMax, nowMs);
  }

  /** Throws `BACKED_OFF` or `RATE_LIMITED` where no invocation may begin now. */
  checkRate(nowMs: number): void {
    const backOffMs = this.#backOff.waitMs(nowMs);
    if (backOffMs > 0) {
      throw new HostError(
        "BACKED_OFF",
        `the ${this.#owner} ended executors by what it ran, and is kept out for a while`,
        { details: { limitOf: this.#owner, retryAfterMs: Math.ceil(backOffMs) } },
      );
    }
    const waitMs = this.#bucket.waitMs(nowMs);
    if (waitMs === 0) return;
    const { requestsPerSecondMax } = this.limits;
    throw new HostError(
      "RATE_LIMITED",
      `the ${this.#owner} may have ${requestsPerSecondMax} invocations a second`,
      { details: { limitOf: this.#owner, requestsPerSecondMax, retryAfterMs: Math.ceil(waitMs) } },
    );
  }

  /** Counts one that `checkRate` let pass. */
  takeRate(): void {
    this.#bucket.take();
  }

  /** Throws `QUEUE_FULL` where an invocation with so much input may not wait. */
  checkQueue(bytes: number): void {
    const { queueDepthMax, queuedBytesMax } = this.limits;
    if (this.queued >= queueDepthMax) {
      throw this.#full("the queue of the", { queueDepthMax });
    }
    if (this.queuedBytes + bytes > queuedBytesMax) {
      throw this.#full("the input that waits of the", { queuedBytesMax });
    }
  }

  /** It ended an executor. */
  offend(nowMs: number): void {
    this.#backOff.offend(nowMs);
  }

  #full(what: string, limit: Readonly<Record<string, number>>): HostError {
    return new HostError("QUEUE_FULL", `${what} ${this.#owner} is full`, {
      details: { limitOf: this.#owner, ...limit, retryAfterMs: QUEUE_RETRY_AFTER_MS },
    });
  }
}
