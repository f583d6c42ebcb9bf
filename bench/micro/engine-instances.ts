// Measures instances that nobody calls: what they take of V8's heap, what they add to a major
// collection, what bringing a frozen one back costs, and how many of one app one process has room for.
//
//   node bench/micro/engine-instances.ts [--json]     sizes: BENCH=full, BENCH_engine_idle, ...
//
// The guest is JavaScript on QuickJS that does one get and one put in each call, to a Map. Each instance
// has been called once. They lie as an executor leaves them: some linked, all others frozen.

import { readFileSync } from "node:fs";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { createEngine } from "../../host/engine/create-engine.ts";
import type { CompiledComponent, Instance } from "../../host/engine/engine.ts";
import { setEngineFlags } from "../../host/engine/process-flags.ts";
import { testLimits } from "../../host/engine/testing/limits.ts";
import { buildStoreGuest, storeLinks, storeWorld } from "../../host/engine/testing/store-guest.ts";
import { Latencies, median } from "../latencies.ts";
import { parameter } from "../parameters.ts";
import { formatReport } from "../print-report.ts";
import type { Check, Row, SuiteReport } from "../report.ts";

setEngineFlags();
setFlagsFromString("--expose-gc");
const collectGarbage: unknown = runInNewContext("gc");

/** That many idle instances an executor leaves linked. */
const LINKED = 32;
const IDLE = parameter("engine_idle", { smoke: 100, full: 1_000 });
const MANY = parameter("engine_many", { smoke: 200, full: 5_000 });
const MAJOR_GCS = 9;

const engine = createEngine();

async function measure(): Promise<SuiteReport> {
  const guest = await buildStoreGuest("async");
  const { component } = engine.compile(guest, storeWorld, testLimits);
  // What the first instances compile and cache is not theirs.
  await makeIdle(component, 10, 5);
  const checks: Check[] = [];
  const many = await measureMany(component, checks);
  const linked = await measureIdle(component, IDLE);
  const idle = await measureIdle(component, LINKED);
  const frozen = await measureIdle(component, 0);
  return {
    suite: "engine",
    tables: [
      {
        title: `Memory of each idle QuickJS instance, ${String(IDLE)} of them`,
        rows: [
          { subject: "all linked", values: linked },
          { subject: `${String(LINKED)} linked, the others frozen`, values: idle },
          { subject: "all frozen", values: frozen },
        ],
      },
      { title: `${String(MANY)} instances of one app in one process`, rows: many },
    ],
    checks,
    targets: [
      {
        name: "JavaScript heap of an idle instance that is frozen, KiB",
        measured: frozen.heapKiB,
        atMost: 20,
      },
      {
        name: `${String(IDLE)} idle instances add to a major garbage collection, ms of all its threads`,
        measured: idle.majorGcCpuAddedMs,
        atMost: 15,
      },
    ],
    notes: [
      `an executor leaves ${String(LINKED)} idle instances linked, and freezes those that are idle longer`,
      "major collections are whole and in one pause; V8's usual ones mark beside the program. Their processor time counts: the pause is shorter on a machine with idle cores, and longer on a busy one",
    ],
  };
}

/** The first ones are linked, the others frozen. */
async function makeIdle(
  component: CompiledComponent,
  count: number,
  linked: number,
): Promise<Instance[]> {
  const instances: Instance[] = [];
  for (let index = 0; index < count; index += 1) {
    const instance = engine.instantiate(component, storeLinks());
    await call(instance);
    if (index >= linked) freeze(instance);
    instances.push(instance);
  }
  return instances;
}

function freeze(instance: Instance): void {
  if (!instance.freeze()) throw new Error("the instance cannot be frozen");
}

/** Answers with the number of calls before it, mod 256. */
async function call(instance: Instance): Promise<number> {
  const answer = await instance.call("handle", [new Uint8Array(4)]);
  if (!(answer instanceof Uint8Array)) throw new Error("the guest answered no bytes");
  return answer[1] ?? 0;
}

interface IdleFigures extends Readonly<Record<string, number>> {
  readonly heapKiB: number;
  readonly keptKiB: number;
  readonly majorGcAddedMs: number;
  readonly majorGcCpuAddedMs: number;
}

