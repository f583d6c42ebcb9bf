import fc from "fast-check";
import { expect, test } from "vitest";
import { TokenBucket } from "./token-bucket.ts";

/** Lets one pass where it may. */
function pass(bucket: TokenBucket, nowMs: number): boolean {
  if (bucket.waitMs(nowMs) > 0) return false;
  bucket.take();
  return true;
}

test("as many pass at once as a second brings, and then one for each share of a second", () => {
  const bucket = new TokenBucket(4, 0);
  expect([1, 2, 3, 4, 5].map(() => pass(bucket, 0))).toEqual([true, true, true, true, false]);
  expect(bucket.waitMs(0)).toBe(250);
  expect(pass(bucket, 249)).toBe(false);
  expect(pass(bucket, 250)).toBe(true);
  expect(pass(bucket, 250)).toBe(false);
});

test("in no span of time do more pass than the rate and one burst", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 50 }),
      fc.array(fc.integer({ min: 0, max: 400 }), { minLength: 1, maxLength: 300 }),
      (perSecond, gapsMs) => {
        const bucket = new TokenBucket(perSecond, 0);
        let nowMs = 0;
        let passed = 0;
        for (const gapMs of gapsMs) {
          nowMs += gapMs;
          if (pass(bucket, nowMs)) passed += 1;
        }
        expect(passed).toBeLessThanOrEqual(perSecond + (nowMs / 1_000) * perSecond + 1e-6);
      },
    ),
  );
});

test("after the wait that it names, one passes", () => {
  const bucket = new TokenBucket(3, 0);
  for (let count = 0; count < 3; count += 1) bucket.take();
  const waitMs = bucket.waitMs(10);
  expect(waitMs).toBeGreaterThan(0);
  expect(pass(bucket, 10 + waitMs + 1e-6)).toBe(true);
});

test("more than a whole bucket passes when it is full, and is paid for afterwards", () => {
  const bucket = new TokenBucket(10, 0);
  expect(bucket.waitMs(0, 25)).toBe(0);
  bucket.take(25);
  expect(bucket.waitMs(0)).toBeCloseTo(1_600);
});

test("a lower rate holds at once, a higher one does not fill the bucket", () => {
  const bucket = new TokenBucket(100, 0);
  bucket.setRate(2, 0);
  expect([1, 2, 3].map(() => pass(bucket, 0))).toEqual([true, true, false]);
  bucket.setRate(100, 0);
  expect(pass(bucket, 0)).toBe(false);
  expect(pass(bucket, 10)).toBe(true);
});
