import { expect, test } from "vitest";
import { createEngine } from "../create-engine.ts";
import { bareInstances } from "../testing/bare-instances.ts";
import { collectGarbage } from "../testing/collect-garbage.ts";
import { testLimits } from "../testing/limits.ts";
import { buildStoreGuest, storeLinks, storeWorld } from "../testing/store-guest.ts";

const engine = createEngine();

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

function heapBytesOf(create: () => unknown): number {
  const count = 40;
  const kept: unknown[] = [];
  for (let i = 0; i < 3; i += 1) create();
  collectGarbage();
  const before = process.memoryUsage().heapUsed;
  for (let i = 0; i < count; i += 1) kept.push(create());
  collectGarbage();
  const after = process.memoryUsage().heapUsed;
  if (kept.length !== count) throw new Error("instances are missing");
  return (after - before) / count;
}

test("an idle instance takes at most 20 kB of heap beside what V8 takes for its core instances", async () => {
  const { component } = engine.compile(await buildStoreGuest("async"), storeWorld, testLimits);
  const bare = bareInstances(component, storeLinks());
  const whole = (): unknown => engine.instantiate(component, storeLinks());
  // Once in vain: what the first round compiles and caches would be counted to whoever comes first.
  heapBytesOf(bare);
  heapBytesOf(whole);
  expect(heapBytesOf(whole) - heapBytesOf(bare)).toBeLessThan(20 * 1024);
});
