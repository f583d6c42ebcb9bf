import fc from "fast-check";
import { expect, test } from "vitest";
import { MemoryImage } from "./memory-image.ts";

const PAGE_BYTES = 4096;

/** A memory of whole pages, written to at some places. */
const writes = fc.array(
  fc.tuple(fc.nat({ max: 8 * PAGE_BYTES - 1 }), fc.integer({ min: 0, max: 255 })),
);

function written(memory: Uint8Array, places: readonly (readonly [number, number])[]): Uint8Array {
  const copy = Uint8Array.from(memory);
  for (const [index, value] of places) copy[index] = value;
  return copy;
}

test("an image over its base is the memory, whatever was written", () => {
  fc.assert(
    fc.property(writes, writes, fc.nat({ max: 3 }), (before, after, grownPages) => {
      const initial = written(new Uint8Array(8 * PAGE_BYTES), before);
      const grown = new Uint8Array(initial.length + grownPages * PAGE_BYTES);
      grown.set(initial);
      const now = written(grown, after);
      const image = MemoryImage.of(now, MemoryImage.of(initial, undefined));
      expect(image.memoryBytes).toBe(now.length);
      image.restore(grown);
      expect(grown).toEqual(now);
    }),
  );
});

test("an image keeps the pages that differ, and no others", () => {
  const base = written(new Uint8Array(8 * PAGE_BYTES), [
    [PAGE_BYTES, 1],
    [5 * PAGE_BYTES, 2],
  ]);
  const now = written(base, [
    [PAGE_BYTES, 0],
    [2 * PAGE_BYTES - 1, 0],
    [7 * PAGE_BYTES + 3, 9],
  ]);
  const image = MemoryImage.of(now, MemoryImage.of(base, undefined));
  expect(image.keptBytes).toBe(2 * PAGE_BYTES);
  expect(MemoryImage.of(base, undefined).keptBytes).toBe(2 * PAGE_BYTES);
});
