import { expect, test } from "vitest";
import { ThreadClock } from "./thread-clock.ts";
import type { Timed } from "./thread-clock.ts";

interface Guest extends Timed {
  chargedMs: number;
}

function guest(sequence: number): Guest {
  return {
    sequence,
    chargedMs: 0,
    charge(ms) {
      this.chargedMs += ms;
    },
  };
}

function compute(ms: number): void {
  const endMs = performance.now() + ms;
  while (performance.now() < endMs);
}

test("it says whose guest runs, and when none does", () => {
  const held: number[] = [];
  const clock = new ThreadClock((sequence) => held.push(sequence));
  const [a, b] = [guest(1), guest(2)];
  clock.run(a);
  clock.run(b);
  // Its end is noticed late: somebody else runs by then.
  clock.stop(a);
  clock.stop(b);
  expect(held).toEqual([1, 2, 0]);
});

test("each guest pays for its own time: up to its wait, its end, or the next one's code", () => {
  const clock = new ThreadClock(() => undefined);
  const [a, b] = [guest(1), guest(2)];
  const startedAtMs = performance.now();
  clock.run(a);
  compute(5);
  clock.run(b);
  compute(10);
  expect(clock.ranMs(a)).toBe(0);
  expect(clock.ranMs(b)).toBeGreaterThanOrEqual(10);
  clock.stop(b);
  compute(20);
  clock.stop(a);
  const elapsedMs = performance.now() - startedAtMs;
  expect(a.chargedMs).toBeGreaterThanOrEqual(5);
  expect(b.chargedMs).toBeGreaterThanOrEqual(10);
  expect(a.chargedMs + b.chargedMs).toBeLessThanOrEqual(elapsedMs - 20);
});
