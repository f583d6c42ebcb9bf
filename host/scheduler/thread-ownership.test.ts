import { expect, test } from "vitest";
import { toRetire } from "./thread-ownership.ts";
import type { OwnedThread } from "./thread-ownership.ts";

function thread(
  executorId: number,
  tenantId: string | undefined,
  more: Partial<OwnedThread> = {},
): OwnedThread {
  return { executorId, tenantId, ownedSinceMs: 0, isRetiring: false, ...more };
}

test("nothing is retired for tenants that have a thread, or while a fresh one is there or comes", () => {
  const threads = [thread(0, "a"), thread(1, "b")];
  expect(toRetire(threads, new Set(["a", "b"]), 1_000)).toEqual([]);
  expect(toRetire([...threads, thread(2, undefined)], new Set(["c"]), 1_000)).toEqual([]);
  const retiring = thread(2, "a", { isRetiring: true });
  expect(toRetire([...threads, retiring], new Set(["c"]), 1_000)).toEqual([]);
});

test("who has the most threads gives one up first, then who has had one longest", () => {
  const threads = [
    thread(0, "one", { ownedSinceMs: 1 }),
    thread(1, "many", { ownedSinceMs: 3 }),
    thread(2, "many", { ownedSinceMs: 2 }),
  ];
  expect(toRetire(threads, new Set(["c"]), 1_000)).toEqual([2]);
  expect(toRetire(threads.slice(0, 2), new Set(["c"]), 1_000)).toEqual([0]);
});

test("a thread that was just taken is left to its tenant for a while", () => {
  const threads = [thread(0, "a", { ownedSinceMs: 900 })];
  expect(toRetire(threads, new Set(["b"]), 1_000)).toEqual([]);
  expect(toRetire(threads, new Set(["b"]), 1_200)).toEqual([0]);
});
