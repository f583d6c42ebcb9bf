import { describe, expect, test } from "vitest";
import { BinaryReader } from "./reader.ts";

function readerOf(...bytes: readonly number[]): BinaryReader {
  return new BinaryReader(Uint8Array.from(bytes), { start: 0, end: bytes.length }, 8);
}

describe("integers of 32 bits", () => {
  test.each([
    [[0x00], 0],
    [[0x7f], 127],
    [[0x80, 0x01], 128],
    [[0x80, 0x00], 0],
    [[0xff, 0xff, 0xff, 0xff, 0x0f], 2 ** 32 - 1],
  ])("%j is %d", (bytes, value) => {
    const reader = readerOf(...bytes);
    expect(reader.u32("a number")).toBe(value);
    expect(reader.remainingBytes).toBe(0);
  });

  test.each([
    ["a bit beyond the 32nd", [0xff, 0xff, 0xff, 0xff, 0x1f]],
    ["a sixth byte", [0x80, 0x80, 0x80, 0x80, 0x80, 0x00]],
  ])("%s is refused", (_what, bytes) => {
    expect(() => readerOf(...bytes).u32("a number")).toThrow(
      "expected a number, found an integer of more than 32 bits at byte 0",
    );
  });

  test("an integer that ends early says what was expected, and where", () => {
    expect(() => readerOf(0x80).u32("a number")).toThrow(
      expect.objectContaining({
        kind: "malformed",
        offset: 1,
        message: "expected a number, found the end at byte 1",
      }),
    );
  });
});

describe("indices among type opcodes", () => {
  test.each([
    [[0x3f], 63],
    [[0xc0, 0x00], 64],
    [[0xff, 0x3f], 8191],
    [[0xff, 0xff, 0xff, 0xff, 0x0f], 2 ** 32 - 1],
  ])("%j is %d", (bytes, value) => {
    expect(readerOf(...bytes).signedIndex("an index")).toBe(value);
  });

  test.each([[[0x40]], [[0xff, 0x7f]], [[0xff, 0xff, 0xff, 0xff, 0x1f]]])(
    "%j is negative or too long, and refused",
    (bytes) => {
      expect(() => readerOf(...bytes).signedIndex("an index")).toThrow("expected an index at byte");
    },
  );
});

test("a count of more items than there are bytes is refused before anything is made for it", () => {
  expect(() => readerOf(0xff, 0xff, 0xff, 0xff, 0x0f, 0x00).count("a count")).toThrow(
    "found a count of 4294967295 with 1 bytes left",
  );
});

test("a name that is not UTF-8 is refused", () => {
  expect(() => readerOf(0x02, 0xc3, 0x28).name("a name")).toThrow("expected a name in UTF-8");
});

test("a name keeps its byte-order mark", () => {
  expect(readerOf(0x03, 0xef, 0xbb, 0xbf).name("a name")).toBe("\uFEFF");
});

test("a name above the limit is too complex, not malformed", () => {
  expect(() => readerOf(0x09, ...Array.from({ length: 9 }, () => 0x61)).name("a name")).toThrow(
    expect.objectContaining({ kind: "too-complex", message: "a name has 9 bytes, the limit is 8" }),
  );
});

test("a part ends where it was said to end, and offsets count from the whole upload", () => {
  const reader = readerOf(0x01, 0x02, 0x03);
  reader.byte("a byte");
  const part = reader.section(1, "a part");
  expect(part.byte("a byte")).toBe(2);
  expect(() => part.byte("another byte")).toThrow("expected another byte, found the end at byte 2");
  expect(reader.byte("a byte")).toBe(3);
});
