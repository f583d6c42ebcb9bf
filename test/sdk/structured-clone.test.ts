import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { cloneStructured } from "../../guest-sdk/src/globals/structured-clone.ts";

describe("structuredClone agrees with the platform's", () => {
  test("for values of all kinds", () => {
    const value = fc.anything({
      withBigInt: true,
      withDate: true,
      withMap: true,
      withSet: true,
      withTypedArray: true,
      withSparseArray: true,
    });
    fc.assert(
      fc.property(value, (original) => {
        expect(cloneStructured(original)).toEqual(structuredClone(original));
      }),
    );
  });

  test("for cycles, errors and expressions", () => {
    const original: Record<string, unknown> = {
      error: new RangeError("wrong", { cause: "why" }),
      pattern: /a+/giu,
      view: new DataView(Uint8Array.of(1, 2, 3, 4).buffer, 1, 2),
    };
    original["self"] = original;
    const copy = cloneStructured(original);
    expect(copy).toEqual(structuredClone(original));
    expect(copy["self"]).toBe(copy);
    expect(copy["error"]).toBeInstanceOf(RangeError);
  });
});

test.each([
  ["a function", () => 1],
  ["a symbol", Symbol("s")],
  ["a promise", Promise.resolve()],
])("%s is refused", (_, value) => {
  expect(() => cloneStructured({ inside: value })).toThrow(
    expect.objectContaining({ name: "DataCloneError" }),
  );
});
