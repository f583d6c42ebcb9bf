// What it costs to begin: a host, an app on it, an app's first call; and what each keeps of memory.
//
// Every app is another component with another core module (a variant of `examples/hello`), so
// that nothing but the language runtime inside them is shared, as between apps of real tenants.

import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { buildExample, helloVariant } from "../example.ts";
import type { Variant } from "../example.ts";
import { Latencies, median } from "../latencies.ts";
import { parameter } from "../parameters.ts";
import { DownpourHost } from "../peers/downpour.ts";
import { measureSaves } from "../save-to-deployed.ts";
import type { HostOptions } from "../peers/downpour.ts";
import type { Check, Suite, SuiteContext, SuiteReport } from "../report.ts";

const FUNCTION = "hello";

export const startSuite: Suite = {
  name: "start",
  summary: "host start, upload to callable, save to deployed, cold start, memory",
  needs: [],
  run: runStartSuite,
};

interface App {
  readonly name: string;
  readonly variant: Variant;
}

async function runStartSuite({ directory, progress }: SuiteContext): Promise<SuiteReport> {
  const hello = await buildExample("hello");
  const apps = Array.from(
    { length: parameter("start_apps", { smoke: 20, full: 200 }) },
    (_, n) => ({
      name: `app-${String(n)}`,
      variant: helloVariant(hello, n),
    }),
  );
  const starts = parameter("start_hosts", { smoke: 3, full: 15 });
  const calls = new FirstCalls();

  progress(`host start on an empty data directory, ${String(starts)} times, twice`);
  const newDirectory = async (name: string): Promise<string> => {
    const dataDirectory = join(directory, name);
    await mkdir(dataDirectory);
    return dataDirectory;
  };
  const firstReadyMs = await measureStarts(starts, async (index) => ({
    dataDirectory: await newDirectory(`first-${String(index)}`),
    withoutCodeCache: true,
  }));
  // Its end writes what the next ones find.
  await measureStarts(1, async () => ({ dataDirectory: await newDirectory("caching") }));
  const emptyReadyMs = await measureStarts(starts, async (index) => ({
    dataDirectory: await newDirectory(`empty-${String(index)}`),
  }));

  const dataDirectory = join(directory, "data");
  await mkdir(dataDirectory);
  progress(`${String(apps.length)} uploads, each followed by its first call`);
  const first = await measureUploads(dataDirectory, apps, calls);

  progress(`host start with ${String(apps.length)} apps deployed, ${String(starts)} times`);
  const fullReadyMs = await measureStarts(starts, async () => ({ dataDirectory }));

  progress(`first call of ${String(apps.length)} apps after a restart`);
  const afterRestart = await measureAfterRestart(dataDirectory, first.token, apps, calls);

  const saves = parameter("start_saves", { smoke: 3, full: 15 });
  progress(`${String(saves)} saves under \`downpour dev\``);
  const saveToDeployed = (await measureSaves(join(directory, "project"), saves)).summaryMs();

  const coldStart = first.coldStarts.summaryMs();
  const upload = first.uploadToCallable.summaryMs();
  const readyMs = Math.max(...[firstReadyMs, emptyReadyMs, fullReadyMs].map(median));
  return {
    suite: "start",
    tables: [
      {
        title: "Time",
        rows: [
          {
            subject: "host start, no app, no code cache",
            values: timesOf(firstReadyMs),
          },
          { subject: "host start, no app", values: timesOf(emptyReadyMs) },
          {
            subject: `host start, ${String(apps.length)} apps`,
            values: timesOf(fullReadyMs),
          },
          { subject: "upload to callable", values: upload },
          {
            subject: "upload to callable, first of the host",
            values: { maxMs: first.firstUploadMs },
          },
          { subject: "cold start: first call of a deployed function", values: coldStart },
          {
            subject: "first call after a restart: code is loaded from disk",
            values: afterRestart.coldStarts.summaryMs(),
          },
          { subject: "save to deployed, under `downpour dev`", values: saveToDeployed },
          {
            subject: "second call of the same functions",
            values: afterRestart.warmCalls.summaryMs(),
          },
        ],
      },
      {
        title: "Resident memory",
        rows: [
          { subject: "idle host, no app", values: { residentMiB: first.emptyMiB } },
          {
            subject: "each app uploaded and called once since the start",
            values: { residentMiB: first.perCalledAppMiB },
          },
          {
            subject: "each deployed but idle app, after a restart",
            values: { residentMiB: afterRestart.perIdleAppMiB },
          },
          {
            subject: "each app loaded from disk, with one warm instance",
            values: { residentMiB: afterRestart.perWarmAppMiB },
          },
        ],
      },
    ],
    checks: [calls.check()],
    targets: [
      { name: "cold start p50, ms", measured: coldStart.p50Ms, atMost: 5 },
      { name: "host start to ready, median, ms", measured: readyMs, atMost: 1000 },
      { name: "upload to callable p50, ms", measured: upload.p50Ms, atMost: 1500 },
      { name: "save to deployed p50, ms", measured: saveToDeployed.p50Ms, atMost: 2000 },
    ],
    notes: [
      "times are seen by a client in another process, HTTP included",
      "an upload is answered when its instance is made; after a restart, the first call makes it",
      "memory is VmRSS after it came to rest; what the collector has not yet freed is in it",
    ],
  };
}

