import { expect, test } from "vitest";
import { WriteBudget } from "./write-budget.ts";

test("too many writes of one tenant at once are refused, and another's are not", async () => {
  const budget = new WriteBudget();
  const stored = Promise.withResolvers<string>();
  const underWay = Array.from({ length: 512 }, () => budget.run("a", 1, () => stored.promise));
  const refused = { code: "QUEUE_FULL", details: { limitOf: "tenant" } };
  await expect(budget.run("a", 1, () => "refused")).rejects.toMatchObject(refused);
  await expect(budget.run("b", 1, () => "stored")).resolves.toBe("stored");
  stored.resolve("stored");
  await Promise.all(underWay);
  await expect(budget.run("a", 1, () => "stored")).resolves.toBe("stored");
});

test("writes are bounded in bytes, and a large one goes alone", async () => {
  const budget = new WriteBudget();
  const stored = Promise.withResolvers<string>();
  const large = budget.run("a", 16_000_000, () => stored.promise);
  await expect(budget.run("a", 1, () => "refused")).rejects.toMatchObject({ code: "QUEUE_FULL" });
  stored.resolve("stored");
  await large;
  await expect(budget.run("a", 1, () => "stored")).resolves.toBe("stored");
});

test("a write that fails gives its room back", async () => {
  const budget = new WriteBudget();
  for (let count = 0; count < 600; count += 1) {
    const failed = budget.run("a", 1_000_000, () => Promise.reject(new Error("full disk")));
    await expect(failed).rejects.toThrow("full disk");
  }
  await expect(budget.run("a", 1, () => "stored")).resolves.toBe("stored");
});
