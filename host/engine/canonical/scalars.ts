// Numbers, booleans and characters between core values, memory and JavaScript.
//
// N1. A NaN that crosses has the canonical bits: a guest cannot hide data in one.
// N2. A host value of the wrong type or range is a bug of the host, and throws before it is narrowed.

import type { CoreValue } from "./guest-context.ts";
import { trap } from "./trap.ts";

const scratch = new DataView(new ArrayBuffer(8));

export function canonicalNan(value: number): number {
  return Number.isNaN(value) ? NaN : value;
}

export function f32FromBits(bits: number): number {
  scratch.setInt32(0, bits);
  return canonicalNan(scratch.getFloat32(0));
}

export function f64FromBits(bits: bigint): number {
  scratch.setBigInt64(0, bits);
  return canonicalNan(scratch.getFloat64(0));
}

export function bitsOfF32(value: number): number {
  scratch.setFloat32(0, canonicalNan(value));
  return scratch.getInt32(0);
}

export function bitsOfF64(value: number): bigint {
  scratch.setFloat64(0, canonicalNan(value));
  return scratch.getBigInt64(0);
}

/** The lower 32 bits of an `i32`, or of an `i64` that a variant's flat form widened. */
export function wrap32(value: CoreValue): number {
  return typeof value === "bigint" ? Number(BigInt.asIntN(32, value)) : value | 0;
}

export function charFromCode(code: number): string {
  const codePoint = code >>> 0;
  if (codePoint > 0x10_ffff) trap("a char is above U+10FFFF");
  if (codePoint >= 0xd800 && codePoint <= 0xdfff) trap("a char is a surrogate");
  return String.fromCodePoint(codePoint);
}

export function codeOfChar(value: unknown): number {
  const code = typeof value === "string" ? value.codePointAt(0) : undefined;
  if (code === undefined || String.fromCodePoint(code) !== value) {
    throw new TypeError("expected a string of one character");
  }
  if (code >= 0xd800 && code <= 0xdfff) throw new TypeError("a surrogate is no char");
  return code;
}

export function requireBoolean(value: unknown): boolean {
  if (typeof value === "boolean") return value;
  throw new TypeError(`expected a boolean, got ${typeof value}`);
}

export function requireFloat(value: unknown): number {
  if (typeof value === "number") return canonicalNan(value);
  throw new TypeError(`expected a number, got ${typeof value}`);
}

export function requireInteger(value: unknown, min: number, max: number): number {
  if (typeof value === "number" && Number.isInteger(value) && value >= min && value <= max) {
    return value;
  }
  throw new TypeError(`expected an integer from ${min} to ${max}, got ${describe(value)}`);
}

export function requireBigint(value: unknown, min: bigint, max: bigint): bigint {
  if (typeof value === "bigint" && value >= min && value <= max) return value;
  throw new TypeError(`expected a bigint from ${min} to ${max}, got ${describe(value)}`);
}

export function requireObject(value: unknown): Readonly<Record<string, unknown>> {
  if (isObject(value)) return value;
  throw new TypeError(`expected an object, got ${describe(value)}`);
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null;
}

export function requireArray(value: unknown): readonly unknown[] {
  if (Array.isArray(value)) return value;
  throw new TypeError(`expected an array, got ${describe(value)}`);
}

function describe(value: unknown): string {
  if (typeof value === "number" || typeof value === "bigint") return String(value);
  return value === null ? "null" : typeof value;
}

export interface IntegerRange {
  readonly min: number;
  readonly max: number;
}

export const INTEGER_RANGES = {
  s8: { min: -0x80, max: 0x7f },
  u8: { min: 0, max: 0xff },
  s16: { min: -0x8000, max: 0x7fff },
  u16: { min: 0, max: 0xffff },
  s32: { min: -0x8000_0000, max: 0x7fff_ffff },
  u32: { min: 0, max: 0xffff_ffff },
} as const satisfies Record<string, IntegerRange>;

export const BIGINT_RANGES = {
  s64: { min: -(2n ** 63n), max: 2n ** 63n - 1n },
  u64: { min: 0n, max: 2n ** 64n - 1n },
} as const;
