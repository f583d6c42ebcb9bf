import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { LineWriter } from "./line-writer.ts";

function writeAll(chunks: readonly (string | Uint8Array)[], lineBytesMax = 100): string[] {
  const lines: string[] = [];
  const writer = new LineWriter((line) => lines.push(line), lineBytesMax);
  for (const chunk of chunks) {
    writer.write(typeof chunk === "string" ? new TextEncoder().encode(chunk) : chunk);
  }
  writer.close();
  return lines;
}

describe("LineWriter", () => {
  test.each([
    ["a line is handed over at its end", ["one\ntwo\n"], ["one", "two"]],
    ["a line may come in pieces", ["o", "n", "e\nt", "wo"], ["one", "two"]],
    ["empty lines are lines", ["\n\n"], ["", ""]],
    ["a carriage return before the end belongs to it", ["one\r\n"], ["one"]],
    ["what is left at the end is a line", ["one"], ["one"]],
    ["nothing is no line", [""], []],
    ["invalid UTF-8 is shown as such", [Uint8Array.of(0x61, 0xff, 0x0a)], ["a\ufffd"]],
  ])("%s", (_fact, chunks, lines) => {
    expect(writeAll(chunks)).toEqual(lines);
  });

  test("a long line is handed over in pieces, between characters", () => {
    expect(writeAll(["aaé\n"], 3)).toEqual(["aa", "é"]);
    expect(writeAll(["日本語"], 4)).toEqual(["日", "本", "語"]);
  });

  test("it never holds more than the limit, also where no line ever ends", () => {
    let handed = 0;
    const writer = new LineWriter((line) => (handed += line.length), 64);
    for (let at = 0; at < 1000; at += 1) writer.write(new Uint8Array(63).fill(0x61));
    expect(63_000 - handed).toBeLessThanOrEqual(64);
  });

  test("nothing is lost or invented, however the text is cut", () => {
    fc.assert(
      fc.property(
        fc.array(fc.string({ unit: fc.constantFrom("a", "é", "日", "\n") })),
        (chunks) => {
          const lines = writeAll(chunks, 8);
          expect(lines.join("")).toBe(chunks.join("").replaceAll("\n", ""));
        },
      ),
      { seed: 1 },
    );
  });
});
