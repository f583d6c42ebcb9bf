// UTF-8 to strings and back. QuickJS has neither TextEncoder nor TextDecoder, and a loop in an
// interpreter costs 100 ns a byte and 300 ns a character; base64 and URI coding are native there, and
// so is a pattern that looks for what is not ASCII: together 30 ns a byte, and less than a microsecond
// for a few of them.

/* oxlint-disable typescript/no-deprecated -- `escape` and `unescape` are the native byte mapping. */

interface Base64Codec {
  fromBase64(text: string): Uint8Array<ArrayBuffer>;
}

const bytesFromBase64 = Uint8Array as typeof Uint8Array & Base64Codec;

const NON_ASCII = /[^\0-\x7f]/;

/** Lone surrogates become U+FFFD, as in the Encoding standard. */
export function encodeUtf8(text: string): Uint8Array<ArrayBuffer> {
  const latin1 = NON_ASCII.test(text) ? unescape(encodeURIComponent(text.toWellFormed())) : text;
  return bytesFromBase64.fromBase64(btoa(latin1));
}

/** Undefined where the bytes are not UTF-8. A byte-order mark is kept. */
export function decodeUtf8(bytes: Uint8Array): string | undefined {
  const latin1 = atob((bytes as Uint8Array & { toBase64(): string }).toBase64());
  if (!NON_ASCII.test(latin1)) return latin1;
  try {
    return decodeURIComponent(escape(latin1));
  } catch {
    // URIError is its only one: the bytes are not UTF-8.
    return undefined;
  }
}

const REPLACEMENT = "\uFFFD";

/** As `decodeUtf8`, but each maximal invalid part becomes U+FFFD, as in the Encoding standard. */
export function decodeUtf8Lossy(bytes: Uint8Array): string {
  const text = decodeUtf8(bytes);
  if (text !== undefined) return text;
  let decoded = "";
  for (let offset = 0; offset < bytes.length;) {
    const { codePoint, length } = decodeCodePoint(bytes, offset);
    decoded += codePoint === undefined ? REPLACEMENT : String.fromCodePoint(codePoint);
    offset += length;
  }
  return decoded;
}

/** The number of bytes at the end that begin a character but do not end it: 0 to 3. */
export function incompleteSuffixBytes(bytes: Uint8Array): number {
  for (let back = 1; back <= 3 && back <= bytes.length; back += 1) {
    const byte = bytes[bytes.length - back] ?? 0;
    if (byte < 0x80) return 0;
    if (byte < 0xc0) continue;
    const { codePoint, length } = decodeCodePoint(bytes, bytes.length - back);
    const isCut = codePoint === undefined && length === back && sequenceLength(byte) > back;
    return isCut ? back : 0;
  }
  return 0;
}

function sequenceLength(lead: number): number {
  if (lead >= 0xc2 && lead <= 0xdf) return 2;
  if (lead >= 0xe0 && lead <= 0xef) return 3;
  if (lead >= 0xf0 && lead <= 0xf4) return 4;
  return 1;
}

/** One character, or the maximal part of an invalid one. */
function decodeCodePoint(
  bytes: Uint8Array,
  offset: number,
): { readonly codePoint: number | undefined; readonly length: number } {
  const lead = bytes[offset] ?? 0;
  if (lead < 0x80) return { codePoint: lead, length: 1 };
  const needed = sequenceLength(lead);
  if (needed === 1) return { codePoint: undefined, length: 1 };
  let codePoint = lead & (0xff >> (needed + 1));
  for (let index = 1; index < needed; index += 1) {
    const next = bytes[offset + index] ?? 0;
    const [low, high] = index === 1 ? secondByteRange(lead) : [0x80, 0xbf];
    if (next < low || next > high) return { codePoint: undefined, length: index };
    codePoint = (codePoint << 6) | (next & 0x3f);
  }
  return { codePoint, length: needed };
}

/** Excludes overlong forms, surrogates, and what is above U+10FFFF. */
function secondByteRange(lead: number): readonly [low: number, high: number] {
  if (lead === 0xe0) return [0xa0, 0xbf];
  if (lead === 0xed) return [0x80, 0x9f];
  if (lead === 0xf0) return [0x90, 0xbf];
  if (lead === 0xf4) return [0x80, 0x8f];
  return [0x80, 0xbf];
}
