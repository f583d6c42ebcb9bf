import { describe, expect, test } from "vitest";
import { warmFirst } from "./placement.ts";
import type { ExecutorLoad } from "./placement.ts";

function executor(executorId: number, load: Partial<ExecutorLoad> = {}): ExecutorLoad {
  return { executorId, inFlight: 0, hasRoom: true, isWarm: false, ...load };
}

describe("warmFirst", () => {
  test("prefers a warm executor to a less loaded cold one", () => {
    expect(warmFirst([executor(0), executor(1, { inFlight: 15, isWarm: true })])).toBe(1);
  });

  test("spills to a cold executor when the warm one is busier than a cold start costs", () => {
    expect(warmFirst([executor(0), executor(1, { inFlight: 17, isWarm: true })])).toBe(0);
  });

  test("takes the least loaded of the warm ones", () => {
    const executors = [
      executor(0, { inFlight: 3, isWarm: true }),
      executor(1, { inFlight: 2, isWarm: true }),
    ];
    expect(warmFirst(executors)).toBe(1);
  });

  test("never picks an executor without room, even when it is the only warm one", () => {
    const executors = [
      executor(0, { inFlight: 1 }),
      executor(1, { inFlight: 2, hasRoom: false, isWarm: true }),
    ];
    expect(warmFirst(executors)).toBe(0);
  });

  test("breaks a tie by the lowest id", () => {
    expect(warmFirst([executor(3), executor(4)])).toBe(3);
  });

  test("picks nothing when no executor has room", () => {
    expect(warmFirst([executor(0, { hasRoom: false })])).toBeUndefined();
    expect(warmFirst([])).toBeUndefined();
  });
});
