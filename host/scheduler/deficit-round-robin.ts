import assert from "node:assert/strict";

/** A flow's place in a round robin: made by it, kept by whoever owns the flow. */
export interface Share<Flow> {
  readonly flow: Flow;
  weight: number;
  /** What it may still use in this round; negative where it used more than that, and has to sit out rounds. */
  deficitUs: number;
  /** The round up to which its quanta are in `deficitUs`. */
  round: number;
  isWaiting: boolean;
}

// Shares a resource among flows in proportion to their weights, where the cost of each item is known
// only after it was served: deficit round robin (M. Shreedhar and G. Varghese, "Efficient Fair Queueing
// Using Deficit Round Robin", SIGCOMM 1995), with the deficit charged afterwards, as in surplus round robin.
// Pure: it holds no clock, no queue and no item.
//
// R1. A flow gets one quantum, times its weight, for each round, and is served while its deficit is
//     positive. A round ends when no waiting flow has any left.
// R2. Of two flows that wait all the time, neither is served more than the other, by weight, beyond a
//     quantum and the largest cost that was charged late.
// R3. Whoever waits is served: a debt is worn off by a quantum a round, and rounds pass as soon as
//     nobody else may be served. So a flow that waits alone is never held up by what it used before.
// R4. A flow that returns has at most one quantum, however long it was away; what it owes it goes on
//     owing, less what the rounds since would have paid. One that comes into a round for the first time is next:
//     whoever uses less than its share does not wait for those who use more.
export class DeficitRoundRobin<Flow> {
  readonly #quantumUs: number;
  /** Those with a deficit above zero, in turn; where a late charge took it away they move at their turn. */
  readonly #served = new Set<Share<Flow>>();
  readonly #exhausted = new Set<Share<Flow>>();
  /** First in this round: before all of `#served`. */
  readonly #fresh = new Set<Share<Flow>>();
  #round = 0;

  constructor(options: { readonly quantumUs: number }) {
    assert(options.quantumUs > 0);
    this.#quantumUs = options.quantumUs;
  }

  /** Flows that wait. */
  get size(): number {
    return this.#fresh.size + this.#served.size + this.#exhausted.size;
  }

  join(flow: Flow, weight: number): Share<Flow> {
    assert(weight > 0);
    // As if it had been away for one round: it begins with a quantum.
    return { flow, weight, deficitUs: 0, round: this.#round - 1, isWaiting: false };
  }

  /** From now on the flow has something that may be served. */
  wait(share: Share<Flow>): void {
    if (share.isWaiting) return;
    share.isWaiting = true;
    const isFirst = share.round < this.#round;
    this.#credit(share);
    if (share.deficitUs <= 0) this.#exhausted.add(share);
    else if (isFirst) this.#fresh.add(share);
    else this.#served.add(share);
  }

  /** It has nothing more, or nothing that may be served now. */
  leave(share: Share<Flow>): void {
    if (!share.isWaiting) return;
    share.isWaiting = false;
    this.#fresh.delete(share);
    this.#served.delete(share);
    this.#exhausted.delete(share);
  }

  /** The flow whose turn it is; the same one until something is charged, `passed` or changed. */
  next(): Share<Flow> | undefined {
    const eligible = this.#firstEligible(this.#fresh) ?? this.#firstEligible(this.#served);
    if (eligible !== undefined) return eligible;
    if (this.#exhausted.size === 0) return undefined;
    this.#beginRound();
    return this.#firstEligible(this.#served);
  }

  /** One item of it was served: the others come before its next one. */
  pass(share: Share<Flow>): void {
    if (!share.isWaiting || this.#exhausted.has(share)) return;
    this.#fresh.delete(share);
    this.#served.delete(share);
    this.#served.add(share);
  }

  /** What an item of the flow used, or what an estimate was too low (or, negative, too high) by. */
  charge(share: Share<Flow>, costUs: number): void {
    this.#settleAway(share);
    share.deficitUs = Math.min(share.deficitUs - costUs, this.#quantumOf(share));
    if (share.deficitUs > 0 && this.#exhausted.delete(share)) this.#served.add(share);
  }

  #firstEligible(shares: Set<Share<Flow>>): Share<Flow> | undefined {
    for (const share of shares) {
      if (share.deficitUs > 0) return share;
      shares.delete(share);
      this.#exhausted.add(share);
    }
    return undefined;
  }

  /** As many rounds at once as it takes until somebody may be served (R3). */
  #beginRound(): void {
    let rounds = Number.POSITIVE_INFINITY;
    for (const share of this.#exhausted) {
      rounds = Math.min(rounds, Math.floor(-share.deficitUs / this.#quantumOf(share)) + 1);
    }
    this.#round += rounds;
    for (const share of this.#exhausted) {
      this.#credit(share);
      if (share.deficitUs <= 0) continue;
      this.#exhausted.delete(share);
      this.#served.add(share);
    }
  }

  /** Its quanta up to this round, of which it keeps one at most (R4). */
  #credit(share: Share<Flow>): void {
    const rounds = this.#round - share.round;
    share.round = this.#round;
    const quantumUs = this.#quantumOf(share);
    share.deficitUs = Math.min(share.deficitUs + rounds * quantumUs, quantumUs);
  }

  /** A charge that comes while the flow is away must not be paid by a quantum that it has not asked for. */
  #settleAway(share: Share<Flow>): void {
    if (share.isWaiting || share.round >= this.#round - 1) return;
    const round = this.#round - 1;
    const quantumUs = this.#quantumOf(share);
    share.deficitUs = Math.min(share.deficitUs + (round - share.round) * quantumUs, 0);
    share.round = round;
  }

  #quantumOf(share: Share<Flow>): number {
    return this.#quantumUs * share.weight;
  }
}
