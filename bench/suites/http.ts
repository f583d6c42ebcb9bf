// A function that does nothing but answer: what does a call cost over HTTP, all layers included?

import { buildExample } from "../example.ts";
import { startBareFastify } from "../peers/bare-fastify.ts";
import { DownpourHost } from "../peers/downpour.ts";
import { call } from "../peers/subject.ts";
import type { Subject } from "../peers/subject.ts";
import { startWorkerdHello } from "../peers/workerd.ts";
import { measureThroughput } from "../load/throughput.ts";
import type { Throughput } from "../load/throughput.ts";
import { WRK } from "../load/wrk.ts";
import { parameter } from "../parameters.ts";
import type { Check, Row, Suite, SuiteContext, SuiteReport } from "../report.ts";

export const httpSuite: Suite = {
  name: "http",
  summary: "hello over HTTP, 64 connections, beside bare Fastify and workerd",
  needs: [WRK],
  run: runHttpSuite,
};

async function runHttpSuite({ directory, progress }: SuiteContext): Promise<SuiteReport> {
  const hello = await buildExample("hello");
  await using host = await DownpourHost.start({ dataDirectory: directory });
  await host.deploy("hello", hello);
  const downpour = await host.subject("hello", "hello");
  await using fastify = await startBareFastify();
  await using workerd = await startWorkerdHello();
  const subjects = [downpour, fastify, workerd];
  const checks: Check[] = [];
  for (const subject of subjects) checks.push(await checkAnswer(subject, "before the load"));

  const connections = parameter("http_connections", { smoke: 64, full: 64 });
  const measured = await measureThroughput(
    subjects,
    {
      connections,
      body: "world",
      keys: 1,
      warmupS: parameter("http_warmup_s", { smoke: 3, full: 10 }),
      durationS: parameter("http_duration_s", { smoke: 2, full: 15 }),
      rounds: parameter("http_rounds", { smoke: 1, full: 3 }),
    },
    progress,
  );
  for (const subject of subjects) checks.push(await checkAnswer(subject, "after the load"));
  for (const [subject, result] of measured) checks.push(checkErrors(subject, result));

  const ofDownpour = pick(measured, downpour);
  const ofFastify = pick(measured, fastify);
  const ofWorkerd = pick(measured, workerd);
  return {
    suite: "http",
    tables: [
      {
        title: `Hello over HTTP, ${String(connections)} connections`,
        rows: subjects.map((subject) => toRow(subject, pick(measured, subject), ofFastify)),
      },
    ],
    checks,
    targets: [
      {
        name: "requests/s over workerd's",
        measured: ofDownpour.requestsPerSecond / ofWorkerd.requestsPerSecond,
        atLeast: 1,
      },
      {
        name: "p99 over workerd's",
        measured: ofDownpour.p99Ms / ofWorkerd.p99Ms,
        atMost: 1,
      },
    ],
    notes: [
      "the load generator shares the machine: it has the last core where taskset exists, the subjects may use all",
    ],
  };
}

function toRow(subject: Subject, result: Throughput, fastify: Throughput): Row {
  return {
    subject: subject.name,
    values: {
      requestsPerSecond: result.requestsPerSecond,
      shareOfBareFastify: result.requestsPerSecond / fastify.requestsPerSecond,
      p50Ms: result.p50Ms,
      p99Ms: result.p99Ms,
      maxMs: result.maxMs,
      coresUsed: result.coresUsed,
      residentMiB: subject.child.residentMiB(),
    },
  };
}

async function checkAnswer(subject: Subject, when: string): Promise<Check> {
  const answer = await call(subject, "world");
  return {
    name: `${subject.name} answers hello ${when}`,
    holds: answer === "Hello, world!",
    detail: JSON.stringify(answer),
  };
}

function checkErrors(subject: Subject, result: Throughput): Check {
  return {
    name: `${subject.name} answers every request`,
    holds: result.errorsTotal === 0,
    detail: `${String(result.errorsTotal)} errors in ${String(result.requestsTotal)} requests`,
  };
}

function pick(measured: ReadonlyMap<Subject, Throughput>, subject: Subject): Throughput {
  const result = measured.get(subject);
  if (result === undefined) throw new Error(`${subject.name} was not measured`);
  return result;
}
