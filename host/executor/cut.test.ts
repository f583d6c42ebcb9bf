import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { cut } from "./cut.ts";

describe("cut", () => {
  test("leaves a text within the limit as it is", () => {
    expect(cut("häuser", 7)).toBe("häuser");
  });

  test("cuts at a whole character and says how long the text was", () => {
    expect(cut("aé".repeat(3), 4)).toBe("aéa… [cut: 9 bytes]");
  });

  test("never splits a character, whatever the text", () => {
    fc.assert(
      fc.property(
        fc.string({ unit: "grapheme" }),
        fc.integer({ min: 0, max: 20 }),
        (text, bytesMax) => {
          const [kept] = cut(text, bytesMax).split("… [cut: ");
          expect(text.startsWith(String(kept))).toBe(true);
          expect(Buffer.byteLength(String(kept))).toBeLessThanOrEqual(Math.max(bytesMax, 0) || 0);
        },
      ),
    );
  });
});
