// Measures the engine alone, on one thread: calls of a TypeScript guest (QuickJS) that does one get
// and one put, new instances, and what idle and waiting ones cost; beside the same component through
// jco's stock JSPI glue.
//
//   node bench/micro/engine-call.ts [--json]     sizes: BENCH=full, BENCH_engine_calls, ...
//
// The store is a Map in the same thread: nothing of the host's own path to its state is in here.

import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { createEngine } from "../../host/engine/create-engine.ts";
import type { CompiledComponent, Instance } from "../../host/engine/engine.ts";
import { setEngineFlags } from "../../host/engine/process-flags.ts";
import { testLimits } from "../../host/engine/testing/limits.ts";
import { buildStoreGuest, storeLinks, storeWorld } from "../../host/engine/testing/store-guest.ts";
import { Latencies, median } from "../latencies.ts";
import { parameter } from "../parameters.ts";
import { transpileGuest } from "../peers/jco-glue.ts";
import type { JcoComponent, JcoStore } from "../peers/jco-glue.ts";
import { formatReport } from "../print-report.ts";
import type { Check, Row, SuiteReport } from "../report.ts";

const CALLS = parameter("engine_calls", { smoke: 500, full: 50_000 });
const NEW_INSTANCES = parameter("engine_new_instances", { smoke: 20, full: 200 });
const IDLE_INSTANCES = parameter("engine_idle_instances", { smoke: 20, full: 1000 });
const WAITING_INSTANCES = parameter("engine_waiting_instances", { smoke: 50, full: 1000 });
const MAJOR_GCS = 5;

type Kind = "sync" | "async";
type Handle = (input: Uint8Array) => Promise<unknown>;

setEngineFlags();
setFlagsFromString("--expose-gc");
const collectGarbage: unknown = runInNewContext("gc");
const input = new Uint8Array(4);
const engine = createEngine();
const checks: Check[] = [];

/** A store whose reads answer at once, or as a promise: then the guest is suspended. */
function createStore(suspends: boolean): JcoStore {
  const values = new Map<string, Uint8Array>();
  return {
    get: (key) => (suspends ? Promise.resolve(values.get(key)) : values.get(key)),
    put: (key, value) => void values.set(key, value),
  };
}

function newInstance(component: CompiledComponent, store: JcoStore): Instance {
  return engine.instantiate(component, storeLinks(store));
}

async function measure(): Promise<SuiteReport> {
  const guests = { sync: await buildStoreGuest("sync"), async: await buildStoreGuest("async") };
  const components = {
    sync: engine.compile(guests.sync, storeWorld, testLimits).component,
    async: engine.compile(guests.async, storeWorld, testLimits).component,
  };
  await using syncPeer = await transpileGuest(guests.sync);
  await using asyncPeer = await transpileGuest(guests.async);
  const peers = { sync: syncPeer, async: asyncPeer };

  const calls: Row[] = [];
  for (const kind of ["async", "sync"] as const) {
    for (const suspends of [false, true]) {
      calls.push(...(await measureCalls(kind, suspends, components[kind], peers[kind])));
    }
  }
  const instances = [
    await measureInstances("the engine", () => handleOf(components.async)),
    await measureInstances("jco's glue", () => handleOfPeer(asyncPeer)),
  ];
  const waiting = await measureWaiting(components.async);
  return {
    suite: "engine",
    tables: [
      { title: "Calls with one get and one put, one after the other", rows: calls },
      { title: "Instances of a guest with an async export", rows: instances },
      { title: `A call among ${WAITING_INSTANCES} suspended ones`, rows: waiting },
    ],
    checks,
    targets: [
      {
        name: "calls/s of the engine ÷ jco's glue, async export, get suspends",
        measured: valueOf(calls, 2, "callsPerSecond") / valueOf(calls, 3, "callsPerSecond"),
        atLeast: 4,
      },
      {
        name: "p50 of a call, async export, get suspends, µs",
        measured: valueOf(calls, 2, "p50Us"),
        atMost: 20,
      },
      {
        name: "p50 of a call, sync export, get answers at once, µs",
        measured: valueOf(calls, 4, "p50Us"),
        atMost: 10,
      },
      {
        name: "a call among suspended ones ÷ a lone one",
        measured: valueOf(waiting, 1, "p50Us") / valueOf(waiting, 0, "p50Us"),
        atMost: 3,
      },
      {
        name: "new instance and first call ÷ jco's glue",
        measured:
          valueOf(instances, 0, "newAndFirstCallMs") / valueOf(instances, 1, "newAndFirstCallMs"),
        atMost: 0.6,
      },
      {
        name: "JavaScript heap of an idle instance, kB",
        measured: valueOf(instances, 0, "heapKb"),
        atMost: 20,
      },
    ],
    notes: [
      "One thread, guest and store in it; the same component and the same store on both sides.",
      "Most of an idle instance's heap is V8's own: a wrapper for each exported core function, and tables.",
    ],
  };
}

function valueOf(rows: readonly Row[], row: number, name: string): number {
  return rows[row]?.values[name] ?? Number.NaN;
}

async function handleOf(component: CompiledComponent): Promise<Handle> {
  const instance = newInstance(component, createStore(false));
  return (bytes) => instance.call("handle", [bytes]);
}

async function handleOfPeer(peer: JcoComponent): Promise<Handle> {
  const guest = await peer.instantiate(createStore(false));
  return async (bytes) => await guest.handle(bytes);
}

