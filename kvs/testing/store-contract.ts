import fc from "fast-check";
import { afterEach, beforeEach, expect, test } from "vitest";
import { toHybridTimestamp } from "../hybrid-clock.ts";
import { compareKeys } from "../keys.ts";
import { counterDelta, counterValue } from "../lattice/counter.ts";
import { ENTRY_BOTTOM, entryLattice, isKind, tombstoneAfter } from "../lattice/entry.ts";
import type { Entry } from "../lattice/entry.ts";
import type { Store } from "../store/store.ts";
import { entries } from "./lattice-values.ts";

/**
 * What every store that keeps its tombstones promises. Run it against each implementation; a skip
 * needs a reason. `open` gives an empty store each time; the suite closes it.
 */
export function testStoreContract(open: () => Store | Promise<Store>): void {
  let store: Store;
  beforeEach(async () => {
    store = await open();
  });
  afterEach(async () => {
    await store.close();
  });

  test("a key never written reads as undefined", () => {
    expect(store.get("absent")).toBeUndefined();
  });

  test("a write is read back", async () => {
    await store.merge([{ key: "k", entry: register(1, "one") }]);
    expect(store.get("k")).toEqual(register(1, "one"));
  });

  test("a write is merged with what is there, and never replaces it", async () => {
    await store.merge([{ key: "k", entry: register(2, "later") }]);
    await store.merge([{ key: "k", entry: register(1, "earlier") }]);
    expect(store.get("k")).toEqual(register(2, "later"));
  });

  test("a batch may name a key more than once", async () => {
    await store.merge([
      { key: "k", entry: count("a", 1n) },
      { key: "k", entry: count("b", 2n) },
    ]);
    expect(valueOf(store.get("k"))).toBe(3n);
  });

  test("merges called at the same time all arrive", async () => {
    const replicas = Array.from({ length: 20 }, (_, index) => `replica-${index}`);
    await Promise.all(
      replicas.map((replica) => store.merge([{ key: "k", entry: count(replica, 1n) }])),
    );
    expect(valueOf(store.get("k"))).toBe(20n);
  });

  test("a delete is a merge, and wins over an older write that comes late", async () => {
    const written = register(1, "one");
    await store.merge([{ key: "k", entry: written }]);
    await store.merge([{ key: "k", entry: tombstoneAfter(written) }]);
    await store.merge([{ key: "k", entry: register(9, "late") }]);
    expect(store.get("k")).toEqual(tombstoneAfter(written));
  });

  test("deltas in any order, and repeated, end in the same entry", async () => {
    let round = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(entries(), { maxLength: 5 }), async (deltas) => {
        const expected = deltas.reduce(entryLattice.merge, ENTRY_BOTTOM);
        for (const order of [deltas, deltas.toReversed(), [...deltas, ...deltas]]) {
          const key = `round-${(round += 1)}`;
          // One by one, on purpose: each is a merge of its own with what is stored.
          for (const entry of order) await store.merge([{ key, entry }]);
          expect(entryLattice.equals(store.get(key) ?? ENTRY_BOTTOM, expected)).toBe(true);
        }
      }),
      { numRuns: 30 },
    );
  });

  test("an empty batch settles", async () => {
    await expect(store.merge([])).resolves.toBeUndefined();
  });

  test("a large value and a value of no bytes are read back", async () => {
    const large = registerOf(1, new Uint8Array(1_000_000).fill(7));
    const empty = registerOf(1, new Uint8Array());
    await store.merge([
      { key: "large", entry: large },
      { key: "empty", entry: empty },
    ]);
    expect(entryLattice.equals(store.get("large") ?? ENTRY_BOTTOM, large)).toBe(true);
    expect(store.get("empty")).toEqual(empty);
  });

  test("what is read does not change when it is overwritten", async () => {
    await store.merge([{ key: "k", entry: register(1, "one") }]);
    const before = store.get("k");
    await store.merge([{ key: "k", entry: register(2, "two") }]);
    store.get("k");
    expect(before).toEqual(register(1, "one"));
  });

  test("lists the live keys with a prefix, in byte order, with their kinds", async () => {
    await store.merge([
      { key: "a/2", entry: count("a", 1n) },
      { key: "a/1", entry: register(1, "x") },
      { key: "a/\u{1f600}", entry: register(1, "x") },
      { key: "a/\u{ff5e}", entry: register(1, "x") },
      { key: "a/gone", entry: tombstoneAfter(register(1, "x")) },
      { key: "a", entry: register(1, "x") },
      { key: "b/1", entry: register(1, "x") },
      { key: "\0own", entry: register(1, "x") },
    ]);
    expect(store.list("a/", undefined, 10)).toEqual({
      entries: [
        { key: "a/1", kind: "register" },
        { key: "a/2", kind: "counter" },
        { key: "a/\u{ff5e}", kind: "register" },
        { key: "a/\u{1f600}", kind: "register" },
      ],
      next: undefined,
    });
    expect(store.list("", undefined, 10).entries).toHaveLength(6);
  });

  test("pages meet without a gap or an overlap, for any keys", async () => {
    const keys = fc.uniqueArray(fc.string({ unit: "grapheme", minLength: 1, maxLength: 3 }), {
      minLength: 1,
      maxLength: 20,
    });
    let round = 0;
    await fc.assert(
      fc.asyncProperty(keys, fc.integer({ min: 1, max: 7 }), async (names, limit) => {
        const prefix = `round-${(round += 1)}/`;
        await store.merge(names.map((name) => ({ key: prefix + name, entry: register(1, "x") })));
        const listed: string[] = [];
        let after: string | undefined;
        do {
          const page = store.list(prefix, after, limit);
          expect(page.entries.length).toBeLessThanOrEqual(limit);
          listed.push(...page.entries.map(({ key }) => key));
          after = page.next;
        } while (after !== undefined);
        expect(listed).toEqual(names.map((name) => prefix + name).toSorted(compareKeys));
      }),
      { numRuns: 20 },
    );
  });

  test("a prefix of the highest bytes lists to the end", async () => {
    const key = "\u{10ffff}\u{10ffff}";
    await store.merge([{ key, entry: register(1, "x") }]);
    expect(store.list("\u{10ffff}", undefined, 10).entries).toEqual([{ key, kind: "register" }]);
  });

  test("a closed store refuses reads and writes, and may be closed again", async () => {
    await store.close();
    expect(() => store.get("k")).toThrow(expect.objectContaining({ code: "STORE_CLOSED" }));
    expect(() => store.list("", undefined, 1)).toThrow(
      expect.objectContaining({ code: "STORE_CLOSED" }),
    );
    await expect(store.merge([{ key: "k", entry: register(1, "x") }])).rejects.toMatchObject({
      code: "STORE_CLOSED",
    });
    await expect(store.close()).resolves.toBeUndefined();
  });
}

/** What a store promises that reclaims its tombstones. */
export function testReclaimContract(open: () => Store | Promise<Store>): void {
  test("a deleted key leaves nothing behind", async () => {
    const store = await open();
    const written = register(1, "one");
    await store.merge([{ key: "k", entry: written }]);
    await store.merge([{ key: "k", entry: tombstoneAfter(written) }]);
    expect(store.get("k")).toBeUndefined();
    await store.merge([{ key: "never", entry: tombstoneAfter(ENTRY_BOTTOM) }]);
    expect(store.get("never")).toBeUndefined();
    await store.close();
  });
}

function register(ticks: number, text: string): Entry {
  return registerOf(ticks, new TextEncoder().encode(text));
}

function registerOf(ticks: number, value: Uint8Array): Entry {
  return {
    generation: 0,
    kind: "register",
    value: { timestamp: toHybridTimestamp(ticks), replicaId: "a", value },
  };
}

function count(replicaId: string, by: bigint): Entry {
  return { generation: 0, kind: "counter", value: counterDelta([], replicaId, by) };
}

function valueOf(entry: Entry | undefined): bigint | undefined {
  return entry !== undefined && isKind("counter", entry) ? counterValue(entry.value) : undefined;
}
