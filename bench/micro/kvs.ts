// Measures the state store alone: the client in this thread, the storage thread, a real disk.
//
//   node bench/micro/kvs.ts [--json]     sizes: BENCH=full, BENCH_kvs_writes, BENCH_kvs_reads, ...
//
// Latencies are of a closed loop and are not corrected for coordinated omission. Every commit is
// one fdatasync of the data and one synchronous write of LMDB's meta page.

import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { startStorageThread } from "../../kvs/index.ts";
import type { Durability, Mutation, StateClient, StorageThread } from "../../kvs/index.ts";
import { Latencies } from "../latencies.ts";
import { parameter } from "../parameters.ts";
import { formatReport } from "../print-report.ts";
import type { Check, Row, SuiteReport } from "../report.ts";

const IN_FLIGHT = parameter("kvs_in_flight", { smoke: 64, full: 64 });
const WRITES = parameter("kvs_writes", { smoke: 6_400, full: 400_000 });
const SINGLE_WRITES = parameter("kvs_single_writes", { smoke: 100, full: 5_000 });
const READS = parameter("kvs_reads", { smoke: 50_000, full: 2_000_000 });
const READ_KEYS = 1_000;

interface WriteLoad {
  readonly subject: string;
  readonly keys: number;
  readonly inFlight: number;
  readonly writes: number;
  readonly durability: Durability;
  readonly mutation: Mutation;
}

const add: Mutation = { kind: "add", delta: 1n };
const put: Mutation = { kind: "put", value: new Uint8Array(100).fill(7) };
const grouped = { inFlight: IN_FLIGHT, writes: WRITES, durability: "durable" } as const;
const single = { keys: 1, inFlight: 1, writes: SINGLE_WRITES, durability: "durable" } as const;

const LOADS: readonly WriteLoad[] = [
  { ...grouped, subject: "add, one key", keys: 1, mutation: add },
  { ...grouped, subject: "add, 1,000 keys", keys: 1_000, mutation: add },
  { ...grouped, subject: "put of 100 bytes, 1,000 keys", keys: 1_000, mutation: put },
  {
    ...grouped,
    subject: "put of 100 bytes, 1,000 keys, level async",
    keys: 1_000,
    mutation: put,
    durability: "async",
  },
  { ...single, subject: "add, one at a time", mutation: add },
  { ...single, subject: "put of 100 bytes, one at a time", mutation: put },
];

async function measure(): Promise<SuiteReport> {
  const directory = await mkdtemp(join(import.meta.dirname, "..", ".kvs-"));
  try {
    const thread = await startStorageThread({ directory });
    const client = thread.client();
    const checks: Check[] = [];
    const writes: Row[] = [];
    for (const load of LOADS) writes.push(await measureWrites(thread, client, load, checks));
    const reads = await measureReads(client, checks);
    await client.close();
    await thread.close();
    return {
      suite: "kvs",
      tables: [
        { title: "Writes, from another thread than the storage thread's", rows: writes },
        { title: "Reads, in the calling thread", rows: reads },
      ],
      checks,
      targets: [
        {
          name: `durable adds/s, ${IN_FLIGHT} in flight on one key`,
          measured: writes[0]?.values["writesPerSecond"] ?? Number.NaN,
          atLeast: 30_000,
        },
        {
          name: "reading a register of 100 bytes, ns",
          measured: reads[0]?.values["readNs"] ?? Number.NaN,
          atMost: 2_000,
        },
      ],
      notes: ["The data fit in memory. A closed loop: latencies include no waiting to be sent."],
    };
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

async function measureWrites(
  thread: StorageThread,
  client: StateClient,
  load: WriteLoad,
  checks: Check[],
): Promise<Row> {
  const keyOf = (index: number): string => `bench/${load.subject}/${index % load.keys}`;
  const latencies = new Latencies();
  let begun = 0;
  const work = async (): Promise<void> => {
    while (begun < load.writes) {
      const key = keyOf(begun);
      begun += 1;
      const startMs = performance.now();
      // One after the other in each worker: `inFlight` of them run at once.
      await client.write(key, load.mutation, load.durability);
      latencies.recordMs(performance.now() - startMs);
    }
  };
  const before = thread.stats();
  const startMs = performance.now();
  await Promise.all(Array.from({ length: load.inFlight }, work));
  const durationMs = performance.now() - startMs;
  const after = thread.stats();
  checks.push(checkWrites(client, load, keyOf));
  return {
    subject: load.subject,
    values: {
      writesPerSecond: (load.writes / durationMs) * 1000,
      commitsPerWrite: (after.commits - before.commits) / load.writes,
      ...latencies.summaryMs(),
    },
  };
}

/** Adds must sum up to what was added; puts must be there. */
function checkWrites(
  client: StateClient,
  load: WriteLoad,
  keyOf: (index: number) => string,
): Check {
  let sum = 0;
  for (let index = 0; index < load.keys; index += 1) {
    const value = client.read(keyOf(index));
    if (value?.kind === "counter") sum += Number(value.value);
    if (value?.kind === "register") sum += value.value.byteLength === 100 ? 1 : 0;
  }
  const expected = load.mutation.kind === "add" ? load.writes : Math.min(load.keys, load.writes);
  return {
    name: `nothing is lost: ${load.subject}`,
    holds: sum === expected,
    detail: `${sum} of ${expected}`,
  };
}

async function measureReads(client: StateClient, checks: Check[]): Promise<Row[]> {
  const keys = Array.from({ length: READ_KEYS }, (_, index) => `bench/read/${index}`);
  const counters = keys.map((key) => `${key}/counter`);
  await Promise.all([
    ...keys.map(async (key) => client.write(key, put, "durable")),
    ...counters.map(async (key) => client.write(key, add, "durable")),
  ]);
  return [
    readRow(client, "register of 100 bytes", keys, checks),
    readRow(client, "counter", counters, checks),
    readRow(
      client,
      "key that is not there",
      keys.map((key) => `${key}/absent`),
      checks,
    ),
  ];
}

function readRow(
  client: StateClient,
  subject: string,
  keys: readonly string[],
  checks: Check[],
): Row {
  const run = (reads: number): number => {
    let found = 0;
    for (let index = 0; index < reads; index += 1) {
      if (client.read(keys[index % keys.length] ?? "") !== undefined) found += 1;
    }
    return found;
  };
  run(READS / 10);
  const startMs = performance.now();
  const found = run(READS);
  const durationMs = performance.now() - startMs;
  const expected = subject.startsWith("key") ? 0 : READS;
  const detail = `${found} of ${expected}`;
  checks.push({ name: `every read answers: ${subject}`, holds: found === expected, detail });
  return { subject, values: { readNs: (durationMs * 1e6) / READS } };
}

const report = await measure();
console.log(formatReport(report));
if (process.argv.includes("--json")) console.log(JSON.stringify(report));
if (!report.checks.every(({ holds }) => holds)) process.exitCode = 1;
