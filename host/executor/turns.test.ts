import { expect, test } from "vitest";
import { Turns } from "./turns.ts";

function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}

test("one goes on in each turn of the event loop, in order, and whoever comes back is last", async () => {
  const turns = new Turns();
  const order: string[] = [];
  const go = async (name: string, rounds: number): Promise<void> => {
    for (let round = 0; round < rounds; round += 1) {
      await turns.next();
      order.push(name);
    }
  };
  const all = Promise.all([go("a", 3), go("b", 1), go("c", 2)]);
  await nextTurn();
  expect(order.length).toBeLessThanOrEqual(1);
  await all;
  expect(order.join("")).toBe("abcaca");
});
