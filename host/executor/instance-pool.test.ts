import { describe, expect, test } from "vitest";
import type { Instance } from "../engine/engine.ts";
import { InstancePool } from "./instance-pool.ts";
import type { PooledInstance } from "./instance-pool.ts";
import { InstanceScope } from "./instance-scope.ts";
import { appLimits } from "./testing/calls.ts";
import { ThreadClock } from "./thread-clock.ts";
import { Turns } from "./turns.ts";

/** The pool asks an instance only whether it is dead, and freezes it; these are never called. */
function fakeInstance(onFreeze: () => void, memoryBytes = 2 * 1024 * 1024): Instance {
  return {
    isDead: false,
    memoryBytes,
    fuelUsed: 0,
    has: () => false,
    call: () => Promise.reject(new Error("never called")),
    abandon: () => undefined,
    freeze: () => {
      onFreeze();
      return true;
    },
  };
}

function pooled(revisionKey: string, onFreeze = (): void => {}, tenantId = "acme"): PooledInstance {
  const app = { tenantId, app: "a", revisionId: revisionKey };
  const scope = new InstanceScope({
    app,
    limits: appLimits(),
    emit: () => undefined,
    clock: new ThreadClock(() => undefined),
    turns: new Turns(1),
    sliceMs: 1,
  });
  return { revisionKey, instance: fakeInstance(onFreeze), scope, idleSinceMs: 0, wasCalled: true };
}

function add(pool: InstancePool, revisionKey: string, nowMs: number, idleMax = 10): PooledInstance {
  expect(pool.reserve("acme", 100)).toBe(true);
  const made = pooled(revisionKey);
  pool.give(made, { idle: idleMax, ofTenant: 100 }, nowMs);
  return made;
}

test("the instance that ran last is taken first", () => {
  const pool = new InstancePool({ instancesMax: 10 });
  const first = add(pool, "r", 1);
  const second = add(pool, "r", 2);
  expect(pool.take("r")).toBe(second);
  expect(pool.take("r")).toBe(first);
  expect(pool.take("r")).toBeUndefined();
});

test("an instance serves no other revision", () => {
  const pool = new InstancePool({ instancesMax: 10 });
  add(pool, "r1", 1);
  expect(pool.take("r2")).toBeUndefined();
});

test("at the limit, the longest idle instance of any revision makes room", () => {
  const pool = new InstancePool({ instancesMax: 2 });
  add(pool, "r1", 5);
  const kept = add(pool, "r2", 9);
  expect(pool.reserve("acme", 100)).toBe(true);
  expect(pool.take("r1")).toBeUndefined();
  expect(pool.take("r2")).toBe(kept);
});

test("at the limit with none idle there is no room, until one is released", () => {
  const pool = new InstancePool({ instancesMax: 1 });
  expect(pool.reserve("acme", 100)).toBe(true);
  expect(pool.reserve("acme", 100)).toBe(false);
  pool.release("acme");
  expect(pool.reserve("acme", 100)).toBe(true);
});

/** An idle instance of a tenant, of which the thread keeps two at most. */
function addOf(pool: InstancePool, tenantId: string, revisionKey: string, nowMs: number): void {
  expect(pool.reserve(tenantId, 2)).toBe(true);
  const made = pooled(revisionKey, () => {}, tenantId);
  pool.give(made, { idle: 10, ofTenant: 2 }, nowMs);
}

function idleRevisions(pool: InstancePool): readonly string[] {
  return Array.from(pool.idle(), ({ revisionKey }) => revisionKey).toSorted();
}

test("a tenant with all that it may keep makes room at its own cost, and nobody else's", () => {
  const pool = new InstancePool({ instancesMax: 10 });
  addOf(pool, "victim", "v", 1);
  for (const [index, key] of ["a1", "a2", "a3", "a4"].entries())
    addOf(pool, "acme", key, index + 2);
  expect(idleRevisions(pool)).toEqual(["a3", "a4", "v"]);
});

test("a tenant whose instances all run gets one more, and keeps no more of them than it may", () => {
  const pool = new InstancePool({ instancesMax: 10 });
  const running = ["a1", "a2", "a3"].map((key) => {
    expect(pool.reserve("acme", 2)).toBe(true);
    return pooled(key);
  });
  for (const made of running) pool.give(made, { idle: 10, ofTenant: 2 }, 1);
  expect(idleRevisions(pool)).toEqual(["a2", "a3"]);
  expect(pool.reserveFree("acme", 2)).toBe(false);
  expect(pool.reserveFree("acme", 3)).toBe(true);
});

