// Measures what it costs that a guest pays for what it does: the same code before and after it is rewritten,
// in turn in one process.
//
//   node bench/micro/engine-metering.ts [--json]     sizes: BENCH=full, BENCH_metering_rounds
//
// One is JavaScript on QuickJS, an interpreter that is itself interpreted by its rewritten code; the others are
// numeric loops as a compiler makes them. Whoever runs it looks at the clock each time that fuel is
// spent, as an executor does, and puts nothing aside.

import { createEngine } from "../../host/engine/create-engine.ts";
import { decodeComponent } from "../../host/engine/component/decode.ts";
import { FUEL_GRANT } from "../../host/engine/core/meter.ts";
import { rewriteModule } from "../../host/engine/core/rewrite-module.ts";
import { instantiateRewritten } from "../../host/engine/core/testing/run-rewritten.ts";
import type { Bounds, CompiledComponent } from "../../host/engine/engine.ts";
import { exposeState } from "../../host/engine/link/expose-state.ts";
import { hashModule } from "../../host/engine/link/module-cache.ts";
import { setEngineFlags } from "../../host/engine/process-flags.ts";
import { assemble } from "../../host/engine/testing/assemble.ts";
import { testLimits } from "../../host/engine/testing/limits.ts";
import { buildStoreGuest, storeLinks, storeWorld } from "../../host/engine/testing/store-guest.ts";
import { median } from "../latencies.ts";
import { parameter } from "../parameters.ts";
import { formatReport } from "../print-report.ts";
import type { Check, Row, SuiteReport } from "../report.ts";

setEngineFlags();

const ROUNDS = parameter("metering_rounds", { smoke: 15, full: 200 });
/** V8 compiles what is hot in the background: measured is only what it then runs. */
const WARM_UP_MS = parameter("metering_warm_up_ms", { smoke: 800, full: 4_000 });

const SCRIPTS: Readonly<Record<string, string>> = {
  "QuickJS: arithmetic in a loop":
    "let s = 0; for (let i = 0; i < 40000; i++) s = (s + i * 7) % 1000003; return s;",
  "QuickJS: calls": "const fib = (n) => n < 2 ? n : fib(n - 1) + fib(n - 2); return fib(16) % 256;",
  "QuickJS: objects and sorting":
    "const a = []; for (let i = 0; i < 2000; i++) a.push({ k: i % 7, v: 'x' + i }); a.sort((p, q) => p.k - q.k || (p.v < q.v ? -1 : 1)); return a[5].k;",
  "QuickJS: JSON":
    "const o = []; for (let i = 0; i < 200; i++) o.push({ id: i, name: 'n' + i, tags: ['a', 'b'] }); return JSON.stringify(JSON.parse(JSON.stringify(o))).length % 256;",
};

/** Each takes how often, and gives a number. */
const LOOPS = `(module (memory (export "memory") 4)
  (func (export "a recurrence of integers") (param $n i32) (result i32) (local $x i32)
    (loop $l
      (local.set $x (i32.add (i32.mul (local.get $x) (i32.const 1664525)) (i32.const 1013904223)))
      (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (local.get $x))
  (func (export "a sum of products") (param $n i32) (result i32) (local $i i32) (local $s f64)
    (loop $outer
      (local.set $i (i32.const 0))
      (loop $l
        (local.set $s (f64.add (local.get $s) (f64.mul (f64.load (local.get $i))
          (f64.load offset=65536 (local.get $i)))))
        (br_if $l (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 8))) (i32.const 32768))))
      (br_if $outer (i32.gt_s (local.tee $n (i32.sub (local.get $n) (i32.const 4096))) (i32.const 0))))
    (i32.trunc_sat_f64_s (local.get $s)))
  (func (export "a product of matrices") (param $n i32) (result i32)
    (local $i i32) (local $j i32) (local $k i32) (local $s f64)
    (loop $again
      (local.set $i (i32.const 0))
      (loop $rows
        (local.set $j (i32.const 0))
        (loop $columns
          (local.set $k (i32.const 0)) (local.set $s (f64.const 0))
          (loop $sum
            (local.set $s (f64.add (local.get $s) (f64.mul
              (f64.load (i32.shl (i32.add (i32.shl (local.get $i) (i32.const 6)) (local.get $k)) (i32.const 3)))
              (f64.load offset=65536
                (i32.shl (i32.add (i32.shl (local.get $k) (i32.const 6)) (local.get $j)) (i32.const 3))))))
            (br_if $sum (i32.lt_u (local.tee $k (i32.add (local.get $k) (i32.const 1))) (i32.const 64))))
          (f64.store offset=131072
            (i32.shl (i32.add (i32.shl (local.get $i) (i32.const 6)) (local.get $j)) (i32.const 3)) (local.get $s))
          (br_if $columns (i32.lt_u (local.tee $j (i32.add (local.get $j) (i32.const 1))) (i32.const 64))))
        (br_if $rows (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 64))))
      (br_if $again (i32.gt_s (local.tee $n (i32.sub (local.get $n) (i32.const 262144))) (i32.const 0))))
    (i32.const 1)))`;

