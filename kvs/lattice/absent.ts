import { corrupt } from "./byte-codec.ts";
import type { StoredLattice } from "./lattice.ts";

/** The kind of a key where nothing is: never written, or deleted. One value, so no merge. */
export const absent: StoredLattice<null> = {
  bottom: null,
  merge: () => null,
  equals: () => true,
  tag: 0,
  encode: () => undefined,
  decode: (reader) => {
    if (reader.remaining > 0) throw corrupt("bytes follow the end of a tombstone");
    return null;
  },
  read: () => undefined,
  bytes: () => 0,
};
