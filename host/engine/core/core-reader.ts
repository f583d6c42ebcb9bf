import { malformed, unsupported } from "../component/reader.ts";
import { immediates, immediatesOf, immediatesOfPrefixed, op, prefixes } from "./instructions.ts";

// Reads the bytes of a core module, and its instructions one by one: where each begins and ends, and
// what it is. Whether it is valid, V8 decides.
//
// N1. What it takes for the end of an instruction is what V8 takes for it: a check that is put there
//     stands between two instructions.
// N2. It never reads past its end: that is `ComponentError` "malformed". An opcode that it does not know is
//     "unsupported": V8 may come to know more.
export class CoreReader {
  readonly bytes: Uint8Array;
  /** Where what is read next begins. */
  at: number;
  /** Where this part of the module ends. */
  readonly end: number;
  /** Of the instruction that was read last: those of `labels` and `catches`. */
  readonly labels: number[] = [];
  /** The first and the second immediate of the instruction that was read last, where it has them. */
  first = 0;
  second = 0;

  constructor(bytes: Uint8Array, start = 0, end = bytes.length) {
    this.bytes = bytes;
    this.at = start;
    this.end = end;
  }

  /** The next bytes as a reader of their own; this one goes on behind them. */
  part(byteLength: number): CoreReader {
    const start = this.at;
    this.skip(byteLength);
    return new CoreReader(this.bytes, start, this.at);
  }

  expectEnd(what: string): void {
    if (this.at !== this.end) throw malformed(`expected the end of ${what}`, this.at);
  }

  /** Its opcode; that of a prefixed one is `prefix * 0x1000 + opcode`. */
  next(): number {
    const byte = this.byte();
    if (byte < prefixes.gc) {
      this.#immediates(immediatesOf(byte), byte);
      return byte;
    }
    const opcode = this.u32();
    this.#immediates(immediatesOfPrefixed(byte, opcode), byte * 0x1000 + opcode);
    return byte * 0x1000 + opcode;
  }

  #immediates(kind: number, opcode: number): void {
    switch (kind) {
      case immediates.none:
        return;
      case immediates.leb32:
        this.first = this.u32();
        return;
      case immediates.twoLeb32:
        this.first = this.u32();
        this.second = this.u32();
        return;
      case immediates.leb64:
        this.skipLeb(LEB64_BYTES_MAX);
        return;
      case immediates.bytes1:
        return this.skip(1);
      case immediates.bytes4:
        return this.skip(4);
      case immediates.bytes8:
        return this.skip(8);
      case immediates.bytes16:
        return this.skip(16);
      case immediates.blockType:
      case immediates.heapType:
        return this.skipType();
      case immediates.labels:
        this.#readLabels();
        this.labels.push(this.u32());
        return;
      case immediates.memory:
        return this.#skipMemory();
      case immediates.memoryAndLane:
        this.#skipMemory();
        return this.skip(1);
      case immediates.valueTypes:
        for (let count = this.u32(); count > 0; count -= 1) this.skipType();
        return;
      case immediates.catches:
        this.skipType();
        return this.#readCatches();
      case immediates.castBranch:
        this.skip(1);
        this.first = this.u32();
        this.skipType();
        return this.skipType();
      case immediates.allocates:
        throw unsupported("an instruction that allocates garbage-collected objects");
      default:
        throw unsupported(`the instruction 0x${opcode.toString(16)}`);
    }
  }

  #readLabels(): void {
    this.labels.length = 0;
    for (let count = this.u32(); count > 0; count -= 1) this.labels.push(this.u32());
  }

  #readCatches(): void {
    this.labels.length = 0;
    for (let count = this.u32(); count > 0; count -= 1) {
      const kind = this.byte();
      // 0 and 1 name a tag; 2 and 3 catch all.
      if (kind < 2) this.u32();
      this.labels.push(this.u32());
    }
  }

  /** A value type, a heap type or a type of blocks: one byte, an index, or a reference to one of these. */
  skipType(): void {
    const byte = this.bytes[this.at];
    if (byte === REFERENCE || byte === NULLABLE_REFERENCE) this.at += 1;
    this.skipLeb(LEB32_BYTES_MAX);
  }

  #skipMemory(): void {
    if ((this.u32() & HAS_MEMORY_INDEX) !== 0) this.u32();
    this.skipLeb(LEB64_BYTES_MAX);
  }

  byte(): number {
    const byte = this.at < this.end ? this.bytes[this.at] : undefined;
    if (byte === undefined) throw this.#truncated();
    this.at += 1;
    return byte;
  }

  /** As unsigned; of a signed one, only where it ends matters. */
  u32(): number {
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.byte();
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
    throw malformed("expected an integer of at most 32 bits", this.at);
  }

  skipLeb(bytesMax: number): void {
    for (let i = 0; i < bytesMax; i += 1) {
      if (this.byte() < 0x80) return;
    }
    throw malformed("expected an integer of fewer bytes", this.at);
  }

  skip(byteLength: number): void {
    if (byteLength > this.end - this.at) throw this.#truncated();
    this.at += byteLength;
  }

  #truncated(): Error {
    return malformed("expected more bytes, found the end", this.end);
  }

  /** A constant expression, up to and with its end. */
  skipConstantExpression(): void {
    while (this.next() !== op.end);
  }
}

const LEB32_BYTES_MAX = 5;
const LEB64_BYTES_MAX = 10;
const REFERENCE = 0x64;
const NULLABLE_REFERENCE = 0x63;
const HAS_MEMORY_INDEX = 0x40;
