import type { MemoryType } from "./core-module.ts";
import { op } from "./instructions.ts";

// Short pieces of code in the binary format, for the functions that the engine adds to modules.

export type Code = readonly number[];

export const types = { i32: 0x7f, i64: 0x7e, externReference: 0x6f } as const;

const NO_RESULT = 0x40;

export function u32(value: number): Code {
  const bytes: number[] = [];
  let rest = value;
  while (rest > 0x7f) {
    bytes.push((rest & 0x7f) | 0x80);
    rest >>>= 7;
  }
  bytes.push(rest);
  return bytes;
}

function signed(value: number): Code {
  const bytes: number[] = [];
  let rest = value;
  while (rest < -0x40 || rest > 0x3f) {
    bytes.push((rest & 0x7f) | 0x80);
    rest >>= 7;
  }
  bytes.push(rest & 0x7f);
  return bytes;
}

export function get(local: number): Code {
  return [op.localGet, ...u32(local)];
}

export function set(local: number): Code {
  return [op.localSet, ...u32(local)];
}

export function const32(value: number): Code {
  return [op.i32Const, ...signed(value)];
}

/** For values that fit 32 bits. */
export function const64(value: number): Code {
  return [op.i64Const, ...signed(value)];
}

/** An instruction with a prefix, as `op` has it. */
export function prefixed(opcode: number): Code {
  return [opcode >>> 12, ...u32(opcode & 0xfff)];
}

export function when(then: Code, otherwise: Code = []): Code {
  const elseArm = otherwise.length === 0 ? [] : [op.else, ...otherwise];
  return [op.if, NO_RESULT, ...then, ...elseArm, op.end];
}

export function whileTrue(body: Code, condition: Code): Code {
  return [op.loop, NO_RESULT, ...body, ...condition, op.brIf, 0, op.end];
}

/** How addresses and lengths of a memory are written. */
export interface Addressing {
  readonly type: number;
  readonly constant: (value: number) => Code;
  readonly equals: number;
  readonly toI64: Code;
  readonly fromI64: Code;
}

const ADDRESSING_32: Addressing = {
  type: types.i32,
  constant: const32,
  equals: op.i32Eq,
  toI64: [op.i64ExtendI32U],
  fromI64: [op.i32WrapI64],
};

const ADDRESSING_64: Addressing = {
  type: types.i64,
  constant: const64,
  equals: op.i64Eq,
  toI64: [],
  fromI64: [],
};

export function addressing({ is64 }: Pick<MemoryType, "is64">): Addressing {
  return is64 ? ADDRESSING_64 : ADDRESSING_32;
}
