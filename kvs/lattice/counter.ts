import { corrupt } from "./byte-codec.ts";
import type { StoredLattice } from "./lattice.ts";

/** What one replica has added and taken away, over all time: both only grow. */
export interface Contribution {
  readonly replicaId: string;
  readonly increments: bigint;
  readonly decrements: bigint;
}

/** Contributions in the order of their replica ids, each replica once, none that is all zero. */
export type PnCounter = readonly Contribution[];

/** Two integers of 64 bits. */
const CONTRIBUTION_BYTES = 16;

/** A counter that loses no increment: for each replica the larger of each side is the later. */
export const counter: StoredLattice<PnCounter> = {
  bottom: [],
  merge,
  equals: (a, b) =>
    a.length === b.length &&
    a.every((contribution, index) => {
      const other = b[index];
      return other !== undefined && sameContribution(contribution, other);
    }),
  tag: 2,
  encode: (value, writer) => {
    writer.uint(value.length);
    for (const { replicaId, increments, decrements } of value) {
      writer.text(replicaId);
      writer.natural(increments);
      writer.natural(decrements);
    }
  },
  decode: (reader) => {
    const count = reader.uint();
    const contributions: Contribution[] = [];
    let last = "";
    for (let index = 0; index < count; index += 1) {
      const replicaId = reader.text();
      if (index > 0 && replicaId <= last) throw corrupt("a counter's replicas are out of order");
      last = replicaId;
      const increments = reader.natural();
      contributions.push({ replicaId, increments, decrements: reader.natural() });
    }
    if (reader.remaining > 0) throw corrupt("bytes follow the end of a counter");
    return contributions;
  },
  read: (value) => ({ kind: "counter", value: counterValue(value) }),
  bytes: (value) => value.length * CONTRIBUTION_BYTES,
};

export function counterValue(value: PnCounter): bigint {
  let sum = 0n;
  for (const { increments, decrements } of value) sum += increments - decrements;
  return sum;
}

/** The delta to merge so that `replicaId` has added `delta` to what it had added in `value`. */
export function counterDelta(value: PnCounter, replicaId: string, delta: bigint): PnCounter {
  if (delta === 0n) return [];
  const own = value.find((contribution) => contribution.replicaId === replicaId);
  const increments = own?.increments ?? 0n;
  const decrements = own?.decrements ?? 0n;
  return delta > 0n
    ? [{ replicaId, increments: increments + delta, decrements }]
    : [{ replicaId, increments, decrements: decrements - delta }];
}

function merge(a: PnCounter, b: PnCounter): PnCounter {
  if (b.length === 0) return a;
  if (a.length === 0) return b;
  const merged: Contribution[] = [];
  let indexA = 0;
  let indexB = 0;
  for (;;) {
    const left = a[indexA];
    const right = b[indexB];
    if (left === undefined) return merged.concat(b.slice(indexB));
    if (right === undefined) return merged.concat(a.slice(indexA));
    if (left.replicaId === right.replicaId) {
      merged.push(mergeContributions(left, right));
      indexA += 1;
      indexB += 1;
    } else if (left.replicaId < right.replicaId) {
      merged.push(left);
      indexA += 1;
    } else {
      merged.push(right);
      indexB += 1;
    }
  }
}

function mergeContributions(a: Contribution, b: Contribution): Contribution {
  const increments = a.increments > b.increments ? a.increments : b.increments;
  const decrements = a.decrements > b.decrements ? a.decrements : b.decrements;
  return { replicaId: a.replicaId, increments, decrements };
}

function sameContribution(a: Contribution, b: Contribution): boolean {
  return (
    a.replicaId === b.replicaId && a.increments === b.increments && a.decrements === b.decrements
  );
}
