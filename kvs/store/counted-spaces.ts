import { HybridClock, toHybridTimestamp } from "../hybrid-clock.ts";
import { addUse, encodeUse, growth, NO_USE, spaceOf, useKey } from "../key-space.ts";
import type { SpaceUse } from "../key-space.ts";
import { ENTRY_BOTTOM } from "../lattice/entry.ts";
import type { ReplicaId } from "../lattice/replica-id.ts";
import type { ListedKey } from "./page.ts";
import type { Delta, Store } from "./store.ts";

/** Counts what is in each space of a store that has not counted it so far: the records to be merged into it. */
export function countedSpaces(
  store: Pick<Store, "get"> & { readonly replicaId: ReplicaId },
  keys: Iterable<ListedKey>,
): readonly Delta[] {
  const uses = new Map<string, SpaceUse>();
  for (const { key } of keys) {
    const space = spaceOf(key);
    const entry = store.get(key);
    if (space === undefined || entry === undefined) continue;
    uses.set(space, addUse(uses.get(space) ?? NO_USE, growth(key, ENTRY_BOTTOM, entry)));
  }
  const timestamp = new HybridClock({ floor: toHybridTimestamp(0) }).now();
  return Array.from(uses, ([space, use]) => {
    const key = useKey(space);
    // Above whatever an upgrade left that was interrupted.
    const generation = (store.get(key) ?? ENTRY_BOTTOM).generation + 1;
    const value = { timestamp, replicaId: store.replicaId, value: encodeUse(use) };
    return { key, entry: { generation, kind: "register", value } };
  });
}
