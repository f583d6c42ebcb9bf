import { expect, test } from "vitest";
import { Turns } from "./turns.ts";

interface Guest {
  readonly name: string;
  readonly tenantId: string;
  readonly weight?: number;
  /** How many turns it takes until it ends. */
  readonly turns: number;
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}

/** Goes on so often as it has turns, and writes its name down each time. */
async function run(
  turns: Turns,
  order: string[],
  { name, tenantId, weight = 1, turns: count }: Guest,
  sequence: number,
): Promise<void> {
  const computing = { tenantId, weight, sequence };
  for (let turn = 0; turn < count; turn += 1) {
    // One after the other: that is what it waits for.
    await turns.next(computing);
    order.push(name);
  }
  turns.leave(computing);
}

/** Runs guests that were all put aside at once; answers their names in the order in which they went on. */
async function orderOf(guests: readonly Guest[]): Promise<string> {
  const turns = new Turns(1);
  const order: string[] = [];
  const all = guests.map((guest, sequence) => run(turns, order, guest, sequence));
  await nextTurn();
  expect(order.length).toBeLessThanOrEqual(1);
  await Promise.all(all);
  return order.join("");
}

test("one goes on in each turn of the event loop, in order, and whoever comes back is last", async () => {
  const guests = [
    { tenantId: "t", name: "a", turns: 3 },
    { tenantId: "t", name: "b", turns: 1 },
    { tenantId: "t", name: "c", turns: 2 },
  ];
  expect(await orderOf(guests)).toBe("abcaca");
});

test.each([
  ["those after one that leaves before its slice is over go on in the same turn", 60_000, 3],
  ["whoever leaves when its slice is over has had the whole turn", 0, 1],
])("%s", async (_, sliceMs, inFirstTurn) => {
  const turns = new Turns(sliceMs);
  const order: string[] = [];
  const all = ["a", "b", "c"].map((name, sequence) =>
    run(turns, order, { tenantId: "t", name, turns: 1 }, sequence),
  );
  await nextTurn();
  expect(order).toHaveLength(inFirstTurn);
  await Promise.all(all);
  expect(order.join("")).toBe("abc");
});

test("a tenant with many guests has as many turns as one with a single guest", async () => {
  const many = Array.from({ length: 4 }, () => ({ tenantId: "many", name: "m", turns: 2 }));
  const order = await orderOf([...many, { tenantId: "one", name: "o", turns: 4 }]);
  expect(order.slice(0, 8)).toMatch(/^(?:mo|om){4}$/u);
});

test("a tenant of three times the weight has three times the turns", async () => {
  const order = await orderOf([
    { tenantId: "light", name: "l", turns: 30 },
    { tenantId: "heavy", name: "h", turns: 30, weight: 3 },
  ]);
  const shared = order.slice(0, 40);
  expect(shared.split("h").length - 1).toBe(30);
});

test("who comes back has no turns saved up", async () => {
  const turns = new Turns(1);
  const order: string[] = [];
  const goOn = (tenantId: string, sequence: number, count: number): Promise<void> =>
    run(turns, order, { name: tenantId, tenantId, turns: count }, sequence);
  await goOn("b", 1, 1);
  const first = goOn("a", 2, 30);
  for (let turn = 0; turn < 10; turn += 1) await nextTurn();
  const before = order.length;
  await Promise.all([first, goOn("b", 3, 5)]);
  expect(order.slice(before, before + 10).join("")).toMatch(/^(?:ab|ba){4}/u);
});

test("a tenant of many guests that each compute for a moment has no more turns than one with a single guest", async () => {
  const turns = new Turns(1);
  const order: string[] = [];
  const goOn = (tenantId: string, sequence: number, count: number): Promise<void> =>
    run(turns, order, { name: tenantId, tenantId, turns: count }, sequence);
  const long = goOn("l", 0, 20);
  for (let sequence = 1; sequence <= 20; sequence += 1) await goOn("m", sequence, 1);
  await long;
  expect(order.slice(0, 20).filter((tenantId) => tenantId === "m").length).toBeLessThanOrEqual(10);
});

test("the first guests of a tenant come to their ends before those behind them begin", async () => {
  const guests = Array.from({ length: 10 }, (_, index) => ({
    tenantId: "t",
    name: String(index),
    turns: 2,
  }));
  expect(await orderOf(guests)).toBe("01234567012345678989");
});

/** What comes in while a guest waits for its turn: work of three turns of the event loop. */
async function orderBeside(turns: Turns): Promise<string> {
  const guest = { tenantId: "t", weight: 1, sequence: 1 };
  const order: string[] = [];
  await turns.next(guest);
  const gone = turns.next(guest).then(() => order.push("g"));
  for (let step = 0; step < 3; step += 1) {
    turns.giveWay();
    await nextTurn();
    order.push("w");
  }
  await gone;
  return order.join("");
}

test("what comes in goes first, to its end", async () => {
  expect(await orderBeside(new Turns(60_000))).toBe("wwwg");
});

test("what comes in goes first for no longer than a slice", async () => {
  expect(await orderBeside(new Turns(0))).toBe("gwww");
});

test("a guest that left while it waited waits no longer, and takes no turn of others", async () => {
  const turns = new Turns(1);
  const gone = { tenantId: "t", weight: 1, sequence: 1 };
  const waited = turns.next(gone);
  turns.leave(gone);
  await expect(waited).resolves.toBeUndefined();
  const other = turns.next({ tenantId: "t", weight: 1, sequence: 2 });
  await expect(other).resolves.toBeUndefined();
});
