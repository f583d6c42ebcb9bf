import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { FairRoom } from "./fair-room.ts";

const SEED = 20_261_122;

describe("room that is full", () => {
  test("is made by what one tenant alone has not used for longest", () => {
    const room = new FairRoom<string>(2);
    room.keep("acme", "a", 1);
    room.keep("acme", "b", 1);
    room.keep("acme", "a", 1);
    expect(room.keep("acme", "c", 1)).toEqual(["b"]);
  });

  test("is made by who has more than an equal part, though the others' was unused for longer", () => {
    const room = new FairRoom<string>(4);
    room.keep("victim", "v1", 1);
    room.keep("victim", "v2", 1);
    const gone = Array.from({ length: 100 }, (_, n) => room.keep("flood", `f${n}`, 1)).flat();
    expect(gone).toEqual(Array.from({ length: 98 }, (_, n) => `f${n}`));
  });

  test("is made by what was unused longest of all who have more than an equal part", () => {
    const room = new FairRoom<string>(6);
    room.keep("small", "s", 1);
    for (const key of ["a1", "a2", "a3"]) room.keep("acme", key, 1);
    room.keep("beta", "b1", 1);
    room.keep("beta", "b2", 1);
    expect(room.keep("beta", "b3", 1)).toEqual(["a1"]);
    expect(room.keep("beta", "b4", 1)).toEqual(["b1"]);
  });

  test("may be refused to the new one, where it is larger than an equal part alone", () => {
    const room = new FairRoom<string>(100);
    room.keep("victim", "v", 50);
    expect(room.keep("flood", "f", 51)).toEqual(["f"]);
  });
});

test("a tenant may have all that nobody else wants, and gives it back to who comes", () => {
  const room = new FairRoom<string>(4);
  for (const key of ["a1", "a2", "a3", "a4"]) expect(room.keep("acme", key, 1)).toEqual([]);
  expect(room.keep("beta", "b1", 1)).toEqual(["a1"]);
  expect(room.keep("beta", "b2", 1)).toEqual(["a2"]);
  expect(room.keep("beta", "b3", 1)).toEqual(["b1"]);
});

test("what is deleted, or has become smaller, takes no room any more", () => {
  const room = new FairRoom<string>(3);
  room.keep("acme", "a", 2);
  room.keep("acme", "a", 1);
  room.keep("beta", "b", 2);
  room.delete("beta", "b");
  room.delete("beta", "b");
  expect(room.keep("beta", "c", 2)).toEqual([]);
});

test("at random: never more than there is, and nobody with an equal part or less loses any", () => {
  const SIZE_MAX = 20;
  const step = fc.record({
    tenant: fc.constantFrom("a", "b", "c", "d"),
    key: fc.nat(9),
    size: fc.integer({ min: 1, max: 9 }),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const room = new FairRoom<string>(SIZE_MAX);
      const kept = new Map<string, { readonly tenant: string; readonly size: number }>();
      const sizeOf = (tenant?: string): number =>
        [...kept.values()]
          .filter((item) => tenant === undefined || item.tenant === tenant)
          .reduce((sum, { size }) => sum + size, 0);
      for (const { tenant, key, size } of steps) {
        const name = `${tenant}${key}`;
        const gone = room.keep(tenant, name, size);
        kept.set(name, { tenant, size });
        for (const lost of gone) {
          const tenants = new Set(Array.from(kept.values(), (item) => item.tenant)).size;
          const loser = kept.get(lost)?.tenant ?? "";
          expect(sizeOf()).toBeGreaterThan(SIZE_MAX);
          expect(sizeOf(loser) * tenants).toBeGreaterThan(SIZE_MAX);
          kept.delete(lost);
        }
        expect(sizeOf()).toBeLessThanOrEqual(SIZE_MAX);
      }
    }),
    { numRuns: 500, seed: SEED },
  );
});
