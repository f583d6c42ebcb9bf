import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { encodeJson, UnserializableError } from "../../guest-sdk/src/json/json.ts";

class Point {
  readonly x = 1;
  toJSON(): object {
    return { point: this.x };
  }
}

/** Iterable, and its fields hold what it iterates over. */
class Listed {
  readonly items = [1];
  [Symbol.iterator](): Iterator<number> {
    return this.items.values();
  }
}

const cycle: { readonly list: unknown[] } = { list: [] };
cycle.list.push([cycle]);

let deep: unknown = 0;
for (let level = 0; level < 600; level += 1) deep = [deep];

describe("encodeJson", () => {
  test("writes what JSON.stringify writes, for all that JSON carries", () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 5 }), (value) => {
        expect(encodeJson(value)).toBe(JSON.stringify(value));
      }),
    );
  });

  test.each([
    [undefined, "null"],
    [{ a: undefined, b: [undefined] }, '{"b":[null]}'],
    [new Date(0), '"1970-01-01T00:00:00.000Z"'],
    [new Point(), '{"point":1}'],
    [[-0], "[0]"],
    [new Listed(), '{"items":[1]}'],
  ])("%j is %s", (value, text) => {
    expect(encodeJson(value)).toBe(text);
  });

  test("a value that is there twice is no cycle", () => {
    const shared = { n: 1 };
    expect(encodeJson([shared, shared])).toBe('[{"n":1},{"n":1}]');
  });

  test.each([
    ["a function", { a: [1, 2, { b: () => 1 }] }, "$.a[2].b is a function"],
    ["a symbol", [Symbol("s")], "$[0] is a symbol"],
    ["a bigint", { big: 1n }, "$.big is a bigint"],
    ["NaN", { "not a name": Number.NaN }, '$["not a name"] is NaN'],
    ["Infinity", -Infinity, "$ is -Infinity"],
    ["a cycle", cycle, "$.list[0][0] refers back"],
    ["a Map", { m: new Map() }, "$.m is a Map: use Object.fromEntries"],
    ["a Set", new Set(), "$ is a Set: use [...set]"],
    ["a promise", { p: Promise.resolve() }, "$.p is a promise: await it"],
    ["bytes inside", { b: new Uint8Array(1) }, "$.b is binary data"],
    ["an error", new Error("x"), "$ is an Error"],
    ["an invalid date", { at: new Date(Number.NaN) }, "$.at is an invalid Date"],
    ["what iterates", { keys: ["a"].values() }, "$.keys is iterable"],
    ["what toJSON gives", { at: { toJSON: () => 1n } }, "$.at is a bigint"],
    ["depth", deep, "is more than 500 levels deep"],
  ])("%s is refused with its path", (_, value, message) => {
    expect(() => encodeJson(value)).toThrow(UnserializableError);
    expect(() => encodeJson(value)).toThrow(message);
  });
});
