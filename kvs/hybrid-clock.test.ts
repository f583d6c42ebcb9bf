import fc from "fast-check";
import { expect, test } from "vitest";
import { HybridClock, TICKS_PER_MS, toHybridTimestamp } from "./hybrid-clock.ts";

test("timestamps strictly increase, whatever the wall clock does", () => {
  fc.assert(
    fc.property(fc.array(fc.nat(5), { minLength: 2 }), (walls) => {
      let index = 0;
      const clock = new HybridClock({ wallMs: () => walls[index++ % walls.length] ?? 0 });
      let last = -1;
      for (const _ of walls) {
        const timestamp = clock.now();
        expect(timestamp).toBeGreaterThan(last);
        last = timestamp;
      }
    }),
  );
});

test("a clock that starts from what is stored never goes backwards", () => {
  const floor = toHybridTimestamp(5_000 * TICKS_PER_MS);
  const clock = new HybridClock({ floor, wallMs: () => 1_000 });
  expect(clock.now()).toBe(floor + 1);
});

test("a timestamp follows what was observed", () => {
  const clock = new HybridClock({ wallMs: () => 1_000 });
  const observed = toHybridTimestamp(9_000 * TICKS_PER_MS + 3);
  clock.observe(observed);
  expect(clock.now()).toBeGreaterThan(observed);
});

test("a clock returns to the wall clock once that has caught up", () => {
  let wallMs = 1_000;
  const clock = new HybridClock({ wallMs: () => wallMs });
  clock.observe(toHybridTimestamp(1_002 * TICKS_PER_MS));
  expect(clock.now()).toBe(1_002 * TICKS_PER_MS + 1);
  wallMs = 1_003;
  expect(clock.now()).toBe(1_003 * TICKS_PER_MS);
});

test("more timestamps in a millisecond than ticks carry into the next one", () => {
  const clock = new HybridClock({ wallMs: () => 1_000 });
  let last = clock.now();
  for (let count = 0; count < TICKS_PER_MS; count += 1) last = clock.now();
  expect(last).toBe(1_001 * TICKS_PER_MS);
});

test.each([[-1], [0.5], [2 ** 53]])("%d is no timestamp", (ticks) => {
  expect(() => toHybridTimestamp(ticks)).toThrow(RangeError);
});
