import { ComponentError } from "../engine.ts";

/**
 * Reads the bytes of a component, and never past the end of the part it was given.
 *
 * R1. Every method either advances and returns, or throws `ComponentError` "malformed" with the offset
 *     in the whole upload and what was expected there.
 * R2. A count is checked against the bytes that are left before anything is allocated for it.
 * R3. Integers have at most the bytes that their width needs, and no bits beyond it.
 */
export class BinaryReader {
  readonly #bytes: Uint8Array;
  readonly #end: number;
  readonly #nameBytesMax: number;
  #offset: number;

  constructor(bytes: Uint8Array, range: { start: number; end: number }, nameBytesMax: number) {
    this.#bytes = bytes;
    this.#offset = range.start;
    this.#end = range.end;
    this.#nameBytesMax = nameBytesMax;
  }

  /** In the whole upload, not in this part of it. */
  get offset(): number {
    return this.#offset;
  }

  get remainingBytes(): number {
    return this.#end - this.#offset;
  }

  byte(expected: string): number {
    const value = this.#offset < this.#end ? this.#bytes[this.#offset] : undefined;
    if (value === undefined) throw this.#truncated(expected);
    this.#offset += 1;
    return value;
  }

  peekByte(expected: string): number {
    const value = this.byte(expected);
    this.#offset -= 1;
    return value;
  }

  /** A LEB128 of 32 bits: at most five bytes, and no set bits beyond the 32nd (R3). */
  u32(expected: string): number {
    const start = this.#offset;
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.byte(expected);
      if (shift === 28 && byte > 0x0f) break;
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
    throw malformed(`expected ${expected}, found an integer of more than 32 bits`, start);
  }

  /** A signed LEB128 of 33 bits that is not negative: the index of a type among type opcodes. */
  signedIndex(expected: string): number {
    const start = this.#offset;
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.byte(expected);
      if (shift === 28 && byte > 0x0f) break;
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x40 || (byte < 0x80 && shift === 28)) return value;
      if (byte < 0x80) break;
    }
    throw malformed(`expected ${expected}`, start);
  }

  /** How many items follow, each of at least one byte (R2). */
  count(expected: string): number {
    const start = this.#offset;
    const count = this.u32(expected);
    if (count > this.remainingBytes) {
      throw malformed(
        `expected ${expected}, found a count of ${count} with ${this.remainingBytes} bytes left`,
        start,
      );
    }
    return count;
  }

  /** Every reader takes its items in order: the callback reads exactly one. */
  vector<T>(expected: string, item: () => T): T[] {
    const count = this.count(`the number of ${expected}`);
    const items: T[] = [];
    for (let i = 0; i < count; i += 1) items.push(item());
    return items;
  }

  /** A length and as many bytes of UTF-8. */
  name(expected: string): string {
    const start = this.#offset;
    const byteLength = this.count(`the length of ${expected}`);
    if (byteLength > this.#nameBytesMax) {
      throw new ComponentError(
        "too-complex",
        [`${expected} has ${byteLength} bytes, the limit is ${this.#nameBytesMax}`],
        start,
      );
    }
    const bytes = this.#bytes.subarray(this.#offset, this.#offset + byteLength);
    this.#offset += byteLength;
    try {
      return utf8.decode(bytes);
    } catch {
      throw malformed(`expected ${expected} in UTF-8`, start);
    }
  }

  /** A view, not a copy: the upload stays in memory while it is compiled. */
  slice(byteLength: number, expected: string): Uint8Array {
    if (byteLength > this.remainingBytes) throw this.#truncated(expected);
    const bytes = this.#bytes.subarray(this.#offset, this.#offset + byteLength);
    this.#offset += byteLength;
    return bytes;
  }

  /** The next `byteLength` bytes as a reader of their own; this one goes on behind them. */
  section(byteLength: number, expected: string): BinaryReader {
    if (byteLength > this.remainingBytes) throw this.#truncated(expected);
    const start = this.#offset;
    this.#offset += byteLength;
    return new BinaryReader(this.#bytes, { start, end: this.#offset }, this.#nameBytesMax);
  }

  /** What was announced must be all there is. */
  expectEnd(what: string): void {
    if (this.remainingBytes > 0) {
      throw malformed(
        `expected the end of ${what}, found ${this.remainingBytes} more bytes`,
        this.#offset,
      );
    }
  }

  /** The byte just read is none of the possible ones. */
  unexpected(byte: number, expected: string): ComponentError {
    const hex = byte.toString(16).padStart(2, "0");
    return malformed(`expected ${expected}, found 0x${hex}`, this.#offset - 1);
  }

  #truncated(expected: string): ComponentError {
    return malformed(`expected ${expected}, found the end`, this.#end);
  }
}

export function malformed(problem: string, offset?: number): ComponentError {
  const place = offset === undefined ? "" : ` at byte ${offset}`;
  return new ComponentError("malformed", [`${problem}${place}`], offset);
}

export function unsupported(feature: string, offset?: number): ComponentError {
  const place = offset === undefined ? "" : ` (at byte ${offset})`;
  return new ComponentError("unsupported", [`${feature} is not supported${place}`], offset);
}

/** Checks what nothing may ever use. What is only not supported is refused where something does, and not looked at further. */
export function checkUnused(check: () => void): void {
  try {
    check();
  } catch (error) {
    if (!(error instanceof ComponentError && error.kind === "unsupported")) throw error;
  }
}

// A byte-order mark is a character of a name like any other.
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
