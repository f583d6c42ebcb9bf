import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startStorageThread } from "@downpour/kvs";
import type { StorageThread } from "@downpour/kvs";
import { expect, onTestFinished, test } from "vitest";
import type { InvocationRecord } from "../scheduler/deployed-app.ts";
import { createLogger } from "../telemetry/logger.ts";
import type { FunctionNamesOf } from "./state-records.ts";
import { UsageMeter } from "./usage-meter.ts";

function newDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), "downpour-usage-"));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

async function openStorage(directory = newDirectory()): Promise<StorageThread> {
  const storage = await startStorageThread({ directory });
  onTestFinished(() => storage.terminate());
  return storage;
}

function meter(
  storage: StorageThread,
  functionNamesOf: FunctionNamesOf = () => undefined,
): UsageMeter {
  return new UsageMeter({
    state: storage.client(),
    flushIntervalMs: 3_600_000,
    recentAppsMax: 2,
    functionNamesOf,
    logger: createLogger("silent"),
  });
}

function record(app: string, errorCode?: string): InvocationRecord {
  return {
    identity: { tenantId: "acme", app, revisionId: "r" },
    invocationId: "i",
    functionName: "f",
    inputBytes: 10,
    outputBytes: 20,
    queuedUs: 1,
    usage: {
      cpuUs: 100.4,
      fuel: 7_400,
      wallUs: 200.6,
      coldStart: true,
      memoryBytes: 1,
      stateOperations: 2,
      logBytes: 30,
      logEntriesDropped: 4,
    },
    errorCode,
  };
}

const ONE = {
  invocations: 1,
  errors: 0,
  coldStarts: 1,
  cpuUs: 100,
  fuelThousands: 7,
  wallUs: 201,
  bytesIn: 10,
  bytesOut: 20,
  stateOperations: 2,
  logBytes: 30,
  logEntriesDropped: 4,
};

test("usage is seen at once, whether it is stored or not", async () => {
  const storage = await openStorage();
  const under = meter(storage);
  under.record(record("a"));
  expect((await under.of("acme")).get("a")).toEqual(ONE);
  await under.flush();
  expect((await under.of("acme")).get("a")).toEqual(ONE);
  under.record(record("a", "FUNCTION_THREW"));
  expect((await under.of("acme")).get("a")).toMatchObject({ invocations: 2, errors: 1 });
});

test("an orderly end loses nothing, and the next process goes on from there", async () => {
  const directory = newDirectory();
  const storage = await openStorage(directory);
  const first = meter(storage);
  first.record(record("a"));
  await first.close();
  await storage.close();
  const second = meter(await openStorage(directory));
  second.record(record("a"));
  expect((await second.of("acme")).get("a")).toMatchObject({ invocations: 2, bytesIn: 20 });
  await second.close();
});

test("what each function used is seen at once, survives an orderly end, and is as much as its app's", async () => {
  const directory = newDirectory();
  const storage = await openStorage(directory);
  const first = meter(storage);
  first.record(record("a"));
  await first.flush();
  first.record({ ...record("a", "FUNCTION_THREW"), functionName: "g" });
  first.record({ ...record("b"), functionName: "g" });
  const counts = new Map([
    ["f", { invocations: 1, errors: 0, cpuUs: 100 }],
    ["g", { invocations: 1, errors: 1, cpuUs: 100 }],
  ]);
  expect(await first.functionsOf("acme", "a")).toEqual(counts);
  await first.close();
  await storage.close();
  const second = meter(await openStorage(directory));
  expect(await second.functionsOf("acme", "a")).toEqual(counts);
  expect((await second.of("acme", "a")).get("a")).toMatchObject({ invocations: 2, cpuUs: 200 });
  expect([...(await second.of("acme", "b")).keys()]).toEqual(["b"]);
});

test("functions that an app has no more are forgotten, so that names do not pile up", async () => {
  const storage = await openStorage();
  let names: ReadonlySet<string> | undefined = new Set(["f", "g"]);
  const under = meter(storage, () => names && { active: names, kept: names });
  under.record(record("a"));
  under.record({ ...record("a"), functionName: "g" });
  await under.flush();
  names = new Set(["g", "h"]);
  expect([...(await under.functionsOf("acme", "a")).keys()]).toEqual(["g"]);
  under.record({ ...record("a"), functionName: "h" });
  await under.flush();
  names = undefined;
  expect([...(await under.functionsOf("acme", "a")).keys()]).toEqual(["g", "h"]);
  expect((await under.of("acme")).get("a")).toMatchObject({ invocations: 3 });
});

test("what a function used is there again with the revision that has it", async () => {
  const storage = await openStorage();
  const kept = new Set(["f", "g"]);
  let active = kept;
  const under = meter(storage, () => ({ active, kept }));
  under.record(record("a"));
  await under.flush();
  active = new Set(["g"]);
  under.record({ ...record("a"), functionName: "g" });
  await under.flush();
  expect([...(await under.functionsOf("acme", "a")).keys()]).toEqual(["g"]);
  active = kept;
  under.record(record("a"));
  await under.flush();
  expect((await under.functionsOf("acme", "a")).get("f")).toMatchObject({ invocations: 2 });
});

