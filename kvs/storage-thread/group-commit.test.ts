import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { KvsError } from "../errors.ts";
import { decodeUse, useKey } from "../key-space.ts";
import { counterValue } from "../lattice/counter.ts";
import { isKind } from "../lattice/entry.ts";
import { toReplicaId } from "../lattice/replica-id.ts";
import type { Mutation } from "../state-client.ts";
import { MemoryStore } from "../store/memory-store.ts";
import { FaultyStore } from "../testing/faulty-store.ts";
import { GROUP_LIMITS, GroupCommit } from "./group-commit.ts";
import type { GroupLimits, Write, WriteLevel } from "./group-commit.ts";
import { Replica } from "./replica.ts";

interface NamedWrite extends Write {
  readonly name: string;
}

/** A group commit on a store that can be held and broken, and what it has answered, in order. */
class Rig {
  readonly store = new FaultyStore(new MemoryStore());
  readonly answers: string[] = [];
  readonly groups: GroupCommit<NamedWrite>;
  groupSizes: number[] = [];

  constructor(limits: Partial<GroupLimits> = {}) {
    const replica = new Replica({ replicaId: toReplicaId("0".repeat(16)), store: this.store });
    this.groups = new GroupCommit<NamedWrite>({
      store: this.store,
      replica,
      limits,
      sink: {
        executed: ({ name }, counter) => this.answers.push(`${name} executed${suffix(counter)}`),
        stored: ({ name }, counter) => this.answers.push(`${name} stored${suffix(counter)}`),
        rejected: ({ name }, error) => this.answers.push(`${name} ${error.code}`),
        groupStored: (writes) => this.groupSizes.push(writes),
        failed: (error) => this.answers.push(`failed ${error.code}`),
      },
    });
  }

  add(name: string, level: WriteLevel, key = "k", delta = 1n): void {
    this.submit(name, { kind: "add", delta }, level, key);
  }

  submit(name: string, mutation: Mutation, level: WriteLevel, key = "k"): void {
    this.groups.submit([{ name, key, mutation, level }]);
  }

  async until(condition: () => boolean): Promise<void> {
    for (let turn = 0; turn < 1_000; turn += 1) {
      if (condition()) return;
      // Each turn may depend on the one before.
      await new Promise((resolve) => {
        setImmediate(resolve);
      });
    }
    throw new Error(`it never came to be: ${JSON.stringify(this.answers)}`);
  }

  async untilAnswered(count: number): Promise<void> {
    await this.until(() => this.answers.length >= count);
  }

  stored(key = "k"): bigint | undefined {
    const entry = this.store.get(key);
    return entry !== undefined && isKind("counter", entry) ? counterValue(entry.value) : undefined;
  }
}

function suffix(counter: bigint | undefined): string {
  return counter === undefined ? "" : ` ${counter}`;
}

const full = new KvsError("STORE_FULL", "full");
const put: Mutation = { kind: "put", value: new Uint8Array([1]) };

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
});
afterEach(() => {
  vi.useRealTimers();
});

