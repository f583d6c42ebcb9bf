import { randomBytes } from "node:crypto";

declare const brand: unique symbol;

/** Names one writer of lattice deltas for ever: 16 hexadecimal digits, made once for a store. */
export type ReplicaId = string & { readonly [brand]: "ReplicaId" };

export function isReplicaId(text: string): text is ReplicaId {
  return /^[0-9a-f]{16}$/.test(text);
}

export function toReplicaId(text: string): ReplicaId {
  if (!isReplicaId(text)) throw new RangeError("a replica id is 16 hexadecimal digits");
  return text;
}

export function createReplicaId(): ReplicaId {
  return toReplicaId(randomBytes(8).toString("hex"));
}
