// `Math.random`. The generator behind QuickJS's own sits in the snapshot, so every instance would draw
// the same numbers; StarlingMonkey's cannot be asked while the snapshot is made.
//
// R1. Each instance seeds it from the host at its first use.
// R2. While the module is loaded, it is seeded by a constant: builds can repeat.

import { isServing, onServing } from "../phase.ts";

const SEED_BYTES = 12;

/** sfc32: 128 bits of state, fast in an interpreter, and good enough for what is no secret. */
let a = 0;
let b = 0;
let c = 0;
let counter = 1;
let isSeeded = false;

onServing(() => {
  isSeeded = false;
});

function seed(randomBytes: (length: number) => Uint8Array): void {
  const bytes = isServing
    ? randomBytes(SEED_BYTES)
    : Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12);
  const view = new DataView(bytes.buffer, bytes.byteOffset, SEED_BYTES);
  a = view.getInt32(0);
  b = view.getInt32(4);
  c = view.getInt32(8);
  counter = 1;
  isSeeded = true;
  for (let round = 0; round < 12; round += 1) next();
}

function next(): number {
  const sum = (((a + b) | 0) + counter) | 0;
  counter = (counter + 1) | 0;
  a = b ^ (b >>> 9);
  b = (c + (c << 3)) | 0;
  c = (((c << 21) | (c >>> 11)) + sum) | 0;
  return sum >>> 0;
}

/** A `Math.random` with 53 random bits. */
export function createRandom(randomBytes: (length: number) => Uint8Array): () => number {
  return () => {
    if (!isSeeded) seed(randomBytes);
    return ((next() >>> 5) * 67_108_864 + (next() >>> 6)) / 9_007_199_254_740_992;
  };
}