const LOOP_STEPS = 1_000_000;

interface Subject {
  readonly name: string;
  readonly before: () => unknown;
  readonly after: () => unknown;
}

const engine = createEngine();

function clockBounds(): Bounds {
  const startMs = performance.now();
  return {
    memoryBytesMax: Infinity,
    onFuelSpent: () => {
      if (performance.now() < startMs) throw new Error("time went back");
      return undefined;
    },
  };
}

async function scriptSubject(name: string, body: string): Promise<Subject> {
  const guest = await buildStoreGuest(
    "async",
    `return new Uint8Array([(() => { ${body} })() % 256]);`,
  );
  const { component } = engine.compile(guest, storeWorld, testLimits);
  const input = new Uint8Array(1);
  const before = engine.instantiate(unmetered(guest, component), storeLinks());
  const after = engine.instantiate(component, storeLinks(), clockBounds());
  return {
    name,
    before: async () => String(await before.call("handle", [input])),
    after: async () => String(await after.call("handle", [input])),
  };
}

/** The same plan with the modules as they were before. */
function unmetered(guest: Uint8Array, component: CompiledComponent): CompiledComponent {
  const originals = new Map(
    decodeComponent(guest, testLimits).modules.map((uploaded) => {
      const { bytes } = exposeState(uploaded);
      return [hashModule(rewriteModule(bytes, testLimits).bytes), bytes];
    }),
  );
  const modules = component.modules.map(({ sha256 }) => {
    const original = originals.get(sha256);
    if (original === undefined) throw new Error(`no module becomes ${sha256}`);
    return { sha256, code: new WebAssembly.Module(original) };
  });
  return { ...component, modules };
}

async function loopSubjects(): Promise<readonly Subject[]> {
  const bytes = await assemble(LOOPS);
  const before = new WebAssembly.Instance(new WebAssembly.Module(bytes)).exports;
  const after = instantiateRewritten(bytes, { grant: FUEL_GRANT }).exports;
  return Object.entries(before).flatMap(([name, original]) => {
    const rewritten = after[name];
    if (typeof original !== "function" || typeof rewritten !== "function") return [];
    const steps = [LOOP_STEPS];
    return [
      {
        name,
        before: () => Reflect.apply(original, undefined, steps),
        after: () => Reflect.apply(rewritten, undefined, steps),
      },
    ];
  });
}

async function compare({ name, before, after }: Subject, checks: Check[]): Promise<Row> {
  const warmUntilMs = performance.now() + WARM_UP_MS;
  do {
    await before();
    await after();
  } while (performance.now() < warmUntilMs);
  const durations = { beforeMs: [] as number[], afterMs: [] as number[], times: [] as number[] };
  let isSame = true;
  for (let round = 0; round < ROUNDS; round += 1) {
    const startMs = performance.now();
    const first = await before();
    const middleMs = performance.now();
    const second = await after();
    const endMs = performance.now();
    isSame &&= first === second;
    durations.beforeMs.push(middleMs - startMs);
    durations.afterMs.push(endMs - middleMs);
    // Of two that ran one after the other: others on the machine slow both down.
    durations.times.push((endMs - middleMs) / (middleMs - startMs));
  }
  checks.push({
    name: `gives the same: ${name}`,
    holds: isSame,
    detail: `${String(ROUNDS)} times`,
  });
  const { beforeMs, afterMs, times } = durations;
  return {
    subject: name,
    values: { beforeMs: median(beforeMs), afterMs: median(afterMs), times: median(times) },
  };
}

function medianTimes(rows: readonly Row[]): number {
  return median(rows.map(({ values }) => values["times"] ?? Number.NaN));
}

async function measure(): Promise<SuiteReport> {
  const checks: Check[] = [];
  const scripts: Row[] = [];
  for (const [name, body] of Object.entries(SCRIPTS)) {
    scripts.push(await compare(await scriptSubject(name, body), checks));
  }
  const loops: Row[] = [];
  for (const subject of await loopSubjects()) loops.push(await compare(subject, checks));
  return {
    suite: "engine",
    tables: [
      { title: "The same code before and after it is metered", rows: [...scripts, ...loops] },
    ],
    checks,
    targets: [
      {
        name: "QuickJS' loop, metered",
        measured: scripts[0]?.values["times"] ?? NaN,
        atMost: 1.15,
      },
      {
        name: "compiled numeric loops, metered (median)",
        measured: medianTimes(loops),
        atMost: 1.1,
      },
    ],
    notes: ["metering is measured in code that V8 has compiled twice, the second time for speed"],
  };
}

const report = await measure();
console.log(formatReport(report));
if (process.argv.includes("--json")) console.log(JSON.stringify(report));
if (!report.checks.every(({ holds }) => holds)) process.exitCode = 1;