/** In turn, in slices, so that what else the machine does meets both. */
async function measureCalls(
  kind: Kind,
  suspends: boolean,
  component: CompiledComponent,
  peer: JcoComponent,
): Promise<Row[]> {
  const instance = newInstance(component, createStore(suspends));
  const guest = await peer.instantiate(createStore(suspends));
  const subjects = [
    { name: "the engine", handle: (bytes: Uint8Array) => instance.call("handle", [bytes]) },
    { name: "jco's glue", handle: async (bytes: Uint8Array) => await guest.handle(bytes) },
  ].map((subject) => ({ ...subject, latencies: new Latencies(), totalMs: 0, callCount: 0 }));
  const sliceCalls = Math.ceil(CALLS / 10);
  for (const { handle } of subjects) for (let i = 0; i < CALLS / 5; i += 1) await handle(input);
  for (let slice = 0; slice < 10; slice += 1) {
    for (const subject of subjects) {
      const startMs = performance.now();
      let beforeMs = startMs;
      for (let i = 0; i < sliceCalls; i += 1) {
        await subject.handle(input);
        const nowMs = performance.now();
        subject.latencies.recordMs(nowMs - beforeMs);
        beforeMs = nowMs;
      }
      subject.totalMs += beforeMs - startMs;
      subject.callCount += sliceCalls;
    }
  }
  const answers = await Promise.all(subjects.map(({ handle }) => handle(input)));
  const shown = answers.map((answer) => Array.from(Object(answer)).join(","));
  checks.push({
    name: `both answer the same, ${kind} export, get ${suspends ? "suspends" : "answers at once"}`,
    holds: shown[0] === shown[1] && shown[0]?.startsWith("7,") === true,
    detail: shown.join(" and "),
  });
  return subjects.map(({ name, latencies, totalMs, callCount }) => {
    const { p50Ms, p99Ms } = latencies.summaryMs();
    return {
      subject: `${name}, ${kind} export, get ${suspends ? "suspends" : "answers at once"}`,
      values: {
        callsPerSecond: (callCount / totalMs) * 1000,
        p50Us: p50Ms * 1000,
        p99Us: p99Ms * 1000,
      },
    };
  });
}

async function measureInstances(subject: string, create: () => Promise<Handle>): Promise<Row> {
  const durationsMs: number[] = [];
  for (let i = 0; i < NEW_INSTANCES; i += 1) {
    const startMs = performance.now();
    const handle = await create();
    await handle(input);
    durationsMs.push(performance.now() - startMs);
  }
  const gcBeforeMs = majorGcMs();
  const before = process.memoryUsage();
  const idle: Handle[] = [];
  for (let i = 0; i < IDLE_INSTANCES; i += 1) idle.push(await create());
  const gcAfterMs = majorGcMs();
  const after = process.memoryUsage();
  checks.push({
    name: `an instance that was idle answers: ${subject}`,
    holds: (await idle.at(-1)?.(input)) instanceof Uint8Array,
    detail: `${idle.length} instances`,
  });
  return {
    subject,
    values: {
      newAndFirstCallMs: median(durationsMs),
      heapKb: (after.heapUsed - before.heapUsed) / IDLE_INSTANCES / 1024,
      rssKb: (after.rss - before.rss) / IDLE_INSTANCES / 1024,
      majorGcAddedMs: gcAfterMs - gcBeforeMs,
    },
  };
}

/** A full collection in one pause: V8's usual ones mark beside the program, and pause for less. */
function majorGcMs(): number {
  if (typeof collectGarbage !== "function") throw new Error("V8 gave no gc()");
  const durationsMs = Array.from({ length: MAJOR_GCS }, () => {
    const startMs = performance.now();
    collectGarbage();
    return performance.now() - startMs;
  });
  return median(durationsMs);
}

async function measureWaiting(component: CompiledComponent): Promise<Row[]> {
  const lone = newInstance(component, createStore(false));
  const measureLone = async (subject: string): Promise<Row> => {
    const latencies = new Latencies();
    for (let i = 0; i < CALLS / 5; i += 1) {
      const startMs = performance.now();
      await lone.call("handle", [input]);
      latencies.recordMs(performance.now() - startMs);
    }
    const { p50Ms, p99Ms } = latencies.summaryMs();
    return { subject, values: { p50Us: p50Ms * 1000, p99Us: p99Ms * 1000 } };
  };
  await measureLone("warm-up");
  const alone = await measureLone("a lone call");
  const gate = Promise.withResolvers<void>();
  const waiting = Array.from({ length: WAITING_INSTANCES }, (_, i) => {
    const store: JcoStore = {
      get: async () => {
        await gate.promise;
        return Uint8Array.of(i & 255);
      },
      put: () => {},
    };
    return newInstance(component, store).call("handle", [input]);
  });
  const among = await measureLone("a call beside them");
  gate.resolve();
  const answers = await Promise.all(waiting);
  checks.push({
    name: "every suspended call completes with its own answer",
    holds: answers.every((answer, i) => answer instanceof Uint8Array && answer[1] === (i & 255)),
    detail: `${answers.length} calls`,
  });
  return [alone, among];
}

const report = await measure();
console.log(formatReport(report));
if (process.argv.includes("--json")) console.log(JSON.stringify(report));
// The shim's worker thread, which the peer's imports start, would keep the process alive.
process.exit(report.checks.every(({ holds }) => holds) ? 0 : 1);
