import fc from "fast-check";
import { test } from "vitest";
import type { Lattice } from "../lattice/lattice.ts";

/** Registers the four lattice laws as tests. `value` should collide often: small domains find ties. */
export function testLatticeLaws<T>(lattice: Lattice<T>, value: fc.Arbitrary<T>): void {
  const { bottom, merge, equals } = lattice;

  test("merge is commutative", () => {
    fc.assert(fc.property(value, value, (a, b) => equals(merge(a, b), merge(b, a))));
  });

  test("merge is associative", () => {
    fc.assert(
      fc.property(value, value, value, (a, b, c) =>
        equals(merge(merge(a, b), c), merge(a, merge(b, c))),
      ),
    );
  });

  test("merge is idempotent", () => {
    fc.assert(fc.property(value, (a) => equals(merge(a, a), a)));
  });

  test("bottom is the identity of merge", () => {
    fc.assert(
      fc.property(value, (a) => equals(merge(a, bottom), a) && equals(merge(bottom, a), a)),
    );
  });
}
