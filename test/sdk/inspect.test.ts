import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { formatArguments, inspect } from "../../guest-sdk/src/console/inspect.ts";

const loop: { self?: unknown; name: string } = { name: "loop" };
loop.self = loop;

class Named {
  readonly inside = 1;
  get secret(): string {
    throw new Error("getters are not run");
  }
}

describe("inspect", () => {
  test.each([
    ["text", '"text"'],
    [-0, "-0"],
    [12n, "12n"],
    [null, "null"],
    [Symbol("s"), "Symbol(s)"],
    [[1, [2, [3]]], "[1, [2, [3]]]"],
    [{ a: 1, "b c": "d" }, '{ a: 1, "b c": "d" }'],
    [new Map([["k", { v: 1 }]]), 'Map(1) { "k" => { v: 1 } }'],
    [new Set([1, 2]), "Set(2) { 1, 2 }"],
    [new Uint8Array([1, 2]), "Uint8Array(2) [1, 2]"],
    [new Date(0), "1970-01-01T00:00:00.000Z"],
    [/a+/g, "/a+/g"],
    [new Named(), "Named { inside: 1 }"],
    [loop, '{ name: "loop", self: [circular] }'],
    [Object.create(null), "[no prototype] {}"],
    [{ a: { b: { c: { d: { e: 1 } } } } }, "{ a: { b: { c: { d: [object] } } } }"],
  ])("case %#", (value, text) => {
    expect(inspect(value)).toBe(text);
  });

  test("an accessor is not run", () => {
    const value = {
      get trap(): never {
        throw new Error("run");
      },
    };
    expect(inspect(value)).toBe("{ trap: [accessor] }");
  });

  test("a hostile proxy does not throw", () => {
    const hostile = new Proxy(
      {},
      {
        ownKeys: () => {
          throw new Error("no");
        },
      },
    );
    expect(inspect(hostile)).toBe("[uninspectable]");
  });

  test("what does not fit on a line is one entry to a line", () => {
    const text = inspect({ first: "x".repeat(40), second: "y".repeat(40) });
    expect(text).toBe(`{\n  first: "${"x".repeat(40)}",\n  second: "${"y".repeat(40)}"\n}`);
  });

  test("nothing makes it long, or throw", () => {
    expect(inspect("x".repeat(1_000_000)).length).toBeLessThan(1_100);
    expect(inspect(Array.from({ length: 1_000_000 }, () => 1)).length).toBeLessThan(1_000);
    fc.assert(
      fc.property(fc.anything({ withMap: true, withSet: true, withTypedArray: true }), (value) => {
        expect(typeof inspect(value)).toBe("string");
      }),
    );
  });
});

describe("formatArguments", () => {
  test.each([
    [["a", 1, { b: 2 }], "a 1 { b: 2 }"],
    [["%s is %d, %i and %o%%", "x", 1.5, 2.7, { y: 1 }, "rest"], "x is 1.5, 2 and { y: 1 }% rest"],
    [["%c styled", "color: red"], " styled"],
    [["100%", "sure"], "100% sure"],
    [["%s"], "%s"],
    [["%d", Symbol("s")], "NaN"],
    [[], ""],
  ])("case %#", (args, text) => {
    expect(formatArguments(args, 1_000)).toBe(text);
  });

  test("what is too long is cut, and says how much is missing", () => {
    expect(formatArguments(["x".repeat(15)], 10)).toBe(`${"x".repeat(10)}… 5 more characters`);
  });
});
