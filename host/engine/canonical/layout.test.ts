import { describe, expect, test } from "vitest";
import type { ValueType } from "../component/types.ts";
import {
  bool,
  enumeration,
  flags,
  list,
  option,
  record,
  result,
  string,
  tuple,
  u32,
  u64,
  u8,
  variant,
} from "../component/wit-types.ts";
import { layoutOf, sequenceLayout, sequenceOffsets } from "./layout.ts";
import { coreSignature } from "./signature.ts";
import { func } from "../component/wit-types.ts";

const f32: ValueType = { kind: "f32" };
const f64: ValueType = { kind: "f64" };
const s16: ValueType = { kind: "s16" };
const char: ValueType = { kind: "char" };

function names(count: number): string[] {
  return Array.from({ length: count }, (_, index) => `n${String(index)}`);
}

describe("layoutOf", () => {
  test.each<[string, ValueType, number, number, string]>([
    ["bool", bool, 1, 1, "i32"],
    ["s16", s16, 2, 2, "i32"],
    ["char", char, 4, 4, "i32"],
    ["u64", u64, 8, 8, "i64"],
    ["f32", f32, 4, 4, "f32"],
    ["f64", f64, 8, 8, "f64"],
    ["string", string, 4, 8, "i32 i32"],
    ["list<u64>", list(u64), 4, 8, "i32 i32"],
    ["tuple<u8, u64, u8>", tuple(u8, u64, u8), 8, 24, "i32 i64 i32"],
    ["record { a: u8, b: s16 }", record({ a: u8, b: s16 }), 2, 4, "i32 i32"],
    ["enum of 256", enumeration(...names(256)), 1, 1, "i32"],
    ["enum of 257", enumeration(...names(257)), 2, 2, "i32"],
    ["enum of 65537", enumeration(...names(65_537)), 4, 4, "i32"],
    ["flags of 8", flags(...names(8)), 1, 1, "i32"],
    ["flags of 9", flags(...names(9)), 2, 2, "i32"],
    ["flags of 17", flags(...names(17)), 4, 4, "i32"],
    ["option<u8>", option(u8), 1, 2, "i32 i32"],
    ["option<u64>", option(u64), 8, 16, "i32 i64"],
    ["result", result(null, null), 1, 1, "i32"],
    ["result<u8, string>", result(u8, string), 4, 12, "i32 i32 i32"],
    ["variant { f32, u32 }", variant({ a: f32, b: u32 }), 4, 8, "i32 i32"],
    ["variant { f32, f64 }", variant({ a: f32, b: f64 }), 8, 16, "i32 i64"],
    ["variant { u64, f64 }", variant({ a: u64, b: f64 }), 8, 16, "i32 i64"],
    ["variant { f32, string }", variant({ a: f32, b: string }), 4, 12, "i32 i32 i32"],
    ["variant { u64, string }", variant({ a: u64, b: string }), 8, 16, "i32 i64 i32"],
    ["variant { f32, f32 }", variant({ a: f32, b: f32 }), 4, 8, "i32 f32"],
  ])("lays out %s", (_name, type, alignment, byteLength, flat) => {
    const layout = layoutOf(type);
    expect([layout.alignment, layout.byteLength, layout.flat.join(" ")]).toEqual([
      alignment,
      byteLength,
      flat,
    ]);
  });

  test("a type that shares one part a million times over is laid out in linear time", () => {
    let type: ValueType = u8;
    for (let depth = 0; depth < 20; depth += 1) type = tuple(type, type);
    expect(layoutOf(type).byteLength).toBe(2 ** 20);
    expect(layoutOf(type).flat).toHaveLength(17);
  });

  test("flags of more than 32 names have no layout", () => {
    expect(() => layoutOf(flags(...names(33)))).toThrow(RangeError);
  });

  test("fields lie at aligned offsets", () => {
    expect(sequenceOffsets([u8, u64, u8, u32])).toEqual([0, 8, 16, 20]);
    expect(sequenceLayout([]).byteLength).toBe(0);
  });
});

describe("coreSignature", () => {
  const sixteen = tuple(...names(16).map(() => u32));
  test.each([
    ["16 values are passed flat", func({ a: sixteen }), "lower", Array(16).fill("i32"), []],
    ["17 values are passed by address", func({ a: sixteen, b: u8 }), "lower", ["i32"], []],
    ["a result of two values is returned by address", func({}, string), "lift", [], ["i32"]],
    ["a lowered one takes the address last", func({ a: u64 }, string), "lower", ["i64", "i32"], []],
    ["a single result is returned flat", func({}, f64), "lower", [], ["f64"]],
    ["a callback export answers with its code", func({}, f64), "lift-callback", [], ["i32"]],
    [
      "an async import takes 4 values flat",
      func({ a: string, b: string }),
      "lower-async",
      Array(4).fill("i32"),
      ["i32"],
    ],
    [
      "and 5 by address",
      func({ a: string, b: string, c: u8 }, u8),
      "lower-async",
      ["i32", "i32"],
      ["i32"],
    ],
  ] as const)("%s", (_fact, type, kind, params, results) => {
    expect(coreSignature(type, kind)).toEqual({ params, results });
  });
});