test("what the functions of a tenant used goes with it", async () => {
  const storage = await openStorage();
  const under = meter(storage);
  under.record(record("a"));
  await under.flush();
  await under.remove("acme");
  expect((await under.functionsOf("acme", "a")).size).toBe(0);
});

test("tenants whose names begin alike stay apart", async () => {
  const storage = await openStorage();
  const under = meter(storage);
  under.record(record("a"));
  const other = record("b");
  under.record({ ...other, identity: { ...other.identity, tenantId: "acme-2" } });
  await under.flush();
  expect([...(await under.of("acme")).keys()]).toEqual(["a"]);
  await under.remove("acme");
  expect((await under.of("acme")).size).toBe(0);
  expect((await under.of("acme-2")).size).toBe(1);
});

test("what cannot be stored is kept for the next flush", async () => {
  const storage = await openStorage();
  const under = meter(storage);
  under.record(record("a"));
  await storage.terminate();
  await under.flush();
  expect((await under.of("acme")).get("a")).toEqual(ONE);
  await expect(under.functionsOf("acme", "a")).resolves.toEqual(
    new Map([["f", { invocations: 1, errors: 0, cpuUs: 100 }]]),
  );
});

test("the apps that were used last are remembered, most recent first, and no more than wanted", async () => {
  const directory = newDirectory();
  const storage = await openStorage(directory);
  const first = meter(storage);
  for (const app of ["a", "b", "c"]) {
    first.record(record(app));
    await first.flush();
  }
  await first.close();
  await storage.close();
  const second = meter(await openStorage(directory));
  expect(second.recentApps.map(({ app }) => app)).toEqual(["c", "b"]);
});

test("a tenant that uses many apps leaves room for those that others used last", async () => {
  const directory = newDirectory();
  const storage = await openStorage(directory);
  const first = meter(storage);
  const ofVictim = record("a");
  first.record({ ...ofVictim, identity: { ...ofVictim.identity, tenantId: "victim" } });
  await first.flush();
  for (const app of ["b", "c", "d"]) first.record(record(app));
  await first.close();
  await storage.close();
  const second = meter(await openStorage(directory));
  expect(second.recentApps.map(({ tenantId }) => tenantId)).toEqual(["acme", "victim"]);
});

test("a crash counts too much, by a lease at most, and never too little", async () => {
  const directory = newDirectory();
  const storage = await openStorage(directory);
  const first = meter(storage);
  await first.lease("acme", "a");
  for (let count = 0; count < 50; count += 1) first.record(record("a"));
  expect((await first.of("acme")).get("a")).toMatchObject({ invocations: 50, bytesIn: 500 });
  await storage.terminate();
  const counts = (await meter(await openStorage(directory)).of("acme")).get("a");
  expect(counts?.invocations).toBeGreaterThanOrEqual(50);
  expect(counts?.invocations).toBeLessThanOrEqual(1_050);
  expect(counts?.cpuUs).toBeGreaterThanOrEqual(50 * 100);
  expect(counts?.bytesOut).toBeGreaterThanOrEqual(50 * 20);
});

test("half of a lease used up is stored at once", async () => {
  const storage = await openStorage();
  const under = meter(storage);
  await under.lease("acme", "a");
  for (let count = 0; count < 500; count += 1) under.record(record("a"));
  // As another process on the same data would find it, with the lease.
  const found = async (): Promise<number | undefined> =>
    (await meter(storage).of("acme")).get("a")?.invocations;
  await expect.poll(found).toBe(1_500);
});

test("a lease is given back by an orderly end, and by the end of its app", async () => {
  const directory = newDirectory();
  const storage = await openStorage(directory);
  const first = meter(storage);
  for (const app of ["a", "b"]) {
    await first.lease("acme", app);
    await first.lease("acme", app);
    first.record(record(app));
  }
  await first.retire("acme", "b");
  expect((await first.of("acme")).get("b")).toEqual(ONE);
  await first.close();
  await storage.close();
  const second = meter(await openStorage(directory));
  expect([...(await second.of("acme"))]).toEqual([
    ["a", ONE],
    ["b", ONE],
  ]);
});

test("deleted apps do not leave counters without end, and nothing of what they used is lost", async () => {
  const storage = await openStorage();
  const under = meter(storage);
  for (let index = 0; index < 205; index += 1) {
    under.record(record(`app-${index}`));
    await under.retire("acme", `app-${index}`);
  }
  const apps = await under.of("acme");
  expect(apps.size).toBe(201);
  expect(apps.get("")).toMatchObject({ invocations: 5, bytesIn: 50 });
  await under.remove("acme");
  expect((await under.of("acme")).size).toBe(0);
});

test("a lease that is being stored is not taken for use", async () => {
  const under = meter(await openStorage());
  for (let index = 0; index < 20; index += 1) {
    const leased = under.lease("acme", `app-${index}`);
    expect([...(await under.of("acme"))]).toEqual([]);
    await leased;
  }
});
