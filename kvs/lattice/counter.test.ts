import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { testLatticeLaws } from "../testing/lattice-laws.ts";
import { counters } from "../testing/lattice-values.ts";
import { counter, counterDelta, counterValue } from "./counter.ts";

describe("counter", () => {
  testLatticeLaws(counter, counters());

  test("replicas that add at the same time lose nothing, in any order of exchange", () => {
    const adds = fc.array(
      fc.record({ replicaId: fc.constantFrom("a", "b"), by: fc.bigInt(-3n, 3n) }),
    );
    fc.assert(
      fc.property(adds, (list) => {
        const replicas = { a: counter.bottom, b: counter.bottom };
        let sum = 0n;
        for (const { replicaId, by } of list) {
          const own = replicas[replicaId];
          replicas[replicaId] = counter.merge(own, counterDelta(own, replicaId, by));
          sum += by;
        }
        expect(counterValue(counter.merge(replicas.a, replicas.b))).toBe(sum);
        expect(counterValue(counter.merge(replicas.b, replicas.a))).toBe(sum);
      }),
    );
  });

  test("a delta received twice counts once", () => {
    const delta = counterDelta(counter.bottom, "a", 5n);
    expect(counterValue(counter.merge(counter.merge(counter.bottom, delta), delta))).toBe(5n);
  });

  test("adding nothing is the bottom", () => {
    expect(counterDelta(counter.bottom, "a", 0n)).toEqual(counter.bottom);
  });
});
