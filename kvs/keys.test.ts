import fc from "fast-check";
import { expect, test } from "vitest";
import { checkKey, checkKeyPart, compareKeys, KEY_BYTES_MAX } from "./keys.ts";

test.each([
  ["an empty key", ""],
  ["one byte too many", "k".repeat(KEY_BYTES_MAX + 1)],
  ["too many bytes in fewer characters", "é".repeat(KEY_BYTES_MAX / 2 + 1)],
  ["a lone surrogate", "a\ud800b"],
  ["a leading NUL", "\0clock"],
])("refuses %s", (_, key) => {
  expect(() => {
    checkKey(key);
  }).toThrow(expect.objectContaining({ code: "KEY_INVALID" }));
});

test.each([["k".repeat(KEY_BYTES_MAX)], ["é".repeat(KEY_BYTES_MAX / 2)], ["a\0/\n'\"😀"], [" "]])(
  "takes %j",
  (key) => {
    expect(() => {
      checkKey(key);
    }).not.toThrow();
  },
);

test("a prefix may be empty", () => {
  expect(() => {
    checkKeyPart("");
  }).not.toThrow();
});

test("keys are ordered by their bytes, also where UTF-16 disagrees", () => {
  expect(compareKeys("\u{ff5e}", "\u{1f600}")).toBeLessThan(0);
  fc.assert(
    fc.property(fc.string({ unit: "grapheme" }), fc.string({ unit: "grapheme" }), (a, b) => {
      const bytes = Buffer.compare(Buffer.from(a), Buffer.from(b));
      expect(Math.sign(compareKeys(a, b))).toBe(Math.sign(bytes));
    }),
  );
});
