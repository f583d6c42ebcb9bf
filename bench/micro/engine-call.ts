// Measures the engine alone, on one thread: calls of a guest that does one get and one put, beside
// the same component through jco's stock JSPI glue. State is a Map: what is measured is the way
// into the guest and back, and the guest itself.
//
//   node bench/micro/engine-call.ts [--json]     sizes: BENCH=full, BENCH_engine_calls, ...
//
// Each guest is measured with a store that answers at once, and with one of whose two functions
// answers with a promise, for which the guest is suspended. Both sides take turns in short rounds.

import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { createEngine } from "../../host/engine/create-engine.ts";
import type {
  CompiledComponent,
  Instance,
  InterfaceDeclaration,
  Links,
} from "../../host/engine/engine.ts";
import { setEngineFlags } from "../../host/engine/process-flags.ts";
import { buildStoreGuest, storeLinks, storeWorld } from "../../host/engine/testing/store-guest.ts";
import { testLimits } from "../../host/engine/testing/limits.ts";
import { createWasiLinks, wasiDeclarations } from "../../host/engine/wasi/index.ts";
import { contextInterface } from "../../host/world/context.ts";
import { logInterface } from "../../host/world/log.ts";
import { stateInterface } from "../../host/world/state.ts";
import { functionWorld } from "../../host/world/function-world.ts";
import { buildGuest } from "../example.ts";
import { Latencies, median } from "../latencies.ts";
import { parameter } from "../parameters.ts";
import { transpileWithJco } from "../peers/jco-guest.ts";
import type { JcoGuest } from "../peers/jco-guest.ts";
import { formatReport } from "../print-report.ts";
import type { Check, Row, SuiteReport } from "../report.ts";

setEngineFlags();
setFlagsFromString("--expose-gc");
const collectGarbage: unknown = runInNewContext("gc");

const ROUNDS = parameter("engine_rounds", { smoke: 3, full: 15 });
const CALLS = parameter("engine_calls", { smoke: 4_000, full: 20_000 });
const INSTANCES = parameter("engine_instances", { smoke: 20, full: 300 });
const SUSPENDED = parameter("engine_suspended", { smoke: 1_000, full: 1_000 });
const MAJOR_GCS = 5;
const TURNS = parameter("engine_suspended_turns", { smoke: 3, full: 30 });

type Answer = "at once" | "suspends";

/** One guest as both sides run it. A call answers with the number of calls before it, mod 256. */
interface Guest {
  readonly name: string;
  /** Which of its two host calls may answer with a promise: in the host's world that is put. */
  readonly waitsIn: "get" | "put";
  readonly compiled: CompiledComponent;
  readonly links: (answer: Answer, gate?: Gate) => Links;
  readonly call: (instance: Instance) => Promise<number>;
  readonly jco: JcoGuest;
  readonly startJco: (answer: Answer) => () => Promise<number>;
}

/** Holds back every answer of a store until it is opened. */
interface Gate {
  readonly opened: Promise<void>;
}

const engine = createEngine();
const directory = join(import.meta.dirname, "..", ".cache", `engine-${String(process.pid)}`);

