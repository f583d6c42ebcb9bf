import { describe, expect, test } from "vitest";
import { ENTRY_BOTTOM, tombstoneAfter } from "../lattice/entry.ts";
import { MemoryStore } from "../store/memory-store.ts";
import { FaultyStore } from "./faulty-store.ts";
import { testStoreContract } from "./store-contract.ts";

describe("FaultyStore", () => {
  testStoreContract(() => new FaultyStore(new MemoryStore()));

  test("a merge that fails applies nothing", async () => {
    const store = new FaultyStore(new MemoryStore());
    store.failWith(new Error("broken"));
    const deltas = [{ key: "k", entry: tombstoneAfter(ENTRY_BOTTOM) }];
    await expect(store.merge(deltas)).rejects.toThrow("broken");
    expect(store.get("k")).toBeUndefined();
    store.failWith(undefined);
    await store.merge(deltas);
    expect(store.get("k")).toBeDefined();
  });
});