describe("a group", () => {
  test("gives each add of one key its own value, and is stored once", async () => {
    const rig = new Rig();
    for (const name of ["a", "b", "c"]) rig.add(name, "durable");
    await rig.untilAnswered(3);
    expect(rig.answers).toEqual(["a stored 1", "b stored 2", "c stored 3"]);
    expect(rig.groupSizes).toEqual([3]);
    expect(rig.stored()).toBe(3n);
  });

  test("collects while another is being stored, and sees its writes", async () => {
    const rig = new Rig();
    rig.store.hold();
    rig.add("a", "durable");
    await rig.until(() => rig.store.merges === 1);
    for (const name of ["b", "c"]) rig.add(name, "durable");
    rig.submit("d", { kind: "delete" }, "durable", "other");
    expect(rig.answers).toEqual([]);
    rig.store.release();
    await rig.untilAnswered(4);
    expect(rig.answers).toEqual(["a stored 1", "b stored 2", "c stored 3", "d stored"]);
    expect(rig.groupSizes).toEqual([1, 3]);
  });

  test("is answered before it is stored below level durable, and only after it at durable", async () => {
    const rig = new Rig();
    rig.store.hold();
    rig.add("a", "async");
    rig.add("b", "memory");
    rig.add("c", "durable");
    expect(rig.answers).toEqual(["a executed 1", "b executed 2"]);
    rig.store.release();
    await rig.untilAnswered(5);
    expect(rig.answers.slice(2)).toEqual(["a stored 1", "b stored 2", "c stored 3"]);
  });

  test("answers a gated write when it is executed, and says when it is stored", async () => {
    const rig = new Rig();
    rig.store.hold();
    rig.add("a", "gated");
    rig.add("b", "gated");
    expect(rig.answers).toEqual(["a executed 1", "b executed 2"]);
    rig.store.release();
    await rig.untilAnswered(4);
    expect(rig.answers.slice(2)).toEqual(["a stored 1", "b stored 2"]);
  });

  test("rejects a write that fails its checks alone", async () => {
    const rig = new Rig();
    rig.add("a", "durable");
    rig.submit("b", put, "durable");
    rig.add("c", "durable", "k", 2n ** 53n);
    rig.add("d", "durable");
    await rig.untilAnswered(4);
    expect(rig.answers).toEqual(["b WRONG_KIND", "c COUNTER_OVERFLOW", "a stored 1", "d stored 2"]);
  });

  test("may delete a key and take another kind in one go", async () => {
    const rig = new Rig();
    rig.add("a", "durable");
    rig.submit("b", { kind: "delete" }, "durable");
    rig.submit("c", put, "durable");
    await rig.untilAnswered(3);
    expect(rig.store.get("k")?.kind).toBe("register");
  });

  test("has a limit, and what is beyond it comes in the next ones, in order", async () => {
    const rig = new Rig({ groupWritesMax: 2 });
    for (const name of ["a", "b", "c", "d", "e"]) rig.add(name, "durable");
    await rig.untilAnswered(5);
    expect(rig.answers.map((answer) => answer[0])).toEqual(["a", "b", "c", "d", "e"]);
    expect(rig.groupSizes).toEqual([2, 2, 1]);
    expect(rig.stored()).toBe(5n);
  });

  test("has a limit in bytes too", async () => {
    const rig = new Rig({ groupBytesMax: 1_000 });
    const large: Mutation = { kind: "put", value: new Uint8Array(900) };
    for (const name of ["a", "b", "c"]) rig.submit(name, large, "durable", name);
    await rig.untilAnswered(3);
    expect(rig.groupSizes).toEqual([2, 1]);
  });
});

