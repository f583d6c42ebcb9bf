import { describe, expect, test } from "vitest";
import { toHybridTimestamp } from "../hybrid-clock.ts";
import { testLatticeLaws } from "../testing/lattice-laws.ts";
import { entries } from "../testing/lattice-values.ts";
import { counterDelta } from "./counter.ts";
import { entryLattice, isKind, mergeEntries, tombstoneAfter } from "./entry.ts";
import type { Entry } from "./entry.ts";

const timestamp = toHybridTimestamp(1);
const register: Entry = {
  generation: 0,
  kind: "register",
  value: { timestamp, replicaId: "a", value: new Uint8Array([1]) },
};
const counter: Entry = { generation: 0, kind: "counter", value: counterDelta([], "a", 1n) };

describe("entry", () => {
  testLatticeLaws(entryLattice, entries());

  test("a delete beats the writes of its generation that it never saw", () => {
    const unseen = { ...counter, value: counterDelta([], "b", 7n) };
    const deleted = tombstoneAfter(counter);
    expect(mergeEntries(deleted, unseen)).toBe(deleted);
    expect(mergeEntries(unseen, deleted)).toBe(deleted);
  });

  test("after a delete a key may take another kind, and the old kind does not come back", () => {
    const deleted = tombstoneAfter(counter);
    const recreated: Entry = { ...register, generation: deleted.generation };
    const merged = [counter, deleted, recreated, counter].reduce(mergeEntries);
    expect(merged).toBe(recreated);
  });

  test("two kinds created at once settle on one, in either order", () => {
    expect(mergeEntries(register, counter)).toBe(counter);
    expect(mergeEntries(counter, register)).toBe(counter);
    expect(isKind("counter", mergeEntries(register, counter))).toBe(true);
  });

  test("merging what is already known returns the operand itself", () => {
    expect(mergeEntries(register, register)).toBe(register);
    expect(mergeEntries(counter, entryLattice.bottom)).toBe(counter);
  });
});
