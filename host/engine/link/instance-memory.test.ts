import { expect, test } from "vitest";
import { createEngine } from "../create-engine.ts";
import type { Instance } from "../engine.ts";
import { assemble } from "../testing/assemble.ts";
import { bareInstances } from "../testing/bare-instances.ts";
import { collectGarbage } from "../collect-garbage.ts";
import { testLimits } from "../testing/limits.ts";
import { buildStoreGuest, storeLinks, storeWorld } from "../testing/store-guest.ts";
import { testWorld } from "../testing/world.ts";

const engine = createEngine();

async function heapBytesOf(create: () => unknown): Promise<number> {
  const count = 40;
  const kept: unknown[] = [];
  for (let i = 0; i < 3; i += 1) await create();
  collectGarbage();
  const before = process.memoryUsage().heapUsed;
  for (let i = 0; i < count; i += 1) kept.push(await create());
  collectGarbage();
  const after = process.memoryUsage().heapUsed;
  if (kept.length !== count) throw new Error("instances are missing");
  return (after - before) / count;
}

/** What V8 compiles and caches meanwhile, and lets go of later, is counted to one round or another. */
async function medianOfThree(measure: () => Promise<number>): Promise<number | undefined> {
  const measured = [await measure(), await measure(), await measure()];
  return measured.toSorted((a, b) => a - b)[1];
}

test("a linked instance takes at most 20 KiB of heap beside what V8 takes for its core instances", async () => {
  const { component } = engine.compile(await buildStoreGuest("async"), storeWorld, testLimits);
  const bare = bareInstances(component, storeLinks());
  const whole = (): unknown => engine.instantiate(component, storeLinks());
  const ownBytes = async (): Promise<number> =>
    (await heapBytesOf(whole)) - (await heapBytesOf(bare));
  expect(await medianOfThree(ownBytes)).toBeLessThan(20 * 1024);
});

test("a frozen instance takes at most 20 KiB of heap, all that V8 keeps included", async () => {
  const { component } = engine.compile(await buildStoreGuest("async"), storeWorld, testLimits);
  const frozen = async (): Promise<Instance> => {
    const instance = engine.instantiate(component, storeLinks());
    await instance.call("handle", [new Uint8Array(4)]);
    expect(instance.freeze()).toBe(true);
    return instance;
  };
  expect(await medianOfThree(() => heapBytesOf(frozen))).toBeLessThan(20 * 1024);
});

async function nextTurn(): Promise<void> {
  await new Promise((resolve) => {
    setImmediate(resolve);
  });
}

test.each(["sync", "async"] as const)(
  "a guest with a %s export that is abandoned while it waits for what never comes is freed",
  async (kind) => {
    const { component } = engine.compile(await buildStoreGuest(kind), storeWorld, testLimits);
    const freed: string[] = [];
    const registry = new FinalizationRegistry((what: string) => freed.push(what));
    const abandonOne = async (): Promise<void> => {
      const store = { get: () => new Promise<undefined>(() => {}), put: () => {} };
      // Only the guest's imports hold it: it is freed when they are.
      registry.register(store.get, "the host's function");
      const instance = engine.instantiate(component, storeLinks(store));
      const called = instance.call("handle", [new Uint8Array(4)]);
      instance.abandon(new Error("deadline"));
      await expect(called).rejects.toThrow("deadline");
    };
    for (let i = 0; i < 20; i += 1) await abandonOne();
    for (let turn = 0; turn < 20 && freed.length < 20; turn += 1) {
      collectGarbage();
      await nextTurn();
    }
    // The last one may still be held by what is left on the stack.
    expect(freed.length).toBeGreaterThanOrEqual(18);
  },
);

/** Each has sixteen memories, and with them gigabytes of address space: they end soon. */
const ADDRESS_SPACE_EATER = `(component
  (core module $m
    ${"(memory 1)".repeat(16)}
    (global $n (mut i32) (i32.const 0))
    (func (export "run") (param i32) (result i32)
      (global.set $n (i32.add (global.get $n) (local.get 0))) (global.get $n)))
  (core instance $c (instantiate $m))
  (func (export "run") (param "x" u32) (result u32) (canon lift (core func $c "run"))))`;

test("where the address space ends, making one more fails, and the others answer: frozen ones when there is room", async () => {
  const { component } = engine.compile(await assemble(ADDRESS_SPACE_EATER), testWorld, testLimits);
  const make = (): Instance => engine.instantiate(component, {});
  const frozen = make();
  await frozen.call("run", [1]);
  expect(frozen.freeze()).toBe(true);
  const linked: Instance[] = [];
  expect(() => {
    for (;;) linked.push(make());
  }).toThrow(RangeError);
  expect(linked.length).toBeGreaterThan(100);
  await expect(frozen.call("run", [1])).rejects.toThrow(RangeError);
  expect(frozen.isDead).toBe(false);
  for (const instance of linked) expect(await instance.call("run", [5])).toBe(5);
  // Frozen, they need no address space: as many again can be made.
  const { length } = linked;
  for (const instance of linked) expect(instance.freeze()).toBe(true);
  for (let i = 0; i < length; i += 1) {
    const instance = make();
    expect(instance.freeze()).toBe(true);
    linked.push(instance);
  }
  expect(await frozen.call("run", [1])).toBe(2);
  for (const instance of linked.slice(0, length)) {
    expect(await instance.call("run", [5])).toBe(10);
    expect(instance.freeze()).toBe(true);
  }
});
