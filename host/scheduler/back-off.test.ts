import { expect, test } from "vitest";
import { BackOff } from "./back-off.ts";

const options = { freeOffences: 1, firstMs: 100, longestMs: 500, forgottenAfterMs: 10_000 };

test("the free offences have no consequence", () => {
  const backOff = new BackOff(options);
  expect(backOff.waitMs(0)).toBe(0);
  backOff.offend(0);
  expect(backOff.waitMs(0)).toBe(0);
});

test("each further one keeps out for twice as long, up to a limit", () => {
  const backOff = new BackOff(options);
  backOff.offend(0);
  const waits = [1, 2, 3, 4, 5].map((atMs) => {
    backOff.offend(atMs);
    return backOff.waitMs(atMs);
  });
  expect(waits).toEqual([100, 200, 400, 500, 500]);
  expect(backOff.waitMs(5 + 499)).toBe(1);
  expect(backOff.waitMs(5 + 500)).toBe(0);
});

test("one offence is forgotten for each quiet time", () => {
  const backOff = new BackOff(options);
  for (let atMs = 0; atMs < 4; atMs += 1) backOff.offend(atMs);
  expect(backOff.offences(9_999)).toBe(4);
  expect(backOff.offences(10_003)).toBe(3);
  expect(backOff.offences(100_000)).toBe(0);
  backOff.offend(100_000);
  expect(backOff.waitMs(100_000)).toBe(0);
});
