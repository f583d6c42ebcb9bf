import { expect, test } from "vitest";
import { TICKS_PER_MS, toHybridTimestamp } from "../hybrid-clock.ts";
import { counterValue } from "../lattice/counter.ts";
import { ENTRY_BOTTOM, isKind, mergeEntries, tombstoneAfter } from "../lattice/entry.ts";
import type { Entry } from "../lattice/entry.ts";
import { toReplicaId } from "../lattice/replica-id.ts";
import type { Mutation } from "../state-client.ts";
import { MemoryStore } from "../store/memory-store.ts";
import type { Store } from "../store/store.ts";
import { COUNTER_MAX, Replica } from "./replica.ts";

const replicaId = toReplicaId("00112233445566ff");
const put: Mutation = { kind: "put", value: new Uint8Array([1]) };

function createReplica(
  options: { readonly store?: Store; readonly wallMs?: number } = {},
): Replica {
  const wallMs = options.wallMs ?? 1_000_000;
  return new Replica({
    replicaId,
    store: options.store ?? new MemoryStore(),
    wallMs: () => wallMs,
  });
}

function apply(replica: Replica, before: Entry, mutation: Mutation): Entry {
  const delta = replica.delta(before, mutation);
  return delta === undefined ? before : mergeEntries(before, delta);
}

function timestampOf(entry: Entry): number {
  return isKind("register", entry) ? entry.value.timestamp : Number.NaN;
}

test("a put wins over what is there, also when that has a timestamp of the future", () => {
  const replica = createReplica();
  const timestamp = toHybridTimestamp(9_000_000 * TICKS_PER_MS);
  const held: Entry = {
    generation: 0,
    kind: "register",
    value: { timestamp, replicaId: "zz", value: new Uint8Array([9]) },
  };
  const after = apply(replica, held, put);
  expect(isKind("register", after) && after.value.value).toEqual(put.value);
});

test("adds accumulate, and an add of nothing makes a counter", () => {
  const replica = createReplica();
  const zero = apply(replica, ENTRY_BOTTOM, { kind: "add", delta: 0n });
  expect(zero.kind).toBe("counter");
  const three = apply(replica, apply(replica, zero, { kind: "add", delta: 5n }), {
    kind: "add",
    delta: -2n,
  });
  expect(isKind("counter", three) && counterValue(three.value)).toBe(3n);
});

test("a key of another kind is refused until it is deleted", () => {
  const replica = createReplica();
  const counter = apply(replica, ENTRY_BOTTOM, { kind: "add", delta: 1n });
  expect(() => replica.delta(counter, put)).toThrow(
    expect.objectContaining({ code: "WRONG_KIND", details: { kind: "counter" } }),
  );
  const register = apply(replica, ENTRY_BOTTOM, put);
  expect(() => replica.delta(register, { kind: "add", delta: 1n })).toThrow(
    expect.objectContaining({ code: "WRONG_KIND", details: { kind: "register" } }),
  );
  const deleted = apply(replica, counter, { kind: "delete" });
  expect(apply(replica, deleted, put)).toMatchObject({ generation: 1, kind: "register" });
});

test("deleting what is not there changes nothing", () => {
  const replica = createReplica();
  expect(replica.delta(ENTRY_BOTTOM, { kind: "delete" })).toBeUndefined();
  expect(replica.delta(tombstoneAfter(ENTRY_BOTTOM), { kind: "delete" })).toBeUndefined();
});

test("a counter reaches its limits, and not one further", () => {
  const replica = createReplica();
  for (const sign of [1n, -1n]) {
    const full = apply(replica, ENTRY_BOTTOM, { kind: "add", delta: sign * COUNTER_MAX });
    expect(() => replica.delta(full, { kind: "add", delta: sign })).toThrow(
      expect.objectContaining({ code: "COUNTER_OVERFLOW" }),
    );
    const across = apply(replica, full, { kind: "add", delta: -2n * sign * COUNTER_MAX });
    expect(isKind("counter", across) && counterValue(across.value)).toBe(-sign * COUNTER_MAX);
  }
});

test("after a restart with a clock set back, timestamps still go on", async () => {
  const store = new MemoryStore();
  const first = createReplica({ store, wallMs: 5_000_000 });
  const before = apply(first, ENTRY_BOTTOM, put);
  const ceiling = first.ceilingDelta();
  expect(ceiling).toBeDefined();
  if (ceiling !== undefined) await store.merge([ceiling]);
  const second = createReplica({ store, wallMs: 1_000 });
  expect(timestampOf(apply(second, ENTRY_BOTTOM, put))).toBeGreaterThan(timestampOf(before));
});

test("the ceiling is stored again only when the clock has reached it", () => {
  const replica = createReplica();
  expect(replica.ceilingDelta()).toBeUndefined();
  apply(replica, ENTRY_BOTTOM, put);
  const ceiling = replica.ceilingDelta();
  expect(ceiling).toBeDefined();
  // Not stored yet, for example because the disk was full: it is due again.
  expect(replica.ceilingDelta()).toEqual(ceiling);
  if (ceiling !== undefined) replica.ceilingStored(ceiling);
  for (let count = 0; count < 1_000; count += 1) apply(replica, ENTRY_BOTTOM, put);
  expect(replica.ceilingDelta()).toBeUndefined();
});
