// What QuickJS guests have of Web Crypto: the host's random bytes. Never while the module is loaded:
// a secret in a snapshot would be shared by all instances.

import { getRandomBytes } from "wasi:random/random@0.2.12";
import { requireServing } from "../phase.ts";

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
    target.set(getRandomBytes(array.byteLength));
    return array;
  },
  randomUUID() {
    requireServing("crypto.randomUUID");
    const bytes = getRandomBytes(16).slice();
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
