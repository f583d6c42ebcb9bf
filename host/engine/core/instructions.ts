// The instructions of WebAssembly 3.0, by the immediates that follow their opcode: all that V8 takes
// without a flag. What is not in this table is refused, so that no instruction is ever read as another.

/** How the bytes behind an opcode are to be read. */
export const immediates = {
  unknown: 0,
  none: 1,
  /** One LEB128 of 32 bits: an index, or a constant. */
  leb32: 2,
  twoLeb32: 3,
  leb64: 4,
  bytes1: 5,
  bytes4: 6,
  bytes8: 7,
  bytes16: 8,
  blockType: 9,
  labels: 10,
  memory: 11,
  memoryAndLane: 12,
  valueTypes: 13,
  heapType: 14,
  catches: 15,
  castBranch: 16,
  /** Allocates in V8's own heap. */
  allocates: 17,
} as const;

export type Immediates = (typeof immediates)[keyof typeof immediates];

/** Opcodes that mean something to metering, or change what is not in memory; a prefixed one is `prefix * 0x1000 + opcode`. */
export const op = {
  unreachable: 0x00,
  nop: 0x01,
  block: 0x02,
  loop: 0x03,
  if: 0x04,
  else: 0x05,
  try: 0x06,
  catch: 0x07,
  throw: 0x08,
  rethrow: 0x09,
  throwRef: 0x0a,
  end: 0x0b,
  br: 0x0c,
  brIf: 0x0d,
  brTable: 0x0e,
  return: 0x0f,
  call: 0x10,
  callIndirect: 0x11,
  returnCall: 0x12,
  returnCallIndirect: 0x13,
  callRef: 0x14,
  returnCallRef: 0x15,
  delegate: 0x18,
  catchAll: 0x19,
  drop: 0x1a,
  tryTable: 0x1f,
  localGet: 0x20,
  localSet: 0x21,
  localTee: 0x22,
  globalGet: 0x23,
  globalSet: 0x24,
  tableSet: 0x26,
  memorySize: 0x3f,
  memoryGrow: 0x40,
  i32Const: 0x41,
  i64Const: 0x42,
  f32Const: 0x43,
  f64Const: 0x44,
  i32Eqz: 0x45,
  i32Eq: 0x46,
  i32LtS: 0x48,
  i64Eq: 0x51,
  i64GtU: 0x56,
  i64LeU: 0x58,
  i32Add: 0x6a,
  i32Sub: 0x6b,
  i32And: 0x71,
  i32ShrU: 0x76,
  i64Add: 0x7c,
  i64Sub: 0x7d,
  i64Shl: 0x86,
  i64ShrU: 0x88,
  i32WrapI64: 0xa7,
  i64ExtendI32U: 0xad,
  refNull: 0xd0,
  refFunc: 0xd2,
  brOnNull: 0xd5,
  brOnNonNull: 0xd6,
  brOnCast: 0xfb018,
  brOnCastFail: 0xfb019,
  memoryInit: 0xfc008,
  dataDrop: 0xfc009,
  memoryCopy: 0xfc00a,
  memoryFill: 0xfc00b,
  tableInit: 0xfc00c,
  elementDrop: 0xfc00d,
  tableCopy: 0xfc00e,
  tableGrow: 0xfc00f,
  tableSize: 0xfc010,
  tableFill: 0xfc011,
  v128Const: 0xfd00c,
} as const;

export const prefixes = { gc: 0xfb, misc: 0xfc, simd: 0xfd, atomic: 0xfe } as const;

const I = immediates;

type Range = readonly [first: number, last: number, kind: Immediates];

const ONE_BYTE = table(0x100, [
  [0x00, 0x01, I.none],
  [0x02, 0x04, I.blockType],
  [0x05, 0x05, I.none],
  [0x06, 0x06, I.blockType],
  [0x07, 0x09, I.leb32],
  [0x0a, 0x0b, I.none],
  [0x0c, 0x0d, I.leb32],
  [0x0e, 0x0e, I.labels],
  [0x0f, 0x0f, I.none],
  [0x10, 0x10, I.leb32],
  [0x11, 0x11, I.twoLeb32],
  [0x12, 0x12, I.leb32],
  [0x13, 0x13, I.twoLeb32],
  [0x14, 0x15, I.leb32],
  [0x18, 0x18, I.leb32],
  [0x19, 0x1b, I.none],
  [0x1c, 0x1c, I.valueTypes],
  [0x1f, 0x1f, I.catches],
  [0x20, 0x26, I.leb32],
  [0x28, 0x3e, I.memory],
  [0x3f, 0x41, I.leb32],
  [0x42, 0x42, I.leb64],
  [0x43, 0x43, I.bytes4],
  [0x44, 0x44, I.bytes8],
  [0x45, 0xc4, I.none],
  [0xd0, 0xd0, I.heapType],
  [0xd1, 0xd1, I.none],
  [0xd2, 0xd2, I.leb32],
  [0xd3, 0xd4, I.none],
  [0xd5, 0xd6, I.leb32],
]);

const GC = table(0x20, [
  [0x00, 0x01, I.allocates],
  [0x02, 0x05, I.twoLeb32],
  [0x06, 0x0a, I.allocates],
  [0x0b, 0x0e, I.leb32],
  [0x0f, 0x0f, I.none],
  [0x10, 0x10, I.leb32],
  [0x11, 0x13, I.twoLeb32],
  [0x14, 0x17, I.heapType],
  [0x18, 0x19, I.castBranch],
  [0x1a, 0x1e, I.none],
]);

const MISC = table(0x20, [
  [0x00, 0x07, I.none],
  [0x08, 0x08, I.twoLeb32],
  [0x09, 0x09, I.leb32],
  [0x0a, 0x0a, I.twoLeb32],
  [0x0b, 0x0b, I.leb32],
  [0x0c, 0x0c, I.twoLeb32],
  [0x0d, 0x0d, I.leb32],
  [0x0e, 0x0e, I.twoLeb32],
  [0x0f, 0x11, I.leb32],
]);

/** The last range is that of relaxed SIMD. */
const SIMD = table(0x120, [
  [0x00, 0x0b, I.memory],
  [0x0c, 0x0d, I.bytes16],
  [0x0e, 0x14, I.none],
  [0x15, 0x22, I.bytes1],
  [0x23, 0x53, I.none],
  [0x54, 0x5b, I.memoryAndLane],
  [0x5c, 0x5d, I.memory],
  [0x5e, 0xff, I.none],
  [0x100, 0x113, I.none],
]);

/** On memories that are not shared, they are loads and stores; those that wait, trap. */
const ATOMIC = table(0x50, [
  [0x00, 0x02, I.memory],
  [0x03, 0x03, I.bytes1],
  [0x10, 0x4e, I.memory],
]);

function table(size: number, ranges: readonly Range[]): Uint8Array {
  const kinds = new Uint8Array(size);
  for (const [first, last, kind] of ranges) kinds.fill(kind, first, last + 1);
  return kinds;
}

/** `immediates.unknown` for a prefix too. */
export function immediatesOf(opcode: number): number {
  return ONE_BYTE[opcode] ?? I.unknown;
}

export function immediatesOfPrefixed(prefix: number, opcode: number): number {
  switch (prefix) {
    case prefixes.gc:
      return GC[opcode] ?? I.unknown;
    case prefixes.misc:
      return MISC[opcode] ?? I.unknown;
    case prefixes.simd:
      return SIMD[opcode] ?? I.unknown;
    case prefixes.atomic:
      return ATOMIC[opcode] ?? I.unknown;
    default:
      return I.unknown;
  }
}
