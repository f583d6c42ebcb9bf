import { absent } from "./absent.ts";
import { corrupt } from "./byte-codec.ts";
import { counter } from "./counter.ts";
import type { PnCounter } from "./counter.ts";
import type { StoredLattice } from "./lattice.ts";
import { lww } from "./lww.ts";
import type { LwwRegister } from "./lww.ts";

/** The value of each kind. A further lattice is one file, a line here and a line in `KINDS`. */
export interface EntryValues {
  readonly absent: null;
  readonly register: LwwRegister;
  readonly counter: PnCounter;
}

export type EntryKind = keyof EntryValues;

export const KINDS: { readonly [K in EntryKind]: StoredLattice<EntryValues[K]> } = {
  absent,
  register: lww,
  counter,
};

const KIND_BY_TAG: readonly EntryKind[] = kindsByTag();

export function kindOfTag(tag: number): EntryKind {
  const kind = KIND_BY_TAG[tag];
  if (kind === undefined) throw corrupt(`there is no lattice with the tag ${tag}`);
  return kind;
}

function kindsByTag(): EntryKind[] {
  const kinds: EntryKind[] = [];
  for (const kind of Object.keys(KINDS).filter(isEntryKind)) kinds[KINDS[kind].tag] = kind;
  return kinds;
}

function isEntryKind(name: string): name is EntryKind {
  return Object.hasOwn(KINDS, name);
}
