import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { ComponentValue, ValueType } from "../component/types.ts";
import {
  bool,
  bytes,
  enumeration,
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
import { Trap } from "../engine.ts";
import type { CoreValue } from "./guest-context.ts";
import { alignTo, layoutOf } from "./layout.ts";
import { compileLiftFlat } from "./lift-flat.ts";
import { compileLoad } from "./load-value.ts";
import { compileLowerFlat } from "./lower-flat.ts";
import { compileSave } from "./save-value.ts";
import type { StringEncoding } from "./strings.ts";
import { arbitraryTypedValue } from "./testing/arbitrary-types.ts";
import { createCoreGuest } from "./testing/core-guest.ts";

const ENCODINGS: readonly StringEncoding[] = ["utf8", "utf16", "latin1+utf16"];
const char: ValueType = { kind: "char" };
const f32: ValueType = { kind: "f32" };
const f64: ValueType = { kind: "f64" };
const s8: ValueType = { kind: "s8" };
const s32: ValueType = { kind: "s32" };
const s64: ValueType = { kind: "s64" };

/** Into guest memory and back, at an address that `realloc` gave. */
function throughMemory(
  type: ValueType,
  value: ComponentValue,
  encoding: StringEncoding,
): ComponentValue {
  const { cx } = createCoreGuest();
  const { alignment, byteLength } = layoutOf(type);
  const ptr = cx.allocate(alignment, byteLength);
  compileSave(type, encoding)(cx, ptr, value);
  return compileLoad(type, encoding)(cx, ptr);
}

function throughCoreValues(
  type: ValueType,
  value: ComponentValue,
  encoding: StringEncoding,
): ComponentValue {
  const { cx } = createCoreGuest();
  const flat: CoreValue[] = [];
  compileLowerFlat(type, encoding)(cx, value, flat);
  return compileLiftFlat(type, encoding)(cx, flat, 0);
}

/** The bytes at the start of memory, loaded as the type. */
function loadBytes(
  type: ValueType,
  contents: readonly number[],
  encoding: StringEncoding = "utf8",
): ComponentValue {
  const { cx } = createCoreGuest();
  cx.memory.bytes().set(contents);
  return compileLoad(type, encoding)(cx, 0);
}

describe.each(ENCODINGS)("in %s", (encoding) => {
  test("a value that goes through guest memory comes back the same", () => {
    fc.assert(
      fc.property(arbitraryTypedValue, ({ type, value }) => {
        expect(throughMemory(type, value, encoding)).toEqual(value);
      }),
      { seed: 1, numRuns: 300 },
    );
  });

  test("a value that goes through core values comes back the same", () => {
    fc.assert(
      fc.property(arbitraryTypedValue, ({ type, value }) => {
        fc.pre(layoutOf(type).flat.length <= 16);
        expect(throughCoreValues(type, value, encoding)).toEqual(value);
      }),
      { seed: 2, numRuns: 300 },
    );
  });

  test("core values have the types of the layout", () => {
    fc.assert(
      fc.property(arbitraryTypedValue, ({ type, value }) => {
        const { flat: types } = layoutOf(type);
        fc.pre(types.length <= 16);
        const flat: CoreValue[] = [];
        compileLowerFlat(type, encoding)(createCoreGuest().cx, value, flat);
        expect(flat.map((core) => typeof core)).toEqual(
          types.map((core) => (core === "i64" ? "bigint" : "number")),
        );
      }),
      { seed: 3, numRuns: 300 },
    );
  });

  test.each([
    "",
    "a",
    "sixteen letters!",
    "seventeen letters",
    "é",
    "ÿ",
    "Ā",
    "日本",
    "🌧️",
    "\u{feff}bom",
    "a\0b",
  ])("the string %j comes back the same", (text) => {
    expect(throughMemory(string, text, encoding)).toBe(text);
  });

  test("a lone surrogate becomes U+FFFD", () => {
    expect(throughMemory(string, "a\ud800b", encoding)).toBe("a\ufffdb");
    expect(throughMemory(string, `${"x".repeat(40)}\udc00`, encoding)).toBe(
      `${"x".repeat(40)}\ufffd`,
    );
  });
});

describe("the shapes of values", () => {
  test.each<[string, ValueType, ComponentValue]>([
    ["an absent option is undefined", option(u8), undefined],
    ["an option of an option is tagged", option(option(u8)), { tag: "some", val: undefined }],
    ["and so is its absence", option(option(u8)), { tag: "none" }],
    ["a case without payload has no val", variant({ "a-b": null, c: u8 }), { tag: "a-b" }],
    ["a result carries its tag", result(null, string), { tag: "err", val: "no" }],
    ["keys are camel case", record({ "deadline-ms": u64 }), { deadlineMs: 5n }],
    ["a list of bytes is a Uint8Array", bytes, Uint8Array.of(1, 2)],
    ["other lists are arrays", list(s8), [-1, 2]],
  ])("%s", (_fact, type, value) => {
    expect(throughMemory(type, value, "utf8")).toStrictEqual(value);
    expect(throughCoreValues(type, value, "utf8")).toStrictEqual(value);
  });

  test("a field named like a member of Object is only a field", () => {
    const type = record({ constructor: u8, "to-string": u8, "has-own-property": u8 });
    const value = { constructor: 1, toString: 2, hasOwnProperty: 3 };
    expect(throughMemory(type, value, "utf8")).toEqual(value);
  });

  test("two fields whose camel case collides keep their own names", () => {
    const type = record({ "a-1": u8, a1: u8, b: u8 });
    const value = { "a-1": 1, a1: 2, b: 3 };
    expect(throughMemory(type, value, "utf8")).toEqual(value);
  });

  test("a name that is not kebab case never becomes a key", () => {
    expect(() => compileLoad(record(JSON.parse('{"__proto__":{"kind":"u8"}}')), "utf8")).toThrow(
      RangeError,
    );
  });

  test("a lifted list of bytes is a copy", () => {
    const { cx } = createCoreGuest();
    const ptr = cx.allocate(4, 8);
    compileSave(bytes, "utf8")(cx, ptr, Uint8Array.of(1));
    const lifted = compileLoad(bytes, "utf8")(cx, ptr);
    cx.memory.bytes().fill(9);
    expect(lifted).toEqual(Uint8Array.of(1));
  });

  test("flags ignore bits above the last name", () => {
    expect(loadBytes({ kind: "flags", names: ["a", "b"] }, [0b1111_1110])).toEqual({
      a: false,
      b: true,
    });
  });

  test("any byte but zero is true", () => {
    expect(loadBytes(bool, [2])).toBe(true);
  });

  test("narrow integers ignore the upper bits of their core value", () => {
    const { cx } = createCoreGuest();
    expect(compileLiftFlat(u8, "utf8")(cx, [0x1ff], 0)).toBe(0xff);
    expect(compileLiftFlat(s8, "utf8")(cx, [0x180], 0)).toBe(-0x80);
    expect(compileLiftFlat(u32, "utf8")(cx, [-1], 0)).toBe(0xffff_ffff);
  });

  test("a NaN has the canonical bits on both sides", () => {
    const { cx } = createCoreGuest();
    const view = cx.memory.view();
    view.setUint32(0, 0x7fa0_1234, true);
    compileSave(f32, "utf8")(cx, 8, compileLoad(f32, "utf8")(cx, 0));
    expect(view.getUint32(8, true)).toBe(0x7fc0_0000);
    view.setBigUint64(16, 0xfff8_0000_dead_beefn, true);
    compileSave(f64, "utf8")(cx, 24, compileLoad(f64, "utf8")(cx, 16));
    expect(view.getBigUint64(24, true)).toBe(0x7ff8_0000_0000_0000n);
  });
});

describe("a variant's joined core values", () => {
  const type = variant({ a: f32, b: s64, c: tuple(s32, f64), d: string, e: null });
  test.each<[string, ComponentValue, readonly CoreValue[]]>([
    ["a", { tag: "a", val: 1 }, [0, 0x3f80_0000n, 0n]],
    ["b", { tag: "b", val: -1n }, [1, -1n, 0n]],
    ["c", { tag: "c", val: [-1, 1] }, [2, 0xffff_ffffn, 0x3ff0_0000_0000_0000n]],
    ["e", { tag: "e" }, [4, 0n, 0n]],
  ])("of case %s", (_tag, value, expected) => {
    const flat: CoreValue[] = [];
    const { cx } = createCoreGuest();
    compileLowerFlat(type, "utf8")(cx, value, flat);
    expect(flat).toEqual(expected);
    expect(compileLiftFlat(type, "utf8")(cx, flat, 0)).toEqual(value);
  });

  test("a widened value is cut to its 32 bits again", () => {
    const { cx } = createCoreGuest();
    expect(compileLiftFlat(type, "utf8")(cx, [2, 0xabcd_0000_0001n, 0n], 0)).toEqual({
      tag: "c",
      val: [1, 0],
    });
  });
});

describe("what the guest must not pass traps", () => {
  const outside = [0, 0, 0, 0x7f, 8, 0, 0, 0];
  test.each<[string, ValueType, readonly number[], StringEncoding]>([
    ["a char above U+10FFFF", char, [0, 0, 0x11, 0], "utf8"],
    ["a surrogate as char", char, [0, 0xd8, 0, 0], "utf8"],
    ["an unknown case of a variant", variant({ a: null, b: u8 }), [2, 0], "utf8"],
    ["an unknown case of an enum", enumeration("a", "b"), [2], "utf8"],
    ["an unknown case of an option", option(u8), [2, 0], "utf8"],
    ["a string outside memory", string, outside, "utf8"],
    ["an empty string outside memory", string, [0, 0, 0, 0x7f, 0, 0, 0, 0], "utf8"],
    ["a string whose end wraps around", string, [0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0], "utf8"],
    ["invalid UTF-8 in a short string", string, [8, 0, 0, 0, 1, 0, 0, 0, 0xff], "utf8"],
    ["an encoded surrogate", string, [8, 0, 0, 0, 3, 0, 0, 0, 0xed, 0xa0, 0x80], "utf8"],
    ["an overlong encoding", string, [8, 0, 0, 0, 2, 0, 0, 0, 0xc0, 0x80], "utf8"],
    ["a lone surrogate in UTF-16", string, [8, 0, 0, 0, 1, 0, 0, 0, 0, 0xd8], "utf16"],
    ["UTF-16 at an odd address", string, [9, 0, 0, 0, 1, 0, 0, 0], "utf16"],
    ["Latin-1 at an odd address", string, [9, 0, 0, 0, 1, 0, 0, 0], "latin1+utf16"],
    ["a string above the limit", string, [0, 0, 0, 0, 0, 0, 0, 0x10], "utf8"],
    ["a list outside memory", list(u32), outside, "utf8"],
    ["a list at an odd address", list(u32), [1, 0, 0, 0, 1, 0, 0, 0], "utf8"],
    ["an empty list at an odd address", list(u32), [1, 0, 0, 0, 0, 0, 0, 0], "utf8"],
    ["a list above the limit", list(u64), [0, 0, 0, 0, 0, 0, 0, 2], "utf8"],
    ["a list of bytes outside memory", bytes, outside, "utf8"],
    ["an unknown handle", { kind: "own", resource: 1 }, [5, 0, 0, 0], "utf8"],
  ])("%s", (_what, type, contents, encoding) => {
    expect(() => loadBytes(type, contents, encoding)).toThrow(Trap);
  });

  test("lists that name the same bytes over and over are bounded by what they would take", () => {
    const { cx } = createCoreGuest({ limits: { liftedBytesMax: 100_000 } });
    cx.startLifting();
    const view = cx.memory.view();
    for (let at = 0; at < 8000; at += 8) {
      view.setUint32(at, 16_000, true);
      view.setUint32(at + 4, 1000, true);
    }
    view.setUint32(8000, 0, true);
    view.setUint32(8004, 1000, true);
    expect(() => compileLoad(list(string), "utf8")(cx, 8000)).toThrow("more than 100000 bytes");
  });

  test.each([
    ["outside memory", () => 0x7fff_0000],
    ["not aligned", () => 3],
  ])("realloc that gives an address %s", (_what, realloc) => {
    const { cx } = createCoreGuest({ realloc });
    expect(() => compileSave(list(u32), "utf8")(cx, 0, [1])).toThrow(Trap);
  });
});

describe("what the host must not pass throws, and is no trap of the guest", () => {
  test.each<[string, ValueType, ComponentValue]>([
    ["a number out of range", u8, 256],
    ["a fraction", s32, 0.5],
    ["a number for a bigint", u64, 5],
    ["a negative bigint for u64", u64, -1n],
    ["null for an option", option(u8), null],
    ["an unknown case", variant({ a: null }), { tag: "b" }],
    ["a member of Object as case", variant({ a: null }), { tag: "constructor" }],
    ["two characters for a char", char, "ab"],
    ["a surrogate for a char", char, "\ud800"],
    ["an array for bytes", bytes, [1]],
    ["too short a tuple", tuple(u8, u8), [1]],
    ["a missing field", record({ a: u8 }), {}],
    ["undefined for a string", string, undefined],
  ])("%s", (_what, type, value) => {
    expect(() => throughMemory(type, value, "utf8")).toThrow(TypeError);
    expect(() => throughCoreValues(type, value, "utf8")).toThrow(TypeError);
  });
});

test("fields lie where the layout says, whatever was allocated between them", () => {
  const { cx } = createCoreGuest();
  const type = record({ a: u8, b: string, c: u64 });
  const ptr = alignTo(cx.allocate(8, 24), 8);
  compileSave(type, "utf8")(cx, ptr, { a: 7, b: "grows the memory".repeat(100), c: 9n });
  const view = cx.memory.view();
  expect([
    view.getUint8(ptr),
    view.getUint32(ptr + 8, true),
    view.getBigUint64(ptr + 16, true),
  ]).toEqual([7, 1600, 9n]);
});
