import { expect, test } from "vitest";
import { MemoryBudget } from "./memory-budget.ts";

function budget(inUse: { tenantId: string; bytes: number }[]): MemoryBudget {
  return new MemoryBudget({ bytesMax: 100, tenantBytesMax: 60 }, () => inUse);
}

test("a tenant has no more than its limit, and others what is left", () => {
  const inUse: { tenantId: string; bytes: number }[] = [];
  const memory = budget(inUse);
  const take = (tenantId: string, bytes: number): boolean => {
    const isTaken = memory.take(tenantId, bytes);
    if (isTaken) inUse.push({ tenantId, bytes });
    return isTaken;
  };
  expect([take("a", 50), take("a", 11), take("a", 10), take("a", 1)]).toEqual([
    true,
    false,
    true,
    false,
  ]);
  expect([take("b", 41), take("b", 40), take("c", 1)]).toEqual([false, true, false]);
});

test("what instances gave back by ending is there again", () => {
  const inUse = [{ tenantId: "a", bytes: 60 }];
  const memory = budget(inUse);
  expect(memory.take("a", 60)).toBe(true);
  expect(memory.take("a", 1)).toBe(false);
  inUse.length = 0;
  expect(memory.take("a", 60)).toBe(true);
});
