import { isHybridTimestamp, TIMESTAMP_ZERO } from "../hybrid-clock.ts";
import type { HybridTimestamp } from "../hybrid-clock.ts";
import { corrupt } from "./byte-codec.ts";
import type { StoredLattice } from "./lattice.ts";

export interface LwwRegister {
  readonly timestamp: HybridTimestamp;
  /** Empty in bottom alone. */
  readonly replicaId: string;
  readonly value: Uint8Array;
}

/** Last writer wins. Ties go to the higher replica id, never to the later arrival. */
export const lww: StoredLattice<LwwRegister> = {
  bottom: { timestamp: TIMESTAMP_ZERO, replicaId: "", value: new Uint8Array() },
  merge: (a, b) => (compare(a, b) < 0 ? b : a),
  equals: (a, b) => compare(a, b) === 0,
  tag: 1,
  encode: (register, writer) => {
    writer.f64(register.timestamp);
    writer.text(register.replicaId);
    writer.bytes(register.value);
  },
  decode: (reader) => {
    const timestamp = reader.f64();
    if (!isHybridTimestamp(timestamp)) throw corrupt("a timestamp is out of range");
    const replicaId = reader.text();
    return { timestamp, replicaId, value: reader.bytes(reader.remaining) };
  },
  read: (register) => ({ kind: "register", value: register.value }),
  bytes: (register) => register.value.byteLength,
};

function compare(a: LwwRegister, b: LwwRegister): number {
  if (a === b) return 0;
  if (a.timestamp !== b.timestamp) return a.timestamp - b.timestamp;
  if (a.replicaId !== b.replicaId) return a.replicaId < b.replicaId ? -1 : 1;
  // A correct replica never reuses a timestamp, but a merge must be total even if one does.
  return Buffer.compare(a.value, b.value);
}
