import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  decodeMappings,
  encodeMappings,
  LineTableReader,
} from "../../guest-sdk/src/errors/line-table.ts";
import type { Segment } from "../../guest-sdk/src/errors/line-table.ts";
import { formatStack } from "../../guest-sdk/src/errors/stack-trace.ts";

const segment = fc.record({
  bundleColumn: fc.nat(500),
  source: fc.nat(20),
  line: fc.nat(100_000),
  column: fc.nat(500),
});

function tableOf(lines: readonly (readonly Segment[])[]): LineTableReader {
  return new LineTableReader({ sources: ["src/index.ts"], mappings: encodeMappings(lines) });
}

describe("the line table", () => {
  test("what is written is read again", () => {
    fc.assert(
      fc.property(fc.array(fc.array(segment, { maxLength: 4 }), { minLength: 1 }), (lines) => {
        expect(decodeMappings(encodeMappings(lines))).toEqual(lines);
      }),
    );
  });

  test("a position is its segment's, and a line without one is not the author's", () => {
    const table = tableOf([
      [],
      [
        { bundleColumn: 0, source: 0, line: 9, column: 2 },
        { bundleColumn: 10, source: 0, line: 9, column: 14 },
      ],
    ]);
    expect(table.find(1, 1)).toBeUndefined();
    expect(table.find(3, 1)).toBeUndefined();
    expect(table.find(2, 10)).toEqual({ source: "src/index.ts", line: 10, column: 3 });
    expect(table.find(2, 11)).toEqual({ source: "src/index.ts", line: 10, column: 15 });
    expect(table.find(2, 900)).toEqual({ source: "src/index.ts", line: 10, column: 15 });
  });
});

describe("a stack", () => {
  const table = tableOf([[], [{ bundleColumn: 0, source: 0, line: 4, column: 0 }]]);

  test("of QuickJS names the author's frames alone", () => {
    const stack = [
      "    at boom (componentize-qjs:user.js:2:7)",
      "    at <anonymous> (componentize-qjs:user.js:2:9)",
      "    at inside (componentize-qjs:user.js:1:1)",
      "    at call (native)",
    ].join("\n");
    expect(formatStack(stack, table)).toBe("at boom (src/index.ts:5:1)\nat src/index.ts:5:1");
  });

  test("of a recursion has one line for it, and goes on to who began it", () => {
    const down = "    at down (componentize-qjs:user.js:2:7)\n";
    const stack = `${down.repeat(60)}    at began (componentize-qjs:user.js:2:9)`;
    expect(formatStack(stack, table)).toBe(
      "at down (src/index.ts:5:1) 60 times\nat began (src/index.ts:5:1)",
    );
  });

  test("of SpiderMonkey as well", () => {
    const stack = "boom@function.js:2:3\nhandlers/<@function.js:2:3\n@function.js:1:1\n";
    expect(formatStack(stack, table)).toBe(
      "at boom (src/index.ts:5:1)\nat handlers (src/index.ts:5:1)",
    );
  });
});
