import { decodeUtf8, decodeUtf8Lossy, encodeUtf8, incompleteSuffixBytes } from "../utf8.ts";

/** The Encoding standard's encoder. */
export class Utf8Encoder {
  readonly encoding: string = "utf-8";

  encode(input: unknown = ""): Uint8Array<ArrayBuffer> {
    return encodeUtf8(String(input));
  }

  /** Writes as many whole characters as fit. */
  encodeInto(source: string, destination: Uint8Array): { read: number; written: number } {
    let read = 0;
    let written = 0;
    for (const character of source) {
      const bytes = encodeUtf8(character);
      if (written + bytes.length > destination.length) break;
      destination.set(bytes, written);
      written += bytes.length;
      read += character.length;
    }
    return { read, written };
  }
}

const UTF8_LABELS: ReadonlySet<string> = new Set([
  "unicode-1-1-utf-8",
  "unicode11utf8",
  "unicode20utf8",
  "utf-8",
  "utf8",
  "x-unicode20utf8",
]);
const BYTE_ORDER_MARK = "\uFEFF";

/** The Encoding standard's decoder, for UTF-8 alone. */
export class Utf8Decoder {
  readonly encoding: string = "utf-8";
  readonly fatal: boolean;
  readonly ignoreBOM: boolean;
  /** Bytes of a character that the last chunk began. */
  #pending: Uint8Array = new Uint8Array(0);
  #isInside = false;

  constructor(label: unknown = "utf-8", options: { fatal?: boolean; ignoreBOM?: boolean } = {}) {
    if (!UTF8_LABELS.has(String(label).trim().toLowerCase())) {
      throw new RangeError(`TextDecoder knows utf-8 alone here, not ${JSON.stringify(label)}`);
    }
    this.fatal = options.fatal === true;
    this.ignoreBOM = options.ignoreBOM === true;
  }

  decode(input?: ArrayBuffer | ArrayBufferView | null, options: { stream?: boolean } = {}): string {
    const chunk = bytesOf(input);
    const isStream = options.stream === true;
    const all = this.#pending.length === 0 ? chunk : concatenate(this.#pending, chunk);
    const keep = isStream ? incompleteSuffixBytes(all) : 0;
    this.#pending = keep === 0 ? new Uint8Array(0) : all.slice(all.length - keep);
    const bytes = keep === 0 ? all : all.subarray(0, all.length - keep);
    const isStart = !this.#isInside;
    this.#isInside = isStream && (this.#isInside || bytes.length > 0);
    const text = this.#decodeAll(bytes);
    const hasMark = isStart && !this.ignoreBOM && text.startsWith(BYTE_ORDER_MARK);
    return hasMark ? text.slice(BYTE_ORDER_MARK.length) : text;
  }

  #decodeAll(bytes: Uint8Array): string {
    if (!this.fatal) return decodeUtf8Lossy(bytes);
    const text = decodeUtf8(bytes);
    if (text !== undefined) return text;
    this.#pending = new Uint8Array(0);
    this.#isInside = false;
    throw new TypeError("The bytes are not UTF-8");
  }
}

function bytesOf(input: ArrayBuffer | ArrayBufferView | null | undefined): Uint8Array {
  if (input === undefined || input === null) return new Uint8Array(0);
  if (input instanceof Uint8Array) return input;
  if (ArrayBuffer.isView(input)) {
    return new Uint8Array(input.buffer, input.byteOffset, input.byteLength);
  }
  return new Uint8Array(input);
}

function concatenate(first: Uint8Array, second: Uint8Array): Uint8Array {
  const both = new Uint8Array(first.length + second.length);
  both.set(first);
  both.set(second, first.length);
  return both;
}
