import fc from "fast-check";
import { toHybridTimestamp } from "../hybrid-clock.ts";
import { counter } from "../lattice/counter.ts";
import type { Contribution, PnCounter } from "../lattice/counter.ts";
import type { Entry } from "../lattice/entry.ts";
import type { LwwRegister } from "../lattice/lww.ts";

/** Registers from so small a domain that every kind of tie happens. */
export function registers(): fc.Arbitrary<LwwRegister> {
  return fc.record({
    timestamp: fc.nat(3).map(toHybridTimestamp),
    replicaId: fc.constantFrom("a", "b"),
    value: fc.constantFrom("x", "y", "").map((text) => new TextEncoder().encode(text)),
  });
}

export function counters(): fc.Arbitrary<PnCounter> {
  const contribution: fc.Arbitrary<Contribution> = fc
    .record({
      replicaId: fc.constantFrom("a", "b", "c"),
      increments: fc.bigInt(0n, 3n),
      decrements: fc.bigInt(0n, 3n),
    })
    .filter(({ increments, decrements }) => increments + decrements > 0n);
  return fc
    .uniqueArray(contribution, { selector: ({ replicaId }) => replicaId })
    .map((list) => list.toSorted((a, b) => (a.replicaId < b.replicaId ? -1 : 1)));
}

/** Entries of every kind in few generations: kinds meet, and meet their deletes. */
export function entries(): fc.Arbitrary<Entry> {
  const generation = fc.nat(2);
  return fc.oneof(
    generation.map((at): Entry => ({ generation: at, kind: "absent", value: null })),
    fc
      .tuple(generation, registers())
      .map(([at, value]): Entry => ({ generation: at, kind: "register", value })),
    fc
      .tuple(generation, fc.oneof(counters(), fc.constant(counter.bottom)))
      .map(([at, value]): Entry => ({ generation: at, kind: "counter", value })),
  );
}
