// Randomness. The generator behind QuickJS's own `Math.random` sits in the snapshot, so every
// instance would draw the same numbers.
//
// R1. Each instance seeds `Math.random` from the host at its first use.
// R2. While the module is loaded, `Math.random` is seeded by a constant: builds can repeat.
// R3. `crypto` never answers while the module is loaded: a secret in a snapshot is shared by all.

import { getRandomBytes } from "wasi:random/random@0.2.12";
import { toInt64 } from "../engine.ts";
import { isServing, onServing, requireServing } from "../phase.ts";

/** sfc32: 128 bits of state, fast in an interpreter, and good enough for what is no secret. */
let a = 0;
let b = 0;
let c = 0;
let counter = 1;
let isSeeded = false;

onServing(() => {
  isSeeded = false;
});

function seed(): void {
  const bytes = isServing()
    ? getRandomBytes(toInt64(12))
    : Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12);
  const view = new DataView(bytes.buffer, bytes.byteOffset, 12);
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

/** `Math.random`, with 53 random bits. */
export function random(): number {
  if (!isSeeded) seed();
  return ((next() >>> 5) * 67_108_864 + (next() >>> 6)) / 9_007_199_254_740_992;
}

const BYTES_MAX = 65_536;

/** What is there of Web Crypto. */
export const webCrypto: Crypto = Object.freeze({
  getRandomValues<T extends ArrayBufferView>(array: T): T {
    if (!ArrayBuffer.isView(array) || !isIntegerArray(array)) {
      throw new DOMException("getRandomValues takes an integer typed array", "TypeMismatchError");
    }
    if (array.byteLength > BYTES_MAX) {
      throw new DOMException(
        `getRandomValues gives at most ${BYTES_MAX} bytes`,
        "QuotaExceededError",
      );
    }
    requireServing("crypto.getRandomValues");
    const target = new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
    target.set(getRandomBytes(toInt64(array.byteLength)));
    return array;
  },
  randomUUID() {
    requireServing("crypto.randomUUID");
    const bytes = getRandomBytes(toInt64(16)).slice();
    bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40;
    bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
    const hex = (from: number, to: number): string => {
      return bytes.slice(from, to).reduce((text, byte) => text + hexOf(byte), "");
    };
    return `${hex(0, 4)}-${hex(4, 6)}-${hex(6, 8)}-${hex(8, 10)}-${hex(10, 16)}` as const;
  },
});

function hexOf(byte: number): string {
  return byte.toString(16).padStart(2, "0");
}

function isIntegerArray(array: ArrayBufferView): boolean {
  return !(
    array instanceof DataView ||
    array instanceof Float32Array ||
    array instanceof Float64Array ||
    Object.prototype.toString.call(array) === "[object Float16Array]"
  );
}
