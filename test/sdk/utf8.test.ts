import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Utf8Decoder, Utf8Encoder } from "../../guest-sdk/src/globals/text-codec.ts";
import {
  decodeUtf8,
  decodeUtf8Lossy,
  encodeUtf8,
  incompleteSuffixBytes,
} from "../../guest-sdk/src/utf8.ts";

/** Bytes near UTF-8's edges: arbitrary ones would hardly ever begin a character. */
const bytes = fc
  .array(
    fc.oneof(
      fc.constantFrom(0x00, 0x41, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1, 0xc2),
      fc.constantFrom(0xdf, 0xe0, 0xe1, 0xed, 0xef, 0xf0, 0xf1, 0xf4, 0xf5, 0xff, 0xbb),
    ),
    { maxLength: 12 },
  )
  .map((values) => Uint8Array.from(values));
const text = fc.string({ unit: "binary", maxLength: 20 });

describe("UTF-8 agrees with the platform's", () => {
  test("encoding, lone surrogates included", () => {
    fc.assert(
      fc.property(fc.oneof(text, fc.constantFrom("\ud800", "a\udc00b", "😀\ud83d")), (value) => {
        expect(encodeUtf8(value)).toEqual(new TextEncoder().encode(value));
      }),
    );
  });

  test("strict decoding", () => {
    const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
    fc.assert(
      fc.property(fc.oneof(bytes, text.map(encodeUtf8)), (value) => {
        let expected: string | undefined;
        try {
          expected = decoder.decode(value);
        } catch {
          expected = undefined;
        }
        expect(decodeUtf8(value)).toBe(expected);
      }),
    );
  });

  test("lossy decoding replaces as much as the standard says", () => {
    const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
    fc.assert(
      fc.property(bytes, (value) => {
        expect(decodeUtf8Lossy(value)).toBe(decoder.decode(value));
      }),
      { numRuns: 2_000 },
    );
  });

  test("a stream in chunks decodes as the platform's does", () => {
    fc.assert(
      fc.property(
        fc.array(bytes, { maxLength: 5 }),
        fc.boolean(),
        fc.boolean(),
        (chunks, fatal, ignoreBOM) => {
          // A refusal may come a chunk later here: what counts is that it comes.
          const decode = (decoder: TextDecoder | Utf8Decoder): string => {
            const parts: string[] = [];
            try {
              for (const chunk of chunks) parts.push(decoder.decode(chunk, { stream: true }));
              parts.push(decoder.decode());
              return parts.join("");
            } catch {
              return "refused";
            }
          };
          const expected = decode(new TextDecoder("utf-8", { fatal, ignoreBOM }));
          expect(decode(new Utf8Decoder("utf-8", { fatal, ignoreBOM }))).toBe(expected);
        },
      ),
      { numRuns: 2_000 },
    );
  });
});

test("a suffix is incomplete only where more bytes could complete it", () => {
  expect(incompleteSuffixBytes(Uint8Array.of(0x41, 0xe2, 0x82))).toBe(2);
  expect(incompleteSuffixBytes(Uint8Array.of(0xe2, 0x82, 0xac))).toBe(0);
  expect(incompleteSuffixBytes(Uint8Array.of(0xf0, 0x9f, 0x98))).toBe(3);
  expect(incompleteSuffixBytes(Uint8Array.of(0xed, 0xa0))).toBe(0);
  expect(incompleteSuffixBytes(Uint8Array.of(0xff))).toBe(0);
});

test("encodeInto writes whole characters alone", () => {
  const target = new Uint8Array(5);
  expect(new Utf8Encoder().encodeInto("a€😀", target)).toEqual({ read: 2, written: 4 });
});

test("another encoding than UTF-8 is refused by name", () => {
  expect(() => new Utf8Decoder("latin1")).toThrow(RangeError);
});