async function measureIdle(component: CompiledComponent, linked: number): Promise<IdleFigures> {
  const before = memoryAtRest();
  const kept = await makeIdle(component, IDLE, linked);
  const after = memoryAtRest();
  const keptBytes = kept.reduce((sum, { memoryBytes }) => sum + memoryBytes, 0);
  for (const instance of kept) instance.abandon(new Error("measured"));
  return {
    heapKiB: (after.heapKiB - before.heapKiB) / IDLE,
    /** Outside of the heap: linear memory, as far as it was made, and the pages of frozen ones. */
    keptKiB: keptBytes / IDLE / 1024,
    majorGcAddedMs: after.majorGcMs - before.majorGcMs,
    majorGcCpuAddedMs: after.majorGcCpuMs - before.majorGcCpuMs,
  };
}

/** Many are made, and then each is called again, and goes on where it was. */
async function measureMany(component: CompiledComponent, checks: Check[]): Promise<Row[]> {
  const made = new Latencies();
  const froze = new Latencies();
  const again = new Latencies();
  const hot = new Latencies();
  const instances: Instance[] = [];
  for (let index = 0; index < MANY; index += 1) {
    const startedAtMs = performance.now();
    const instance = engine.instantiate(component, storeLinks());
    await call(instance);
    made.recordMs(performance.now() - startedAtMs);
    if (index >= LINKED) freeze(instance);
    instances.push(instance);
  }
  const { heapKiB, residentKiB } = memoryAtRest();
  const addressSpaceTb = virtualMemoryTb();
  let answered = 0;
  for (const instance of instances.slice(LINKED)) {
    const startedAtMs = performance.now();
    if ((await call(instance)) === 1) answered += 1;
    again.recordMs(performance.now() - startedAtMs);
    const hotAtMs = performance.now();
    if ((await call(instance)) === 2) answered += 1;
    hot.recordMs(performance.now() - hotAtMs);
    const freezeAtMs = performance.now();
    freeze(instance);
    froze.recordMs(performance.now() - freezeAtMs);
  }
  const expected = 2 * (MANY - LINKED);
  checks.push({
    name: `each of ${String(MANY)} instances of one app in one process goes on where it was`,
    holds: answered === expected,
    detail: `${String(answered)} of ${String(expected)} calls`,
  });
  for (const instance of instances) instance.abandon(new Error("measured"));
  return [
    { subject: "a new instance and its first call", values: made.summaryMs() },
    { subject: "a frozen instance and its next call", values: again.summaryMs() },
    { subject: "the call after that", values: hot.summaryMs() },
    { subject: "freezing it", values: froze.summaryMs() },
    {
      subject: "all of them",
      values: { heapMiB: heapKiB / 1024, residentMiB: residentKiB / 1024, addressSpaceTb },
    },
  ];
}

interface MemoryAtRest {
  readonly heapKiB: number;
  readonly residentKiB: number;
  readonly majorGcMs: number;
  /** Of all threads that collect. */
  readonly majorGcCpuMs: number;
}

function memoryAtRest(): MemoryAtRest {
  if (typeof collectGarbage !== "function") throw new Error("V8 gave no gc()");
  // Once in vain: what was let go of before is not measured.
  collectGarbage();
  const durationsMs: number[] = [];
  const cpuMs: number[] = [];
  for (let index = 0; index < MAJOR_GCS; index += 1) {
    const startedAtMs = performance.now();
    const cpuBefore = process.cpuUsage();
    collectGarbage();
    const { user, system } = process.cpuUsage(cpuBefore);
    durationsMs.push(performance.now() - startedAtMs);
    cpuMs.push((user + system) / 1000);
  }
  const { heapUsed, rss } = process.memoryUsage();
  return {
    heapKiB: heapUsed / 1024,
    residentKiB: rss / 1024,
    majorGcMs: median(durationsMs),
    majorGcCpuMs: median(cpuMs),
  };
}

/** Not a number where the system does not say. */
function virtualMemoryTb(): number {
  if (process.platform !== "linux") return Number.NaN;
  const [, kib] = /^VmSize:\s+(\d+) kB$/m.exec(readFileSync("/proc/self/status", "utf8")) ?? [];
  return Number(kib) / 1024 ** 3;
}

const report = await measure();
console.log(formatReport(report));
if (process.argv.includes("--json")) console.log(JSON.stringify(report));
if (!report.checks.every(({ holds }) => holds)) process.exitCode = 1;
