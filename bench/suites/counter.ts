// A durable counter: each answer comes after the write is on the disk. Then the same under
// `kill -9`: what was acknowledged must be there when the host is started again.

import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { buildGuest } from "../example.ts";
import { startAcknowledgedLoad } from "../load/acknowledged-load.ts";
import { canCountFsyncs, countFsyncs, countingFsyncs } from "../load/fsyncs.ts";
import { measureThroughput } from "../load/throughput.ts";
import type { Throughput } from "../load/throughput.ts";
import { runWrk, WRK } from "../load/wrk.ts";
import { parameter } from "../parameters.ts";
import { DownpourHost } from "../peers/downpour.ts";
import { call } from "../peers/subject.ts";
import type { Subject } from "../peers/subject.ts";
import { startWorkerdCounter } from "../peers/workerd.ts";
import type { Check, Row, Suite, SuiteContext, SuiteReport, Table, Target } from "../report.ts";

const APP = "counter";
const FUNCTION = "visit";
const KILLED_PAGES = 8;

export const counterSuite: Suite = {
  name: "counter",
  summary: "durable counter over HTTP beside a workerd Durable Object, and kill -9 under load",
  needs: [WRK],
  run: runCounterSuite,
};

async function runCounterSuite(context: SuiteContext): Promise<SuiteReport> {
  const component = await buildGuest("counter");
  const connections = parameter("counter_connections", { smoke: 64, full: 64 });
  const tables: Table[] = [];
  const checks: Check[] = [];
  const targets: Target[] = [];
  const notes: string[] = [];

  const fsyncsPerOperation = await measureFsyncs(context, component, connections);
  if (!canCountFsyncs()) {
    notes.push("fsyncs were not counted: strace is not installed (`apt-get install strace`)");
  }

  await using host = await DownpourHost.start({
    dataDirectory: await makeDirectory(context, "downpour"),
  });
  await host.deploy(APP, component);
  const downpour = await host.subject(APP, FUNCTION);
  await using workerd = await startWorkerdCounter(await makeDirectory(context, "workerd"));
  for (const keys of [1, parameter("counter_keys", { smoke: 1000, full: 1000 })]) {
    // Keys of their own for each case: what is there before and after says what was added.
    const page = `page-of-${String(keys)}-`;
    const measured = await measureThroughput(
      [downpour, workerd],
      {
        connections,
        body: page,
        keys,
        warmupS: parameter("counter_warmup_s", { smoke: 3, full: 10 }),
        durationS: parameter("counter_duration_s", { smoke: 2, full: 15 }),
        rounds: parameter("counter_rounds", { smoke: 1, full: 3 }),
      },
      context.progress,
    );
    const rows: Row[] = [];
    for (const [subject, result] of measured) {
      rows.push(toRow(subject, result, fsyncsPerOperation.get(`${subject.name} ${String(keys)}`)));
      checks.push({
        name: `${subject.name} answers every request, ${plural(keys, "key")}`,
        holds: result.errorsTotal === 0,
        detail: `${String(result.errorsTotal)} errors in ${String(result.requestsTotal)} requests`,
      });
      checks.push(await checkSum(subject, page, keys, result, connections));
    }
    tables.push({
      title: `Durable counter over HTTP, ${String(connections)} connections, ${plural(keys, "key")}`,
      rows,
    });
    const [ofDownpour, ofWorkerd] = [measured.get(downpour), measured.get(workerd)];
    targets.push({
      name: `requests/s over a Durable Object's, ${plural(keys, "key")}`,
      measured: (ofDownpour?.requestsPerSecond ?? NaN) / (ofWorkerd?.requestsPerSecond ?? NaN),
      atLeast: 4,
    });
  }

  const killed = await killUnderLoad(context, component, connections);
  return {
    suite: "counter",
    tables: [...tables, killed.table],
    checks: [...checks, ...killed.checks],
    targets,
    notes,
  };
}

function toRow(subject: Subject, result: Throughput, fsyncsPerOperation: number | undefined): Row {
  return {
    subject: subject.name,
    values: {
      requestsPerSecond: result.requestsPerSecond,
      p50Ms: result.p50Ms,
      p99Ms: result.p99Ms,
      maxMs: result.maxMs,
      coresUsed: result.coresUsed,
      residentMiB: subject.child.residentMiB(),
      ...(fsyncsPerOperation === undefined ? {} : { fsyncsPerOperation }),
    },
  };
}

/**
 * Every answered request is in the sums, once. Those that the end of a load cut off may be in them
 * as well: one for each connection and load.
 */
async function checkSum(
  subject: Subject,
  page: string,
  keys: number,
  result: Throughput,
  connections: number,
): Promise<Check> {
  const sums = await mapInBatches(keys, (key) => sumBefore(subject, `${page}${String(key + 1)}`));
  const total = sumOf(sums);
  const answered = result.requestsTotal;
  return {
    name: `${subject.name} counted every answered request once, ${plural(keys, "key")}`,
    holds: total >= answered && total <= answered + connections * result.loads,
    detail: `${String(answered)} answered, ${String(total)} counted`,
  };
}

/** What the page's counter held, read by adding one more. */
async function sumBefore(subject: Subject, page: string): Promise<number> {
  const sum = await call(subject, page);
  if (typeof sum !== "number") throw new Error(`${subject.name} answered ${JSON.stringify(sum)}`);
  return sum - 1;
}