test("no more than the revision's idle limit are kept, and the others' room is free again", () => {
  const pool = new InstancePool({ instancesMax: 2 });
  add(pool, "r", 1, 1);
  add(pool, "r", 2, 1);
  expect(pool.idleInstances).toBe(1);
  expect(pool.reserve("acme", 100)).toBe(true);
});

test("a sweep lets go of what has been idle too long, and of nothing else", () => {
  const pool = new InstancePool({ instancesMax: 10 });
  add(pool, "r1", 1);
  const kept = add(pool, "r1", 5);
  add(pool, "r2", 2);
  pool.sweep(13, 10);
  expect(pool.idleInstances).toBe(1);
  expect(pool.take("r1")).toBe(kept);
});

test("a sweep lets go of large ones sooner, the larger the sooner", () => {
  const pool = new InstancePool({ instancesMax: 10 });
  for (const mib of [2, 8, 16, 64]) {
    expect(pool.reserve("acme", 100)).toBe(true);
    const instance = fakeInstance(() => undefined, mib * 1024 * 1024);
    pool.give({ ...pooled("r"), instance }, { idle: 10, ofTenant: 100 }, 0);
  }
  const left: number[] = [];
  for (const nowMs of [10, 40, 70, 90]) {
    pool.sweep(nowMs, 80);
    left.push(pool.idleInstances);
  }
  expect(left).toEqual([4, 3, 2, 0]);
});

test("a forgotten revision leaves nothing idle", () => {
  const pool = new InstancePool({ instancesMax: 1 });
  add(pool, "r", 1);
  pool.forget("r");
  expect(pool.take("r")).toBeUndefined();
  expect(pool.reserve("acme", 100)).toBe(true);
});

const LINKED_IDLE_MAX = 32;
/** Later than any instance of these tests may be linked without use. */
const NEXT_MS = 10_000;

/** Gives back `count` instances, one each millisecond from 0 on, and tells which are frozen. */
function manyIdle(count: number): {
  readonly pool: InstancePool;
  readonly frozen: number[];
  readonly giveOneMore: (nowMs: number) => void;
} {
  const pool = new InstancePool({ instancesMax: 1000 });
  const frozen: number[] = [];
  let given = 0;
  const giveOneMore = (nowMs: number): void => {
    const number = given;
    given += 1;
    expect(pool.reserve("acme", 1000)).toBe(true);
    const made = pooled("r", () => frozen.push(number));
    pool.give(made, { idle: 1000, ofTenant: 1000 }, nowMs);
  };
  for (let i = 0; i < count; i += 1) giveOneMore(i);
  return { pool, frozen, giveOneMore };
}

describe("of many idle instances", () => {
  test("none is frozen that was in use a moment ago", () => {
    const { pool, frozen } = manyIdle(200);
    pool.sweep(300, NEXT_MS);
    expect(frozen).toEqual([]);
  });

  test("the longest idle one is frozen after each that is given back later, and not before", () => {
    const { pool, frozen, giveOneMore } = manyIdle(LINKED_IDLE_MAX);
    pool.freezeOne(NEXT_MS);
    for (let more = 0; more < 2; more += 1) {
      giveOneMore(NEXT_MS);
      expect(frozen.length).toBe(more);
      pool.freezeOne(NEXT_MS);
    }
    expect(frozen).toEqual([0, 1]);
  });

  test("each sweep freezes some, until few enough are linked", () => {
    const { pool, frozen } = manyIdle(LINKED_IDLE_MAX + 20);
    pool.sweep(NEXT_MS, NEXT_MS);
    expect(frozen.length).toBe(16);
    pool.sweep(NEXT_MS, NEXT_MS);
    pool.sweep(NEXT_MS, NEXT_MS);
    expect(frozen).toEqual(Array.from({ length: 20 }, (_, number) => number));
    expect(pool.idleInstances).toBe(LINKED_IDLE_MAX + 20);
  });

  test("those that are in use, or gone, are not frozen", () => {
    const { pool, frozen } = manyIdle(LINKED_IDLE_MAX + 20);
    for (let i = 0; i < 20; i += 1) expect(pool.take("r")).toBeDefined();
    pool.sweep(NEXT_MS, NEXT_MS);
    pool.forget("r");
    pool.sweep(NEXT_MS, NEXT_MS);
    expect(frozen).toEqual([]);
  });
});
