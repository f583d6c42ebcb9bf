import { describe, expect, test } from "vitest";
import { MemoryBudget } from "./memory-budget.ts";

interface Instance {
  readonly tenantId: string;
  readonly bytes: number;
  readonly isIdle: boolean;
}

class Rig {
  instances: Instance[] = [];
  counts = 0;
  readonly #memory = new MemoryBudget(
    { bytesMax: 100, tenantBytesMax: 60 },
    {
      inUse: () => {
        this.counts += 1;
        return this.instances;
      },
      evict: (tenantId) => {
        const index = this.instances.findIndex(
          (instance) => instance.isIdle && (tenantId ?? instance.tenantId) === instance.tenantId,
        );
        return index === -1 ? undefined : this.instances.splice(index, 1)[0];
      },
      collect: () => undefined,
    },
  );

  /** Waits until it is worth to count again. */
  async take(tenantId: string, bytes: number, isIdle = false): Promise<boolean> {
    await new Promise((resolve) => {
      setTimeout(resolve, 11);
    });
    return this.takeAtOnce(tenantId, bytes, isIdle);
  }

  takeAtOnce(tenantId: string, bytes: number, isIdle = false): boolean {
    const isTaken = this.#memory.take(tenantId, bytes);
    if (isTaken) this.instances.push({ tenantId, bytes, isIdle });
    return isTaken;
  }
}

test("a tenant has no more than its limit, and others what is left", async () => {
  const rig = new Rig();
  expect(await rig.take("a", 50)).toBe(true);
  expect(await rig.take("a", 11)).toBe(false);
  expect(await rig.take("a", 10)).toBe(true);
  expect(await rig.take("b", 41)).toBe(false);
  expect(await rig.take("b", 40)).toBe(true);
  expect(await rig.take("c", 1)).toBe(false);
});

test("what instances gave back by ending is there again", async () => {
  const rig = new Rig();
  expect(await rig.take("a", 60)).toBe(true);
  expect(await rig.take("a", 1)).toBe(false);
  rig.instances = [];
  expect(await rig.take("a", 60)).toBe(true);
});

test("idle instances make room: a tenant's own for its limit, anyone's for that of all", async () => {
  const rig = new Rig();
  expect(await rig.take("b", 40, true)).toBe(true);
  expect(await rig.take("a", 50, true)).toBe(true);
  expect(await rig.take("a", 20)).toBe(true);
  expect(rig.instances.map(({ tenantId, bytes }) => `${tenantId}${bytes}`)).toEqual(["b40", "a20"]);
  expect(await rig.take("c", 60)).toBe(true);
  expect(rig.instances.map(({ tenantId, bytes }) => `${tenantId}${bytes}`)).toEqual(["a20", "c60"]);
});

test("who asks in vain keeps nobody else from what is idle, or was given back", async () => {
  const rig = new Rig();
  expect(await rig.take("a", 60)).toBe(true);
  expect(await rig.take("idle", 40, true)).toBe(true);
  expect(await rig.take("a", 1)).toBe(false);
  expect(rig.takeAtOnce("b", 40)).toBe(true);
  rig.instances.pop();
  expect(rig.takeAtOnce("a", 1)).toBe(false);
  expect(rig.takeAtOnce("c", 40)).toBe(true);
});

test("who asks in vain again and again has what is idle, and is not counted for each time", () => {
  const rig = new Rig();
  expect(rig.takeAtOnce("a", 60)).toBe(true);
  const startMs = performance.now();
  for (let asked = 0; asked < 1_000; asked += 1) expect(rig.takeAtOnce("a", 1)).toBe(false);
  expect(rig.counts).toBeLessThanOrEqual(1 + (performance.now() - startMs) / 10);
  rig.instances = [{ tenantId: "a", bytes: 60, isIdle: true }];
  expect(rig.takeAtOnce("a", 1)).toBe(true);
});

describe("what instances had that are gone", () => {
  const mib = 1024 * 1024;

  function budget(instances: Instance[]): readonly [MemoryBudget, () => number] {
    let collections = 0;
    const memory = new MemoryBudget(
      { bytesMax: 1_000 * mib, tenantBytesMax: 1_000 * mib },
      { inUse: () => instances, evict: () => undefined, collect: () => (collections += 1) },
    );
    return [memory, () => collections];
  }

  test("is collected before the limit of all is passed with it", () => {
    const instances: Instance[] = [];
    const [memory, collections] = budget(instances);
    for (let made = 0; made < 15; made += 1) {
      expect(memory.take("a", 100 * mib)).toBe(true);
      instances.splice(0, 1, { tenantId: "a", bytes: 100 * mib, isIdle: false });
    }
    expect(collections()).toBe(1);
  });

  test("is collected whenever it is much, and at the end of a turn", () => {
    const instances: Instance[] = [];
    const [memory, collections] = budget(instances);
    for (let ended = 0; ended < 4; ended += 1) {
      expect(memory.take("a", 100 * mib)).toBe(true);
      memory.release(100 * mib);
      expect(collections()).toBe(Math.floor(ended / 2));
      memory.collectReleased();
    }
    expect(collections()).toBe(2);
  });

  test("is collected while the thread is idle, and not twice", () => {
    const instances: Instance[] = [];
    const [memory, collections] = budget(instances);
    memory.take("a", 100 * mib);
    instances.push({ tenantId: "a", bytes: 100 * mib, isIdle: true });
    memory.collectIdle();
    expect(collections()).toBe(0);
    instances.pop();
    memory.collectIdle();
    memory.collectIdle();
    expect(collections()).toBe(1);
  });
});
