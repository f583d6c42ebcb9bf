import { randomFillSync } from "node:crypto";
import { trap } from "../canonical/trap.ts";

/** The most that one call gives: more is asked for in several calls. */
const RANDOM_BYTES_MAX = 1_048_576;

/** The one source of randomness for guests, good enough for keys also where WIT asks for less. */
export function randomBytes(length: bigint): Uint8Array {
  if (length > BigInt(RANDOM_BYTES_MAX)) {
    trap(`more than ${RANDOM_BYTES_MAX} random bytes were asked for in one call`);
  }
  return randomFillSync(new Uint8Array(Number(length)));
}

export function randomU64(): bigint {
  const words = randomFillSync(new BigUint64Array(1));
  return words[0] ?? 0n;
}
