import { expect, test } from "vitest";
import { MemoryBudget } from "./memory-budget.ts";

interface Instance {
  readonly tenantId: string;
  readonly bytes: number;
  readonly isIdle: boolean;
}

class Rig {
  instances: Instance[] = [];
  readonly #memory = new MemoryBudget(
    { bytesMax: 100, tenantBytesMax: 60 },
    {
      inUse: () => this.instances,
      evict: (tenantId) => {
        const index = this.instances.findIndex(
          (instance) => instance.isIdle && (tenantId ?? instance.tenantId) === instance.tenantId,
        );
        return index === -1 ? undefined : this.instances.splice(index, 1)[0];
      },
    },
  );

  /** Waits until it is worth to count again. */
  async take(tenantId: string, bytes: number, isIdle = false): Promise<boolean> {
    await new Promise((resolve) => {
      setTimeout(resolve, 11);
    });
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
