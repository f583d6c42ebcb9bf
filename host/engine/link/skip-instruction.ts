/**
 * Where the instruction after the one at `offset` begins. Undefined for one that changes what lies
 * neither in a memory nor in a global (the elements of a table, whether a segment was dropped, an
 * object of V8's garbage collector), and for one that is not known here.
 *
 * Only for modules that V8 finds valid: in others it may go astray, but never outside of `bytes`.
 */
export function skipInstruction(bytes: Uint8Array, offset: number): number | undefined {
  const opcode = bytes[offset] ?? UNKNOWN;
  const at = offset + 1;
  if (opcode >= 0x45 && opcode <= 0xc4) return at;
  if (opcode >= 0x28 && opcode <= 0x3e) return skipMemoryArgument(bytes, at);
  switch (opcode) {
    case 0x00: // unreachable
    case 0x01: // nop
    case 0x05: // else
    case 0x0a: // throw_ref
    case 0x0b: // end
    case 0x0f: // return
    case 0x19: // catch_all
    case 0x1a: // drop
    case 0x1b: // select
    case 0xd1: // ref.is_null
    case 0xd3: // ref.eq
    case 0xd4: // ref.as_non_null
      return at;
    case 0x02: // block
    case 0x03: // loop
    case 0x04: // if
    case 0x06: // try
      return skipValueType(bytes, at);
    case 0x07: // catch
    case 0x08: // throw
    case 0x09: // rethrow
    case 0x0c: // br
    case 0x0d: // br_if
    case 0x10: // call
    case 0x12: // return_call
    case 0x14: // call_ref
    case 0x15: // return_call_ref
    case 0x18: // delegate
    case 0x20: // local.get
    case 0x21: // local.set
    case 0x22: // local.tee
    case 0x23: // global.get
    case 0x24: // global.set
    case 0x25: // table.get
    case 0x3f: // memory.size
    case 0x40: // memory.grow
    case 0x41: // i32.const
    case 0x42: // i64.const
    case 0xd0: // ref.null
    case 0xd2: // ref.func
    case 0xd5: // br_on_null
    case 0xd6: // br_on_non_null
      return skipInteger(bytes, at);
    case 0x11: // call_indirect
    case 0x13: // return_call_indirect
      return skipInteger(bytes, skipInteger(bytes, at));
    case 0x0e: // br_table
      return skipInteger(bytes, skipEach(bytes, at, skipInteger));
    case 0x1c: // select, with its type
      return skipEach(bytes, at, skipValueType);
    case 0x1f: // try_table
      return skipEach(bytes, skipValueType(bytes, at), skipCatch);
    case 0x43: // f32.const
      return at + 4;
    case 0x44: // f64.const
      return at + 8;
    case 0xfc:
      return skipBulkInstruction(bytes, at);
    case 0xfd:
      return skipVectorInstruction(bytes, at);
    case 0xfe:
      return skipAtomicInstruction(bytes, at);
    default:
      return undefined;
  }
}

/** No opcode, and none will be: what is read past the end. */
const UNKNOWN = 0xff;

/** A LEB128 of any width. */
export function skipInteger(bytes: Uint8Array, offset: number): number {
  let at = offset;
  while ((bytes[at] ?? 0) >= 0x80) at += 1;
  return at + 1;
}

/** Of 32 bits, and without a check: V8 has refused others, or will. */
function integerAt(bytes: Uint8Array, offset: number): number {
  let value = 0;
  for (let at = offset, factor = 1; ; at += 1, factor *= 0x80) {
    const byte = bytes[at] ?? 0;
    value += (byte & 0x7f) * factor;
    if (byte < 0x80) return value;
  }
}

/** Block types, too: they are value types, or the index of a type. */
function skipValueType(bytes: Uint8Array, offset: number): number {
  const isReference = bytes[offset] === 0x63 || bytes[offset] === 0x64;
  return skipInteger(bytes, isReference ? offset + 1 : offset);
}

function skipEach(
  bytes: Uint8Array,
  offset: number,
  skip: (bytes: Uint8Array, offset: number) => number,
): number {
  let at = skipInteger(bytes, offset);
  for (let left = integerAt(bytes, offset); left > 0 && at < bytes.length; left -= 1) {
    at = skip(bytes, at);
  }
  return at;
}

/** `catch` and `catch_ref` name a tag, and all of them a label. */
function skipCatch(bytes: Uint8Array, offset: number): number {
  const kind = bytes[offset] ?? 0;
  const at = offset + 1;
  return skipInteger(bytes, kind < 2 ? skipInteger(bytes, at) : at);
}

const NAMES_MEMORY = 0x40;

function skipMemoryArgument(bytes: Uint8Array, offset: number): number {
  let at = skipInteger(bytes, offset);
  if ((integerAt(bytes, offset) & NAMES_MEMORY) !== 0) at = skipInteger(bytes, at);
  return skipInteger(bytes, at);
}

function skipBulkInstruction(bytes: Uint8Array, offset: number): number | undefined {
  const opcode = integerAt(bytes, offset);
  const at = skipInteger(bytes, offset);
  if (opcode <= 7) return at; // Conversions that saturate.
  switch (opcode) {
    case 8: // memory.init
    case 10: // memory.copy
      return skipInteger(bytes, skipInteger(bytes, at));
    case 11: // memory.fill
    case 16: // table.size
      return skipInteger(bytes, at);
    default:
      return undefined;
  }
}

function skipVectorInstruction(bytes: Uint8Array, offset: number): number | undefined {
  const opcode = integerAt(bytes, offset);
  const at = skipInteger(bytes, offset);
  if (opcode <= 11 || opcode === 92 || opcode === 93) return skipMemoryArgument(bytes, at);
  if (opcode === 12 || opcode === 13) return at + 16; // v128.const, i8x16.shuffle
  if (opcode >= 21 && opcode <= 34) return at + 1; // A lane.
  if (opcode >= 84 && opcode <= 91) return skipMemoryArgument(bytes, at) + 1;
  return opcode <= 0x113 ? at : undefined;
}

function skipAtomicInstruction(bytes: Uint8Array, offset: number): number | undefined {
  const opcode = integerAt(bytes, offset);
  const at = skipInteger(bytes, offset);
  if (opcode === 3) return at + 1; // atomic.fence
  if (opcode <= 2 || (opcode >= 0x10 && opcode <= 0x4e)) return skipMemoryArgument(bytes, at);
  return undefined;
}