describe("a full store", () => {
  test("rejects the durable writes of the group, and later writes count without them", async () => {
    const rig = new Rig();
    rig.store.hold();
    rig.store.failWith(full);
    rig.add("a", "durable");
    await rig.until(() => rig.store.merges === 1);
    rig.add("b", "durable");
    rig.store.release();
    await rig.until(() => rig.answers.length === 1);
    rig.store.failWith(undefined);
    await rig.untilAnswered(2);
    expect(rig.answers).toEqual(["a STORE_FULL", "b stored 1"]);
    expect(rig.stored()).toBe(1n);
  });

  test("keeps answered writes, refuses more of them, and stores what it keeps when there is space", async () => {
    const rig = new Rig();
    rig.store.failWith(full);
    rig.add("a", "async");
    rig.add("b", "durable");
    rig.add("c", "memory");
    await rig.until(() => rig.answers.includes("b STORE_FULL"));
    rig.add("d", "async");
    expect(rig.answers).toEqual(["a executed 1", "c executed 3", "b STORE_FULL", "d STORE_FULL"]);
    const attempts = rig.store.merges;
    rig.store.failWith(undefined);
    vi.advanceTimersByTime(GROUP_LIMITS.retryDelayMs);
    await rig.untilAnswered(6);
    expect(rig.store.merges).toBe(attempts + 1);
    expect(rig.answers.slice(4)).toEqual(["a stored 1", "c stored 2"]);
    expect(rig.stored()).toBe(2n);
    rig.add("e", "async");
    expect(rig.answers).toContain("e executed 3");
  });

  test("rejects its gated writes and those that were answered after them, and counts without them", async () => {
    const rig = new Rig();
    rig.store.hold();
    rig.store.failWith(full);
    rig.add("a", "gated");
    await rig.until(() => rig.store.merges === 1);
    rig.add("b", "gated");
    rig.add("c", "durable");
    rig.store.release();
    await rig.until(() => rig.answers.length === 4);
    rig.add("d", "gated");
    rig.store.failWith(undefined);
    await rig.untilAnswered(6);
    expect(rig.answers).toEqual([
      "a executed 1",
      "b executed 2",
      "a STORE_FULL",
      "b STORE_FULL",
      "d STORE_FULL",
      "c stored 1",
    ]);
    rig.add("e", "gated");
    expect(rig.answers.at(-1)).toBe("e executed 2");
  });

  test("tries again at once for a durable write, and does not spin without one", async () => {
    const rig = new Rig();
    rig.store.failWith(full);
    rig.add("a", "async");
    await rig.until(() => rig.store.merges === 1);
    await rig.until(() => rig.answers.length === 1);
    for (let turn = 0; turn < 20; turn += 1) {
      await new Promise((resolve) => {
        setImmediate(resolve);
      });
    }
    expect(rig.store.merges).toBe(1);
    rig.store.failWith(undefined);
    rig.add("b", "durable");
    await rig.untilAnswered(3);
    expect(rig.answers).toEqual(["a executed 1", "a stored 1", "b stored 2"]);
  });

  test("drops an answered write that makes no sense without a rejected one", async () => {
    const rig = new Rig();
    rig.add("a", "durable");
    await rig.untilAnswered(1);
    rig.store.failWith(full);
    rig.submit("b", { kind: "delete" }, "durable");
    rig.submit("c", put, "async");
    await rig.untilAnswered(4);
    expect(rig.answers).toEqual(["a stored 1", "c executed", "b STORE_FULL", "c WRONG_KIND"]);
    expect(rig.stored()).toBe(1n);
  });

  test("leaves what a space holds as if the rejected writes had never been", async () => {
    const rig = new Rig();
    rig.groups.limitSpace("t/a/", { keysMax: 2, bytesMax: 100 });
    rig.store.hold();
    rig.store.failWith(full);
    rig.submit("a", put, "durable", "t/a/1");
    rig.submit("b", put, "async", "t/a/2");
    await rig.until(() => rig.store.merges === 1);
    rig.submit("c", put, "durable", "t/a/3");
    rig.store.release();
    await rig.until(() => rig.answers.includes("a STORE_FULL"));
    rig.store.failWith(undefined);
    rig.submit("d", put, "durable", "t/a/4");
    rig.submit("e", put, "durable", "t/a/5");
    await rig.until(() => rig.answers.includes("d stored"));
    expect(rig.answers).toEqual([
      "b executed",
      "c SPACE_FULL",
      "a STORE_FULL",
      "e SPACE_FULL",
      "b stored",
      "d stored",
    ]);
    expect(decodeUse(rig.store.get(useKey("t/a/")))).toEqual({ keys: 2, bytes: 12 });
  });

  test("fails a drain that would lose answered writes, and says how many", async () => {
    const rig = new Rig();
    rig.store.failWith(full);
    rig.add("a", "async");
    rig.add("b", "durable");
    await expect(rig.groups.drain()).rejects.toMatchObject({
      code: "STORE_FULL",
      message: expect.stringContaining("1 answered writes"),
    });
    expect(rig.answers).toEqual(["a executed 1", "a STORE_FULL", "b STORE_FULL"]);
  });
});

describe("the end", () => {
  test("drains what was submitted, in groups, and may be asked for twice", async () => {
    const rig = new Rig({ groupWritesMax: 1 });
    for (const name of ["a", "b", "c"]) rig.add(name, "async");
    await Promise.all([rig.groups.drain(), rig.groups.drain()]);
    expect(rig.stored()).toBe(3n);
  });

  test("another failure of the store is fatal, and nothing is answered after it", async () => {
    const rig = new Rig();
    rig.store.failWith(new Error("input/output error"));
    rig.add("a", "durable");
    await rig.untilAnswered(1);
    expect(rig.answers).toEqual(["failed STORE_UNAVAILABLE"]);
    rig.store.failWith(undefined);
    rig.add("b", "durable");
    await rig.until(() => true);
    expect(rig.answers).toEqual(["failed STORE_UNAVAILABLE"]);
  });

  test("a commit that does not end is fatal", async () => {
    const rig = new Rig();
    rig.store.hold();
    rig.add("a", "durable");
    await rig.until(() => rig.store.merges === 1);
    vi.advanceTimersByTime(GROUP_LIMITS.commitDeadlineMs);
    expect(rig.answers).toEqual(["failed STORE_UNAVAILABLE"]);
    rig.store.release();
    await rig.until(() => rig.stored() === 1n);
    expect(rig.answers).toEqual(["failed STORE_UNAVAILABLE"]);
  });
});