/** Counts what every first and second call answered. */
class FirstCalls {
  #right = 0;
  #wrong: string[] = [];

  async timed(host: DownpourHost, app: App): Promise<number> {
    const startedAtMs = performance.now();
    const answer = await host.invoke(app.name, FUNCTION, "world");
    const durationMs = performance.now() - startedAtMs;
    if (answer === app.variant.answerTo("world")) this.#right += 1;
    else this.#wrong.push(`${app.name}: ${JSON.stringify(answer)}`);
    return durationMs;
  }

  check(): Check {
    return {
      name: "each app answers with its own greeting",
      holds: this.#wrong.length === 0 && this.#right > 0,
      detail: this.#wrong[0] ?? `${String(this.#right)} calls`,
    };
  }
}

async function measureStarts(
  starts: number,
  optionsOf: (index: number) => Promise<HostOptions>,
): Promise<readonly number[]> {
  const readyMs: number[] = [];
  for (let index = 0; index < starts; index += 1) {
    await using host = await DownpourHost.start(await optionsOf(index));
    readyMs.push(host.readyMs);
  }
  return readyMs;
}

async function measureUploads(
  dataDirectory: string,
  apps: readonly App[],
  calls: FirstCalls,
): Promise<{
  readonly token: string;
  readonly coldStarts: Latencies;
  readonly uploadToCallable: Latencies;
  readonly firstUploadMs: number;
  readonly emptyMiB: number;
  readonly perCalledAppMiB: number;
}> {
  const coldStarts = new Latencies();
  const uploadToCallable = new Latencies();
  await using host = await DownpourHost.start({ dataDirectory });
  const token = await host.tenantToken();
  const emptyMiB = await restingMiB(host);
  let firstUploadMs = NaN;
  for (const app of apps) {
    const startedAtMs = performance.now();
    await host.deploy(app.name, app.variant.component);
    coldStarts.recordMs(await calls.timed(host, app));
    const durationMs = performance.now() - startedAtMs;
    if (Number.isNaN(firstUploadMs)) firstUploadMs = durationMs;
    uploadToCallable.recordMs(durationMs);
  }
  const perCalledAppMiB = ((await restingMiB(host)) - emptyMiB) / apps.length;
  return { token, coldStarts, uploadToCallable, firstUploadMs, emptyMiB, perCalledAppMiB };
}

async function measureAfterRestart(
  dataDirectory: string,
  token: string,
  apps: readonly App[],
  calls: FirstCalls,
): Promise<{
  readonly coldStarts: Latencies;
  readonly warmCalls: Latencies;
  readonly perIdleAppMiB: number;
  readonly perWarmAppMiB: number;
}> {
  const coldStarts = new Latencies();
  const warmCalls = new Latencies();
  const emptyDirectory = `${dataDirectory}-empty`;
  await mkdir(emptyDirectory);
  // Without prewarming: what is idle here has not been touched.
  const flags = ["--prewarm-apps-max=0"];
  const emptyMiB = await withHost({ dataDirectory: emptyDirectory, flags }, restingMiB);
  return withHost({ dataDirectory, flags }, async (host) => {
    host.adoptTenantToken(token);
    const idleMiB = await restingMiB(host);
    for (const app of apps) coldStarts.recordMs(await calls.timed(host, app));
    const warmMiB = await restingMiB(host);
    for (const app of apps) warmCalls.recordMs(await calls.timed(host, app));
    return {
      coldStarts,
      warmCalls,
      perIdleAppMiB: (idleMiB - emptyMiB) / apps.length,
      perWarmAppMiB: (warmMiB - idleMiB) / apps.length,
    };
  });
}

async function withHost<T>(
  options: HostOptions,
  use: (host: DownpourHost) => Promise<T>,
): Promise<T> {
  await using host = await DownpourHost.start(options);
  return await use(host);
}

/** Resident memory once it has not moved by more than 1 MiB for half a second. */
async function restingMiB(host: DownpourHost): Promise<number> {
  let lastMiB = host.child.residentMiB();
  let quietTurns = 0;
  for (let turn = 0; turn < 60 && quietTurns < 5; turn += 1) {
    await delay(100);
    const nowMiB = host.child.residentMiB();
    quietTurns = Math.abs(nowMiB - lastMiB) <= 1 ? quietTurns + 1 : 0;
    lastMiB = nowMiB;
  }
  return lastMiB;
}

function timesOf(durationsMs: readonly number[]): {
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
} {
  const latencies = new Latencies();
  for (const durationMs of durationsMs) latencies.recordMs(durationMs);
  return latencies.summaryMs();
}
