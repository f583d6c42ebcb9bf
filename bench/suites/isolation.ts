// A victim among attackers: a stateful function of one tenant is called at a steady rate, alone and
// then beside each attack by another tenant of the same host. What counts is what the victim notices.

import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { buildExample, buildGuest } from "../example.ts";
import { RunningAttack } from "../isolation/attack.ts";
import { ATTACKER_APP, ATTACKS } from "../isolation/attacks.ts";
import type { Achieved } from "../isolation/attacks.ts";
import { plotIsolation } from "../isolation/plot.ts";
import { callVictim } from "../isolation/victim.ts";
import type { VictimOptions, VictimSummary } from "../isolation/victim.ts";
import { startAcknowledgedLoad } from "../load/acknowledged-load.ts";
import { benchMode, parameter } from "../parameters.ts";
import { DownpourHost } from "../peers/downpour.ts";
import { startWorkerdWithAttacker } from "../peers/workerd.ts";
import type { Check, Row, Suite, SuiteContext, SuiteReport, Target } from "../report.ts";

const RATIO_MAX = 2;
const ADDED_MS_MAX = 2;
const WORKERD_LOOPS = 4;

export const isolationSuite: Suite = {
  name: "isolation",
  summary: "a victim at a steady rate, alone and beside each attack of another tenant",
  needs: [],
  run: runIsolationSuite,
};

async function runIsolationSuite(context: SuiteContext): Promise<SuiteReport> {
  const load: VictimOptions = {
    requestsPerSecond: parameter("isolation_rate", { smoke: 100, full: 200 }),
    durationS: parameter("isolation_duration_s", { smoke: 1, full: 10 }),
    answerTimeoutMs: parameter("isolation_answer_timeout_ms", { smoke: 3_000, full: 10_000 }),
  };
  const hello = join(context.directory, "hello.wasm");
  await writeFile(hello, await buildExample("hello"));
  const rows: Row[] = [];
  const checks: Check[] = [];
  const targets: Target[] = [];

  await using host = await DownpourHost.start({
    dataDirectory: join(context.directory, "downpour"),
    flags: ["--executors=2"],
    sharesSession: true,
  });
  await host.deploy("counter", await buildGuest("counter"));
  const victim = await host.subject("counter", "visit");
  const token = await host.makeTenant("attacker", {
    // An attack that computes without an end goes on for as long after it was told to stop.
    deadlineMsMax: parameter("isolation_deadline_ms", { smoke: 2_000, full: 10_000 }),
  });
  await host.deploy(ATTACKER_APP, await buildGuest("attacker"), token);
  const attacker = { origin: host.url(""), authorization: `Bearer ${token}`, hello };

  await callVictim(victim, { ...load, durationS: Math.min(3, load.durationS) });
  const alone = await callVictim(victim, load);
  rows.push(toRow("alone", alone, alone));
  const residentBefore = host.child.residentMiB();
  for (const attack of ATTACKS) {
    await using running = await RunningAttack.start({ ...attacker, name: attack.name });
    const beside = await callVictim(victim, load);
    const achieved = await running.stop();
    rows.push(toRow(attack.name, beside, alone, achieved));
    context.progress(
      `${attack.name}: p99 ${beside.p99Ms.toFixed(1)} ms (alone ${alone.p99Ms.toFixed(1)}), ` +
        `${String(beside.lost)} of ${String(beside.sent)} lost${describeLosses(beside)}`,
    );
    checks.push({
      name: `the host lives through: ${attack.name}`,
      holds: host.child.isRunning && (await isServing(host)),
      detail: `${String(achieved.done)} done, ${String(achieved.refused)} refused`,
    });
    targets.push(...toTargets(attack.name, beside, alone));
    // The next attack begins on a host that has recovered from this one.
    await delay(parameter("isolation_rest_ms", { smoke: 200, full: 3_000 }));
  }
  await delay(parameter("isolation_memory_wait_ms", { smoke: 500, full: 60_000 }));
  targets.push({
    name: "resident memory after all attacks over before",
    measured: host.child.residentMiB() / residentBefore,
    atMost: 1.1,
  });

  const workerd = await measureWorkerd(context, load);
  if (benchMode() === "full") await keepPlot(rows);
  return {
    suite: "isolation",
    tables: [
      {
        title: `Downpour: a durable counter at ${String(load.requestsPerSecond)} requests/s on 2 executors`,
        rows,
      },
      { title: "workerd: the same counter as a Durable Object", rows: workerd },
    ],
    checks,
    targets,
    notes: [
      "an open loop: latencies count from when a request was due; lagP99Ms is how late it left, which is not the host's doing",
      "the drivers of the attacks share the machine, and stand for others elsewhere: the host and the victim's caller go first (nice 15)",
      "done and refused are the attacker's requests while the victim was measured",
    ],
  };
}

/** workerd has no limit of processor time in its open version: what a loop does to its neighbours. */
async function measureWorkerd(
  { directory, progress }: SuiteContext,
  load: VictimOptions,
): Promise<readonly Row[]> {
  const objects = join(directory, "workerd");
  await mkdir(objects);
  const { victim, attacker } = await startWorkerdWithAttacker(objects);
  await using _ = victim;
  const alone = await callVictim(victim, load);
  const loops = startAcknowledgedLoad(attacker, {
    connections: WORKERD_LOOPS,
    bodies: ['"x"'],
  });
  const beside = await callVictim(victim, load);
  progress(`workerd, endless loop: ${String(beside.lost)} of ${String(beside.sent)} lost`);
  // It can no longer be asked to stop.
  await victim.child.kill();
  await loops.finish();
  return [toRow("alone", alone, alone), toRow("endless loop", beside, alone)];
}

async function isServing(host: DownpourHost): Promise<boolean> {
  const response = await fetch(host.url("/healthz"), { signal: AbortSignal.timeout(10_000) });
  return response.ok;
}

function toRow(
  subject: string,
  summary: VictimSummary,
  alone: VictimSummary,
  achieved?: Achieved,
): Row {
  const { p50Ms, p99Ms, maxMs, lagP99Ms, lost } = summary;
  return {
    subject,
    values: {
      p50Ms,
      p99Ms,
      maxMs,
      lagP99Ms,
      p50Ratio: p50Ms / alone.p50Ms,
      p99Ratio: p99Ms / alone.p99Ms,
      lost,
      ...achieved,
    },
  };
}

function toTargets(name: string, beside: VictimSummary, alone: VictimSummary): readonly Target[] {
  return [
    {
      name: `p99 in ms beside: ${name}`,
      measured: beside.p99Ms,
      atMost: Math.max(alone.p99Ms * RATIO_MAX, alone.p99Ms + ADDED_MS_MAX),
    },
    { name: `requests lost beside: ${name}`, measured: beside.lost, atMost: 0 },
  ];
}

function describeLosses({ losses }: VictimSummary): string {
  const causes = Object.entries(losses).map(([cause, count]) => `${String(count)} ${cause}`);
  return causes.length === 0 ? "" : ` (${causes.join(", ")})`;
}

async function keepPlot(rows: readonly Row[]): Promise<void> {
  const path = join(import.meta.dirname, "..", "..", "docs", "isolation.svg");
  await writeFile(path, plotIsolation(rows));
}
