import { spawnSync } from "node:child_process";
import {
  copyFileSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { describe, expect, test } from "vitest";
import { KvsError } from "../errors.ts";
import { toHybridTimestamp } from "../hybrid-clock.ts";
import type { Entry } from "../lattice/entry.ts";
import {
  canMountFileSystems,
  fillFileSystem,
  mountSmallFileSystem,
} from "../testing/small-file-system.ts";
import { testReclaimContract, testStoreContract } from "../testing/store-contract.ts";
import { temporaryDirectory } from "../testing/temporary-directory.ts";
import { EmbeddedStore } from "./embedded-store.ts";
import { encodeEntry } from "./entry-codec.ts";
import { FORMAT } from "./format-record.ts";

function register(ticks: number, value: Uint8Array): Entry {
  return {
    generation: 0,
    kind: "register",
    value: { timestamp: toHybridTimestamp(ticks), replicaId: "a", value },
  };
}

const small = register(1, new Uint8Array([1, 2, 3]));

async function openStore(directory: string): Promise<EmbeddedStore> {
  return EmbeddedStore.open({ directory, tombstones: "keep" });
}

/** A directory with a closed store that holds `small` under "k". */
async function directoryWithData(): Promise<string> {
  const directory = temporaryDirectory();
  const store = await openStore(directory);
  await store.merge([{ key: "k", entry: small }]);
  await store.close();
  return directory;
}

describe("EmbeddedStore", () => {
  testStoreContract(() => openStore(temporaryDirectory()));
  testReclaimContract(() =>
    EmbeddedStore.open({ directory: temporaryDirectory(), tombstones: "reclaim" }),
  );

  test("what was merged is there after it is opened again, under the same replica id", async () => {
    const directory = temporaryDirectory();
    const first = await openStore(directory);
    await first.merge([{ key: "k", entry: small }]);
    await first.close();
    const second = await openStore(directory);
    expect(second.get("k")).toEqual(small);
    expect(second.replicaId).toBe(first.replicaId);
    await second.close();
  });

  test("a second store in one directory is refused, and the holder is named", async () => {
    const directory = temporaryDirectory();
    const store = await openStore(directory);
    await expect(openStore(directory)).rejects.toMatchObject({
      code: "STORE_LOCKED",
      details: { directory, holder: expect.stringContaining(`process ${process.pid} `) },
    });
    await store.merge([{ key: "k", entry: small }]);
    await store.close();
    const next = await openStore(directory);
    expect(next.get("k")).toEqual(small);
    await next.close();
  });

  test("a newer format is refused with both versions, and nothing is touched", async () => {
    const directory = await directoryWithData();
    const record = join(directory, "store.json");
    writeFileSync(record, JSON.stringify({ format: FORMAT + 1, somethingNew: true }));
    const before = readFileSync(join(directory, "data.mdb"));
    await expect(openStore(directory)).rejects.toMatchObject({
      code: "STORE_NEWER_FORMAT",
      details: { format: FORMAT + 1, formatMax: FORMAT },
      message: expect.stringContaining(`format ${FORMAT + 1}`),
    });
    expect(readFileSync(join(directory, "data.mdb")).equals(before)).toBe(true);
  });

  test.each([
    ["not JSON", "{"],
    ["no format", "{}"],
    ["a format that is no number", '{"format":"1"}'],
    ["no replica id", '{"format":1}'],
    ["no object", "null"],
  ])("a record with %s is STORE_CORRUPT", async (_, text) => {
    const directory = await directoryWithData();
    writeFileSync(join(directory, "store.json"), text);
    await expect(openStore(directory)).rejects.toMatchObject({ code: "STORE_CORRUPT" });
  });

  test("a crash between the creation of the data and of the record is finished", async () => {
    const directory = temporaryDirectory();
    await (await openStore(directory)).close();
    rmSync(join(directory, "store.json"));
    const store = await openStore(directory);
    await expect(store.merge([{ key: "k", entry: small }])).resolves.toBeUndefined();
    await store.close();
  });

  test("data without its record, and a record without its data, are STORE_CORRUPT", async () => {
    const withoutRecord = await directoryWithData();
    rmSync(join(withoutRecord, "store.json"));
    await expect(openStore(withoutRecord)).rejects.toMatchObject({ code: "STORE_CORRUPT" });
    const withoutData = await directoryWithData();
    rmSync(join(withoutData, "data.mdb"));
    await expect(openStore(withoutData)).rejects.toMatchObject({ code: "STORE_CORRUPT" });
  });

  test("a directory inside a file is STORE_UNWRITABLE", async () => {
    const file = join(temporaryDirectory(), "file");
    writeFileSync(file, "");
    await expect(openStore(file)).rejects.toMatchObject({ code: "STORE_UNWRITABLE" });
    await expect(openStore(join(file, "below"))).rejects.toMatchObject({
      code: "STORE_UNWRITABLE",
    });
  });
});

describe("EmbeddedStore with a damaged file", () => {
  test.each([
    ["other bytes", Buffer.alloc(200_000, "x")],
    ["no bytes", Buffer.alloc(0)],
    ["zeros", Buffer.alloc(200_000)],
  ])(
    "a data file of %s is STORE_CORRUPT, and the directory can be used after repair",
    async (_, bytes) => {
      const directory = await directoryWithData();
      const data = join(directory, "data.mdb");
      const backup = join(directory, "backup");
      copyFileSync(data, backup);
      writeFileSync(data, bytes);
      await expect(openStore(directory)).rejects.toMatchObject({ code: "STORE_CORRUPT" });
      copyFileSync(backup, data);
      const store = await openStore(directory);
      expect(store.get("k")).toEqual(small);
      await store.close();
    },
  );

  test("a file that has lost its end opens whole or is STORE_CORRUPT, and never ends the process", async () => {
    const directory = temporaryDirectory();
    const store = await openStore(directory);
    const entry = register(1, new Uint8Array(100_000).fill(7));
    for (const key of ["a", "b", "c"]) await store.merge([{ key, entry }]);
    await store.close();
    const { size } = statSync(join(directory, "data.mdb"));
    const outcomes: string[] = [];
    for (const lost of [1, 4096, 5_000, 20_000, 90_000, 250_000, size - 9_000, size - 5_000]) {
      const copy = temporaryDirectory();
      for (const name of ["store.json", "data.mdb"]) {
        copyFileSync(join(directory, name), join(copy, name));
      }
      truncateSync(join(copy, "data.mdb"), size - lost);
      outcomes.push(await openAndRead(copy, ["a", "b", "c"], entry));
    }
    expect(outcomes).toHaveLength(8);
    for (const outcome of outcomes) expect(outcome).toBeOneOf(["whole", "STORE_CORRUPT"]);
    expect(outcomes.slice(-4)).toEqual(Array(4).fill("STORE_CORRUPT"));
  });

  test("a damaged value is STORE_CORRUPT where it is read, and only there", async () => {
    const directory = temporaryDirectory();
    const store = await openStore(directory);
    const marked = register(1, new Uint8Array(64).fill(0xa5));
    await store.merge([
      { key: "damaged", entry: marked },
      { key: "whole", entry: small },
    ]);
    await store.close();
    const data = join(directory, "data.mdb");
    const bytes = readFileSync(data);
    const encoded = encodeEntry(marked);
    for (let at = bytes.indexOf(encoded); at >= 0; at = bytes.indexOf(encoded, at + 1)) {
      bytes[at + 40] = 0x5a;
    }
    writeFileSync(data, bytes);
    const reopened = await openStore(directory);
    expect(() => reopened.get("damaged")).toThrow(
      expect.objectContaining({ code: "STORE_CORRUPT" }),
    );
    expect(reopened.get("whole")).toEqual(small);
    expect(reopened.list("", undefined, 10).entries).toHaveLength(2);
    await reopened.close();
  });
});

// Real full and read-only disks need a mount, which needs root on Linux.
describe.runIf(canMountFileSystems)("EmbeddedStore on a small file system", () => {
  test("a full disk is STORE_FULL, loses nothing, reads on, and takes writes once there is space", async () => {
    const mounted = mountSmallFileSystem(2 * 1024 * 1024);
    const directory = join(mounted, "state");
    const filler = join(mounted, "filler");
    mkdirSync(directory);
    writeFileSync(filler, Buffer.alloc(512 * 1024));
    const store = await openStore(directory);
    let stored = 0;
    let failure: unknown;
    for (let index = 0; index < 1_000 && failure === undefined; index += 1) {
      const entry = register(index, new Uint8Array(8_000).fill(index));
      try {
        await store.merge([
          { key: `first-${index}`, entry },
          { key: `second-${index}`, entry },
        ]);
        stored += 1;
      } catch (error) {
        failure = error;
      }
    }
    expect(failure).toBeInstanceOf(KvsError);
    expect(failure).toMatchObject({ code: "STORE_FULL", retryable: true });
    expect(stored).toBeGreaterThan(5);
    const keys = store.list("", undefined, 1000).entries.map(({ key }) => key);
    expect(keys).toHaveLength(stored * 2);
    expect(store.get(`first-${stored}`)).toBeUndefined();
    expect(store.get("first-0")).toEqual(register(0, new Uint8Array(8_000)));

    rmSync(filler);
    const late = register(9, new Uint8Array(8_000).fill(9));
    await store.merge([{ key: "late", entry: late }]);
    await store.close();
    const reopened = await openStore(directory);
    expect(reopened.get("late")).toEqual(late);
    expect(reopened.list("", undefined, 1000).entries).toHaveLength(stored * 2 + 1);
    await reopened.close();
  });

  test("a store on a disk that is already full opens and reads", async () => {
    const mounted = mountSmallFileSystem(2 * 1024 * 1024);
    const directory = join(mounted, "state");
    const store = await openStore(directory);
    await store.merge([{ key: "k", entry: small }]);
    await store.close();
    fillFileSystem(join(mounted, "filler"));
    const reopened = await openStore(directory);
    expect(reopened.get("k")).toEqual(small);
    await expect(
      reopened.merge([{ key: "large", entry: register(1, new Uint8Array(100_000)) }]),
    ).rejects.toMatchObject({ code: "STORE_FULL" });
    await reopened.close();
  });

  test("a store cannot be created on a full disk, and can once there is space", async () => {
    const mounted = mountSmallFileSystem(512 * 1024);
    const directory = join(mounted, "state");
    mkdirSync(directory);
    fillFileSystem(join(mounted, "filler"));
    await expect(openStore(directory)).rejects.toMatchObject({ code: "STORE_FULL" });
    rmSync(join(mounted, "filler"));
    const store = await openStore(directory);
    await store.merge([{ key: "k", entry: small }]);
    await store.close();
  });

  test("a read-only file system is STORE_UNWRITABLE, for a new and for an old store", async () => {
    const mounted = mountSmallFileSystem(2 * 1024 * 1024);
    const directory = join(mounted, "state");
    await (await openStore(directory)).close();
    spawnSync("mount", ["-o", "remount,ro", mounted]);
    await expect(openStore(directory)).rejects.toMatchObject({ code: "STORE_UNWRITABLE" });
    await expect(openStore(join(mounted, "new"))).rejects.toMatchObject({
      code: "STORE_UNWRITABLE",
    });
  });
});

async function openAndRead(
  directory: string,
  keys: readonly string[],
  expected: Entry,
): Promise<string> {
  try {
    const store = await openStore(directory);
    const isWhole = keys.every((key) => isDeepStrictEqual(store.get(key), expected));
    await store.close();
    return isWhole ? "whole" : "changed";
  } catch (error) {
    return error instanceof KvsError ? error.code : String(error);
  }
}