async function measure(): Promise<SuiteReport> {
  await mkdir(directory, { recursive: true });
  try {
    const guests = [
      await sdkGuest(),
      await storeGuest("async", "plain QuickJS guest, async export"),
      await storeGuest("sync", "plain QuickJS guest, sync export"),
    ];
    const [typescript] = guests;
    if (typescript === undefined) throw new Error("no guest");
    const checks: Check[] = [];
    const calls = new Map<string, CallFigures>();
    for (const guest of guests) {
      for (const answer of ["at once", "suspends"] as const) {
        calls.set(
          `${guest.name}, ${guest.waitsIn} ${answer}`,
          await measureCalls(guest, answer, checks),
        );
      }
    }
    const instances = await measureInstances(typescript);
    const heap = await measureIdleInstances(typescript);
    const suspended = await measureSuspended(typescript, checks);
    const ofTypescript = calls.get(`${typescript.name}, put at once`);
    return {
      suite: "engine",
      tables: [
        {
          title: "One get and one put in each call, one call after the other, one thread",
          rows: [...calls].map(([subject, figures]) => ({ subject, values: { ...figures } })),
        },
        instances,
        heap,
        suspended.table,
      ],
      checks,
      targets: [
        {
          name: "calls/s of a TypeScript guest over jco's",
          measured: ofTypescript?.timesJco ?? NaN,
          atLeast: 4,
        },
        {
          name: "p50 of a TypeScript guest, µs",
          measured: ofTypescript?.p50Us ?? NaN,
          atMost: 20,
        },
        {
          name: `a call while ${String(SUSPENDED)} others are suspended, over a lone one`,
          measured: suspended.besideOverLone,
          atMost: 3,
        },
        {
          name: `each of ${String(SUSPENDED)} calls suspended at once, over a lone one`,
          measured: suspended.amongOverLone,
          atMost: 3,
        },
        {
          name: "a new instance and its first call over jco's",
          measured: valueOf(instances.rows, 1, "p50Ms") / valueOf(instances.rows, 2, "p50Ms"),
          atMost: 0.6,
        },
      ],
      notes: [
        "jco's glue runs with the V8 flag for growable stacks as well, and with its WASI shim",
        "latencies are of a closed loop of one",
        "of many instances, each call finds its own in no cache of the processor, whether it waits or not",
      ],
    };
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

function valueOf(rows: readonly Row[], row: number, name: string): number {
  return rows[row]?.values[name] ?? Number.NaN;
}

interface CallFigures {
  readonly callsPerSecond: number;
  readonly p50Us: number;
  readonly p99Us: number;
  readonly maxUs: number;
  readonly jcoCallsPerSecond: number;
  readonly jcoP50Us: number;
  readonly jcoP99Us: number;
  readonly timesJco: number;
}

async function measureCalls(guest: Guest, answer: Answer, checks: Check[]): Promise<CallFigures> {
  const instance = engine.instantiate(guest.compiled, guest.links(answer));
  const ours = (): Promise<number> => guest.call(instance);
  const theirs = guest.startJco(answer);
  const latencies = { ours: new Latencies(), theirs: new Latencies() };
  const perSecond: { readonly ours: number[]; readonly theirs: number[] } = {
    ours: [],
    theirs: [],
  };
  const counted = { ours: 0, theirs: 0 };
  // The first round of each side warms it up and is not kept.
  for (let round = 0; round <= ROUNDS; round += 1) {
    for (const [side, call] of [
      ["ours", ours],
      ["theirs", theirs],
    ] as const) {
      const kept = round === 0 ? new Latencies() : latencies[side];
      const startedAtMs = performance.now();
      for (let index = 0; index < CALLS; index += 1) {
        const callAtMs = performance.now();
        const before = await call();
        kept.recordMs(performance.now() - callAtMs);
        if (before === counted[side] % 256) counted[side] += 1;
      }
      const durationS = (performance.now() - startedAtMs) / 1000;
      if (round > 0) perSecond[side].push(CALLS / durationS);
    }
  }
  const expected = (ROUNDS + 1) * CALLS;
  checks.push({
    name: `both sides count every call: ${guest.name}, ${guest.waitsIn} ${answer}`,
    holds: counted.ours === expected && counted.theirs === expected,
    detail: `${String(counted.ours)} and ${String(counted.theirs)} of ${String(expected)}`,
  });
  const [our, their] = [latencies.ours.summaryMs(), latencies.theirs.summaryMs()];
  return {
    callsPerSecond: median(perSecond.ours),
    p50Us: our.p50Ms * 1000,
    p99Us: our.p99Ms * 1000,
    maxUs: our.maxMs * 1000,
    jcoCallsPerSecond: median(perSecond.theirs),
    jcoP50Us: their.p50Ms * 1000,
    jcoP99Us: their.p99Ms * 1000,
    timesJco: median(perSecond.ours) / median(perSecond.theirs),
  };
}

/** A new instance and its first call. */
async function measureInstances(
  guest: Guest,
): Promise<{ readonly title: string; readonly rows: readonly Row[] }> {
  const ours = new Latencies();
  const oursLinking = new Latencies();
  const theirs = new Latencies();
  for (let index = 0; index < INSTANCES; index += 1) {
    const startedAtMs = performance.now();
    const instance = engine.instantiate(guest.compiled, guest.links("at once"));
    oursLinking.recordMs(performance.now() - startedAtMs);
    await guest.call(instance);
    ours.recordMs(performance.now() - startedAtMs);
    instance.abandon(new Error("measured"));

    const jcoAtMs = performance.now();
    await guest.startJco("at once")();
    theirs.recordMs(performance.now() - jcoAtMs);
  }
  return {
    title: `A new instance of ${guest.name}`,
    rows: [
      { subject: "instantiate", values: oursLinking.summaryMs() },
      { subject: "instantiate and first call", values: ours.summaryMs() },
      { subject: "instantiate and first call, jco", values: theirs.summaryMs() },
    ],
  };
}

/** What an instance that was called once keeps. */
async function measureIdleInstances(
  guest: Guest,
): Promise<{ readonly title: string; readonly rows: readonly Row[] }> {
  const keep = async (start: () => Promise<unknown>): Promise<Readonly<Record<string, number>>> => {
    const kept: unknown[] = [];
    const before = memoryAtRest();
    for (let index = 0; index < INSTANCES; index += 1) kept.push(await start());
    const after = memoryAtRest();
    return {
      heapKiB: (after.heapKiB - before.heapKiB) / kept.length,
      residentKiB: (after.residentKiB - before.residentKiB) / kept.length,
      majorGcAddedMs: after.majorGcMs - before.majorGcMs,
    };
  };
  const ours = await keep(async () => {
    const instance = engine.instantiate(guest.compiled, guest.links("at once"));
    await guest.call(instance);
    return instance;
  });
  const theirs = await keep(async () => {
    const call = guest.startJco("at once");
    await call();
    return call;
  });
  return {
    title: `Memory of each idle instance of ${guest.name} that is linked, ${String(INSTANCES)} of them`,
    rows: [
      { subject: "engine", values: ours },
      { subject: "jco", values: theirs },
    ],
  };
}

/** Many guests that wait at once on one thread: all of them answer, and what a call then costs. */
async function measureSuspended(
  guest: Guest,
  checks: Check[],
): Promise<{
  readonly table: { readonly title: string; readonly rows: readonly Row[] };
  readonly besideOverLone: number;
  readonly amongOverLone: number;
}> {
  const lone = engine.instantiate(guest.compiled, guest.links("suspends"));
  const loneUs = await medianCallUs(guest, lone);

  // All wait while one goes on being called.
  const gate = Promise.withResolvers<void>();
  const waiting = Array.from({ length: SUSPENDED }, () =>
    engine.instantiate(guest.compiled, guest.links("suspends", { opened: gate.promise })),
  );
  const pending = waiting.map((instance) => guest.call(instance));
  const besideUs = await medianCallUs(guest, lone);
  gate.resolve();
  const first = await Promise.all(pending);

  // All are called, wait for one turn of the event loop, and answer: many rounds of this.
  const durationsUs: number[] = [];
  let answered = first.length;
  for (let turn = 0; turn < TURNS; turn += 1) {
    const startedAtMs = performance.now();
    const before = await Promise.all(waiting.map((instance) => guest.call(instance)));
    durationsUs.push(((performance.now() - startedAtMs) * 1000) / SUSPENDED);
    answered += before.filter((count) => count === (turn + 1) % 256).length;
  }
  const amongUs = median(durationsUs);
  const inTurnUs = await medianInTurnUs(guest);
  const expected = SUSPENDED * (TURNS + 1);
  checks.push({
    name: `${String(SUSPENDED)} concurrently suspended invocations on one thread complete`,
    holds: answered === expected && first.every((count) => count === 0),
    detail: `${String(answered)} of ${String(expected)}`,
  });
  return {
    table: {
      title: `${String(SUSPENDED)} suspended calls of ${guest.name} on one thread`,
      rows: [
        { subject: "a lone call that suspends", values: { callUs: loneUs } },
        { subject: "the same, while the others stay suspended", values: { callUs: besideUs } },
        { subject: "each of all, called and suspended at once", values: { callUs: amongUs } },
        { subject: "each of as many instances, one after the other", values: { callUs: inTurnUs } },
      ],
    },
    besideOverLone: besideUs / loneUs,
    amongOverLone: amongUs / loneUs,
  };
}

/** What a call costs whose instance is in no cache of the processor, without that anything waits. */
async function medianInTurnUs(guest: Guest): Promise<number> {
  const instances = Array.from({ length: SUSPENDED }, () =>
    engine.instantiate(guest.compiled, guest.links("at once")),
  );
  const durationsUs: number[] = [];
  for (let turn = 0; turn <= TURNS; turn += 1) {
    const startedAtMs = performance.now();
    for (const instance of instances) await guest.call(instance);
    if (turn > 0) durationsUs.push(((performance.now() - startedAtMs) * 1000) / SUSPENDED);
  }
  return median(durationsUs);
}

async function medianCallUs(guest: Guest, instance: Instance): Promise<number> {
  const durationsUs: number[] = [];
  for (let index = 0; index < CALLS; index += 1) {
    const startedAtMs = performance.now();
    await guest.call(instance);
    durationsUs.push((performance.now() - startedAtMs) * 1000);
  }
  return median(durationsUs);
}

interface MemoryAtRest {
  readonly heapKiB: number;
  readonly residentKiB: number;
  readonly majorGcMs: number;
}

/** The collections are whole and in one pause: V8's usual ones mark beside the program. */
function memoryAtRest(): MemoryAtRest {
  if (typeof collectGarbage !== "function") throw new Error("V8 gave no gc()");
  const durationsMs = Array.from({ length: MAJOR_GCS }, () => {
    const startedAtMs = performance.now();
    collectGarbage();
    return performance.now() - startedAtMs;
  });
  const { heapUsed, rss } = process.memoryUsage();
  return {
    heapKiB: heapUsed / 1024,
    residentKiB: rss / 1024,
    majorGcMs: median(durationsMs),
  };
}

/** Answers at once, in a later microtask, or when the gate opens. */
function answerWith<T>(value: T, answer: Answer, gate: Gate | undefined): T | Promise<T> {
  if (answer === "at once") return value;
  return gate === undefined ? Promise.resolve(value) : gate.opened.then(() => value);
}

/** A guest that speaks to a world of the bench alone, without the SDK. */
async function storeGuest(kind: "sync" | "async", name: string): Promise<Guest> {
  const component = await buildStoreGuest(kind);
  const jco = await transpileWithJco(component, {
    suspendingImports: ["test:guest/store#get"],
    asyncExports: ["handle"],
    directory: join(directory, kind),
  });
  const input = new Uint8Array(4);
  return {
    name,
    waitsIn: "get",
    compiled: engine.compile(component, storeWorld, testLimits).component,
    links: (answer, gate) => {
      const store = new Map<string, Uint8Array>();
      return storeLinks({
        get: (key) => answerWith(store.get(key), answer, gate),
        put: (key, value) => void store.set(key, value),
      });
    },
    call: async (instance) => secondByte(await instance.call("handle", [input])),
    jco,
    startJco: (answer) => {
      const store = new Map<string, Uint8Array>();
      const instance = jco.instantiate({
        "test:guest/store": {
          get: (key: string) => answerWith(store.get(key), answer, undefined),
          put: (key: string, value: Uint8Array) => void store.set(key, value),
        },
      });
      return async () => secondByte(await instance["handle"]?.(input));
    },
  };
}

function secondByte(answer: unknown): number {
  if (!(answer instanceof Uint8Array)) throw new Error("the guest answered no bytes");
  return answer[1] ?? 0;
}

/** A TypeScript guest on the SDK, against the host's own world. */
async function sdkGuest(): Promise<Guest> {
  const component = await buildGuest("get-put");
  const jco = await transpileWithJco(component, {
    suspendingImports: ["downpour:faas/state#put-text"],
    asyncExports: ["handle-json"],
    directory: join(directory, "sdk"),
  });
  return {
    name: "TypeScript guest on the SDK",
    waitsIn: "put",
    compiled: engine.compile(component, functionWorld(wasiDeclarations), testLimits).component,
    links: (answer, gate) => {
      const store = new Map<string, string>();
      return {
        ...createWasiLinks({ environment: {}, stdout: () => {}, stderr: () => {} }),
        "downpour:faas/log": { functions: refuseAll(logInterface) },
        "downpour:faas/context": { functions: refuseAll(contextInterface) },
        "downpour:faas/state": {
          functions: {
            ...refuseAll(stateInterface),
            "get-text": (key: string) => ({ tag: "ok", val: store.get(key) }),
            "put-text": (key: string, value: string) => {
              store.set(key, value);
              return answerWith({ tag: "ok", val: undefined }, answer, gate);
            },
          },
        },
      };
    },
    call: async (instance) => {
      const result = await instance.call("handle-json", ["add", "1"]);
      return countBefore(Reflect.get(Object(result), "val"));
    },
    jco,
    startJco: (answer) => {
      const store = new Map<string, string>();
      const instance = jco.instantiate({
        "downpour:faas/state": {
          ...refuseAllOfJco(stateInterface),
          getText: (key: string) => store.get(key),
          putText: (key: string, value: string) => {
            store.set(key, value);
            return answerWith(undefined, answer, undefined);
          },
        },
        "downpour:faas/log": refuseAllOfJco(logInterface),
        "downpour:faas/context": refuseAllOfJco(contextInterface),
      });
      return async () => countBefore(await instance["handleJson"]?.("add", "1"));
    },
  };
}

/** The function answers with the sum after its call. */
function countBefore(output: unknown): number {
  if (typeof output !== "string") throw new Error(`the guest answered ${String(output)}`);
  return (Number(output) - 1) % 256;
}

/** What this guest has no use for. */
function refuseAll(declared: InterfaceDeclaration): Record<string, () => never> {
  const refuse = (): never => {
    throw new Error(`the bench offers nothing else of ${declared.name}`);
  };
  return Object.fromEntries(Object.keys(declared.functions).map((name) => [name, refuse]));
}

/** As jco spells them. */
function refuseAllOfJco(declared: InterfaceDeclaration): Record<string, () => never> {
  return Object.fromEntries(
    Object.entries(refuseAll(declared)).map(([name, refuse]) => [camelCase(name), refuse]),
  );
}

function camelCase(name: string): string {
  return name.replaceAll(/-([a-z])/gu, (_, letter: string) => letter.toUpperCase());
}

const report = await measure();
console.log(formatReport(report));
if (process.argv.includes("--json")) console.log(JSON.stringify(report));
if (!report.checks.every(({ holds }) => holds)) process.exitCode = 1;