async function mapInBatches<T>(
  total: number,
  run: (index: number) => Promise<T>,
): Promise<readonly T[]> {
  const results: T[] = [];
  while (results.length < total) {
    const size = Math.min(50, total - results.length);
    const from = results.length;
    // A batch waits for the one before: peers refuse too many connections at once.
    results.push(...(await Promise.all(Array.from({ length: size }, (_, i) => run(from + i)))));
  }
  return results;
}

/** By subject's name and number of keys. Empty where the calls cannot be counted. */
async function measureFsyncs(
  context: SuiteContext,
  component: Uint8Array<ArrayBuffer>,
  connections: number,
): Promise<ReadonlyMap<string, number>> {
  const perOperation = new Map<string, number>();
  if (!canCountFsyncs()) return perOperation;
  const durationS = parameter("counter_fsync_duration_s", { smoke: 1, full: 5 });
  const trace = (name: string): string => join(context.directory, `${name}.strace`);
  await using host = await DownpourHost.start({
    dataDirectory: await makeDirectory(context, "downpour-traced"),
    under: countingFsyncs(trace("downpour")),
  });
  await host.deploy(APP, component);
  await using workerd = await startWorkerdCounter(
    await makeDirectory(context, "workerd-traced"),
    countingFsyncs(trace("workerd")),
  );
  const subjects = [
    { subject: await host.subject(APP, FUNCTION), traceFile: trace("downpour") },
    { subject: workerd, traceFile: trace("workerd") },
  ];
  for (const { subject, traceFile } of subjects) {
    for (const keys of [1, parameter("counter_keys", { smoke: 1000, full: 1000 })]) {
      context.progress(`${subject.name}: fsyncs for each operation, ${plural(keys, "key")}`);
      const load = { connections, body: "traced-", keys, durationS };
      await runWrk(subject, { ...load, durationS: 1 });
      const fromMs = Date.now();
      const { requests } = await runWrk(subject, load);
      const calls = countFsyncs(await readFile(traceFile, "utf8"), fromMs, Date.now());
      if (requests > 0) perOperation.set(`${subject.name} ${String(keys)}`, calls / requests);
    }
  }
  return perOperation;
}

interface KillResult {
  readonly table: Table;
  readonly checks: readonly Check[];
}

async function killUnderLoad(
  context: SuiteContext,
  component: Uint8Array<ArrayBuffer>,
  connections: number,
): Promise<KillResult> {
  const rounds = parameter("counter_kills", { smoke: 2, full: 10 });
  const dataDirectory = await makeDirectory(context, "downpour-killed");
  const pages = Array.from({ length: KILLED_PAGES }, (_, index) => `killed-${String(index)}`);
  const sent = pages.map(() => 0);
  const acknowledged = pages.map(() => 0);
  const rows: Row[] = [];
  const checks: Check[] = [];
  let token: string | undefined;
  for (let round = 1; round <= rounds; round += 1) {
    context.progress(`kill -9 under load, round ${String(round)} of ${String(rounds)}`);
    await using host = await DownpourHost.start({ dataDirectory });
    if (token === undefined) {
      token = await host.tenantToken();
      await host.deploy(APP, component);
    } else {
      host.adoptTenantToken(token);
    }
    const subject = await host.subject(APP, FUNCTION);
    const load = startAcknowledgedLoad(subject, {
      connections,
      bodies: pages.map((page) => JSON.stringify(page)),
    });
    // The first answer waits for the code to be loaded: a kill before it would show nothing.
    while (sumOf(load.acknowledged()) === 0 && host.child.isRunning) await delay(5);
    // Other lengths in each round, and the same ones in each run.
    await delay(200 + ((round * 617) % 1000));
    await host.child.kill();
    await load.finish();
    for (const index of pages.keys()) {
      sent[index] = (sent[index] ?? 0) + (load.sent()[index] ?? 0);
      acknowledged[index] = (acknowledged[index] ?? 0) + (load.acknowledged()[index] ?? 0);
    }
    rows.push({
      subject: `round ${String(round)}`,
      values: {
        sent: sumOf(load.sent()),
        acknowledged: sumOf(load.acknowledged()),
        refused: load.refused(),
      },
    });
  }

  await using host = await DownpourHost.start({ dataDirectory });
  host.adoptTenantToken(token ?? "");
  const subject = await host.subject(APP, FUNCTION);
  const counted = await mapInBatches(pages.length, (index) =>
    sumBefore(subject, pages[index] ?? ""),
  );
  for (const [index, page] of pages.entries()) {
    const [low, sum, high] = [acknowledged[index] ?? 0, counted[index] ?? 0, sent[index] ?? 0];
    checks.push({
      name: `no acknowledged add is lost by kill -9, ${page}`,
      holds: low > 0 && low <= sum && sum <= high,
      detail: `${String(low)} acknowledged, ${String(sum)} counted, ${String(high)} sent`,
    });
  }
  return { table: { title: "kill -9 under load, then a new start", rows }, checks };
}

function sumOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0);
}

async function makeDirectory(context: SuiteContext, name: string): Promise<string> {
  const directory = join(context.directory, name);
  await mkdir(directory);
  return directory;
}

function plural(value: number, noun: string): string {
  return `${value.toLocaleString("en-US")} ${noun}${value === 1 ? "" : "s"}`;
}
