import { KvsError } from "./errors.ts";

/**
 * The longest key, in UTF-8 bytes, with every prefix that a caller adds (a tenant's 512 bytes and
 * its name fit twice). LMDB with 4 KiB pages takes 1978.
 */
export const KEY_BYTES_MAX = 1024;

/** Keys that begin with NUL belong to the store itself: no caller reads, lists or writes them. */
export const RESERVED_PREFIX = "\0";

/** A UTF-16 unit takes at most three bytes of UTF-8: shorter strings need no count. */
const KEY_UNITS_SURELY_SHORT = Math.floor(KEY_BYTES_MAX / 3);

/** Throws `KEY_INVALID` for what cannot be a caller's key, and says why. */
export function checkKey(key: string): void {
  if (key.length === 0) throw new KvsError("KEY_INVALID", "the key is empty");
  checkKeyPart(key);
}

/** As `checkKey`, but may be empty: a prefix, or the key that a page starts after. */
export function checkKeyPart(part: string): void {
  if (part.length > KEY_UNITS_SURELY_SHORT) {
    const bytes = Buffer.byteLength(part);
    if (bytes > KEY_BYTES_MAX) {
      throw new KvsError(
        "KEY_INVALID",
        `the key has ${bytes} bytes; at most ${KEY_BYTES_MAX} are allowed`,
        { details: { bytes, bytesMax: KEY_BYTES_MAX } },
      );
    }
  }
  // Lone surrogates all encode to the same three bytes: two keys would become one.
  if (!part.isWellFormed()) throw new KvsError("KEY_INVALID", "the key is not valid Unicode");
  if (part.startsWith(RESERVED_PREFIX)) {
    throw new KvsError("KEY_INVALID", "a key may not begin with NUL");
  }
}

/** The order of keys: their UTF-8 bytes. JavaScript's own order differs above U+D7FF. */
export function compareKeys(a: string, b: string): number {
  return a === b ? 0 : Buffer.compare(Buffer.from(a), Buffer.from(b));
}
