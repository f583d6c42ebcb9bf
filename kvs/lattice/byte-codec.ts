import { KvsError } from "../errors.ts";

const CAPACITY_BYTES_FIRST = 1024;
/** A capacity above this is given back after use: one large value must not stay in memory. */
const CAPACITY_BYTES_KEPT = 1024 * 1024;

/**
 * Appends to one reused scratch buffer. Integers are little-endian; `finish` copies the result out
 * and makes the writer empty again.
 */
export class ByteWriter {
  #buffer = Buffer.allocUnsafeSlow(CAPACITY_BYTES_FIRST);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** Forgets what an encoding that threw has left. */
  reset(): void {
    this.#length = 0;
  }

  /** What is written so far, until the next write. */
  view(): Uint8Array {
    return this.#buffer.subarray(0, this.#length);
  }

  u8(value: number): void {
    const at = this.#grow(1);
    this.#buffer[at] = value;
  }

  u32(value: number): void {
    const at = this.#grow(4);
    this.#buffer.writeUInt32LE(value, at);
  }

  /** A safe integer, from 0, in one to eight bytes: seven bits in each, lowest first. */
  uint(value: number): void {
    let rest = value;
    while (rest >= 0x80) {
      this.u8((rest % 0x80) | 0x80);
      rest = Math.floor(rest / 0x80);
    }
    this.u8(rest);
  }

  /** A safe integer as a double: faster than `uint` where all eight bytes are used anyway. */
  f64(value: number): void {
    const at = this.#grow(8);
    this.#buffer.writeDoubleLE(value, at);
  }

  i64(value: bigint): void {
    const at = this.#grow(8);
    this.#buffer.writeBigInt64LE(value, at);
  }

  /** A natural number of any size: a count of 64-bit words, then the words, lowest first. */
  natural(value: bigint): void {
    const countAt = this.#grow(1);
    let count = 0;
    for (let rest = value; rest > 0n; rest >>= 64n) {
      const at = this.#grow(8);
      this.#buffer.writeBigUInt64LE(BigInt.asUintN(64, rest), at);
      count += 1;
    }
    this.#buffer[countAt] = count;
  }

  /** At most 255 bytes of text, with its length. */
  text(value: string): void {
    const bytes = Buffer.byteLength(value);
    if (bytes > 0xff) throw new RangeError(`text of ${bytes} bytes; at most 255 are allowed`);
    this.u8(bytes);
    const at = this.#grow(bytes);
    this.#buffer.write(value, at, "utf8");
  }

  bytes(value: Uint8Array): void {
    const at = this.#grow(value.byteLength);
    this.#buffer.set(value, at);
  }

  /** The bytes written, in a buffer of exactly their size, so that it can be transferred. */
  finish(): Uint8Array<ArrayBuffer> {
    const result = new Uint8Array(this.#length);
    result.set(this.view());
    this.#length = 0;
    if (this.#buffer.byteLength > CAPACITY_BYTES_KEPT) {
      this.#buffer = Buffer.allocUnsafeSlow(CAPACITY_BYTES_FIRST);
    }
    return result;
  }

  /** Makes room, and may replace the buffer: take `this.#buffer` after it. */
  #grow(bytes: number): number {
    const at = this.#length;
    const needed = at + bytes;
    if (needed > this.#buffer.byteLength) {
      const larger = Buffer.allocUnsafeSlow(Math.max(needed, this.#buffer.byteLength * 2));
      this.#buffer.copy(larger, 0, 0, at);
      this.#buffer = larger;
    }
    this.#length = needed;
    return at;
  }
}

/**
 * Reads what `ByteWriter` wrote. Every read checks its bounds: bytes that end early or do not
 * decode are `STORE_CORRUPT`, never a wrong value.
 */
export class ByteReader {
  readonly #buffer: Buffer;
  readonly #end: number;
  #at = 0;

  /** Reads the first `length` bytes. Values are copied out: the buffer may be reused after. */
  constructor(bytes: Uint8Array, length: number = bytes.byteLength) {
    this.#buffer = Buffer.isBuffer(bytes)
      ? bytes
      : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#end = length;
  }

  get remaining(): number {
    return this.#end - this.#at;
  }

  u8(): number {
    return this.#buffer.readUInt8(this.#take(1));
  }

  u32(): number {
    return this.#buffer.readUInt32LE(this.#take(4));
  }

  /** Four bytes that the caller knows to be there, wherever the reader is. */
  u32At(at: number): number {
    return this.#buffer.readUInt32LE(at);
  }

  uint(): number {
    const first = this.u8();
    return first < 0x80 ? first : this.#longUint(first);
  }

  #longUint(first: number): number {
    let value = first & 0x7f;
    for (let scale = 0x80; scale <= 0x80 ** 7; scale *= 0x80) {
      const byte = this.u8();
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) {
        if (!Number.isSafeInteger(value)) throw corrupt("a number is out of range");
        return value;
      }
    }
    throw corrupt("a number does not end");
  }

  f64(): number {
    return this.#buffer.readDoubleLE(this.#take(8));
  }

  i64(): bigint {
    return this.#buffer.readBigInt64LE(this.#take(8));
  }

  natural(): bigint {
    const count = this.u8();
    let value = 0n;
    for (let index = 0; index < count; index += 1) {
      value |= this.#buffer.readBigUInt64LE(this.#take(8)) << BigInt(index * 64);
    }
    return value;
  }

  text(): string {
    const length = this.u8();
    const at = this.#take(length);
    return this.#buffer.toString("utf8", at, at + length);
  }

  bytes(length: number): Uint8Array {
    const at = this.#take(length);
    const copy = new Uint8Array(length);
    this.#buffer.copy(copy, 0, at, at + length);
    return copy;
  }

  /** As `bytes`, without the copy: for a buffer that nobody reuses. */
  view(length: number): Uint8Array {
    const at = this.#take(length);
    return this.#buffer.subarray(at, at + length);
  }

  #take(bytes: number): number {
    const at = this.#at;
    if (bytes > this.#end - at) {
      throw corrupt("it ends in the middle of a field");
    }
    this.#at = at + bytes;
    return at;
  }
}

export function corrupt(what: string): KvsError {
  return new KvsError("STORE_CORRUPT", `a stored entry is damaged: ${what}`);
}
