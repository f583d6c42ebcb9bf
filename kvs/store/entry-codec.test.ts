import { crc32 } from "node:zlib";
import fc from "fast-check";
import { expect, test } from "vitest";
import { KvsError } from "../errors.ts";
import { toHybridTimestamp } from "../hybrid-clock.ts";
import { counterValue } from "../lattice/counter.ts";
import { entryLattice, isKind } from "../lattice/entry.ts";
import type { Entry } from "../lattice/entry.ts";
import { entries } from "../testing/lattice-values.ts";
import { decodeEntry, decodeEntryKind, encodeEntry } from "./entry-codec.ts";

test("every entry is read back as it was written", () => {
  fc.assert(
    fc.property(entries(), (entry) => {
      const bytes = encodeEntry(entry);
      expect(entryLattice.equals(decodeEntry(bytes), entry)).toBe(true);
      expect(decodeEntryKind(bytes, bytes.byteLength)).toBe(entry.kind);
    }),
  );
});

test("an entry keeps large generations, late timestamps and counters beyond 64 bits", () => {
  const register: Entry = {
    generation: Number.MAX_SAFE_INTEGER,
    kind: "register",
    value: {
      timestamp: toHybridTimestamp(Number.MAX_SAFE_INTEGER),
      replicaId: "00ff00ff00ff00ff",
      value: new Uint8Array(70_000).fill(7),
    },
  };
  expect(decodeEntry(encodeEntry(register))).toEqual(register);
  const value = [{ replicaId: "a", increments: 2n ** 130n + 5n, decrements: 2n ** 64n }];
  const counter = decodeEntry(encodeEntry({ generation: 0, kind: "counter", value }));
  expect(isKind("counter", counter) && counterValue(counter.value)).toBe(
    2n ** 130n + 5n - 2n ** 64n,
  );
});

test("a decoded value shares no memory with the bytes it came from", () => {
  const entry: Entry = {
    generation: 0,
    kind: "register",
    value: { timestamp: toHybridTimestamp(1), replicaId: "a", value: new Uint8Array([1, 2, 3]) },
  };
  const bytes = encodeEntry(entry);
  const decoded = decodeEntry(bytes);
  bytes.fill(0);
  expect(decoded).toEqual(entry);
});

test("bytes after the given length are not read", () => {
  const entry: Entry = { generation: 3, kind: "absent", value: null };
  const bytes = encodeEntry(entry);
  const longer = new Uint8Array(bytes.byteLength + 10).fill(0xff);
  longer.set(bytes);
  expect(decodeEntry(longer, bytes.byteLength)).toEqual(entry);
});

test("a damaged byte never goes unnoticed", () => {
  fc.assert(
    fc.property(entries(), fc.nat(200), fc.integer({ min: 1, max: 255 }), (entry, at, mask) => {
      const bytes = encodeEntry(entry);
      const index = at % bytes.byteLength;
      bytes[index] = (bytes[index] ?? 0) ^ mask;
      expect(codeOf(() => decodeEntry(bytes))).toBe("STORE_CORRUPT");
    }),
    { numRuns: 1_000 },
  );
});

test("bytes that end early are STORE_CORRUPT", () => {
  fc.assert(
    fc.property(entries(), fc.nat(), (entry, cut) => {
      const bytes = encodeEntry(entry);
      const length = cut % bytes.byteLength;
      expect(codeOf(() => decodeEntry(bytes, length))).toBe("STORE_CORRUPT");
      expect(codeOf(() => decodeEntry(bytes.subarray(0, length)))).toBe("STORE_CORRUPT");
    }),
  );
});

test.each([
  ["no bytes", []],
  ["a later version", [2, 0, 0]],
  ["an unknown kind", [1, 9, 0]],
  ["bytes after a tombstone", [1, 0, 0, 0]],
  ["a generation that does not end", [1, 0, 255, 255, 255, 255, 255, 255, 255, 255, 255]],
  ["a counter whose replicas are out of order", [1, 2, 0, 2, 1, 98, 0, 0, 1, 97, 0, 0]],
  ["a timestamp that is no number", [1, 1, 0, 0, 0, 0, 0, 0, 0, 0xf8, 0x7f, 0]],
])("%s is STORE_CORRUPT, also with the right checksum", (_, bytes) => {
  const checksum = Buffer.alloc(4);
  checksum.writeUInt32LE(crc32(Buffer.from(bytes)));
  expect(codeOf(() => decodeEntry(Buffer.from([...bytes, ...checksum])))).toBe("STORE_CORRUPT");
});

function codeOf(action: () => unknown): string {
  try {
    action();
    return "none";
  } catch (error) {
    return error instanceof KvsError ? error.code : String(error);
  }
}
