// `npm run demo`: from a fresh checkout to functions that answer, and the proof that their state survives.
//
// It does what a person would do with the `downpour` command, step by step, and says how long each took.
// The host it starts goes on running; `npm run demo -- --stop` stops it. Running it again finds the host.

import { readFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { ApiClient } from "../cli/api-client.ts";
import { buildProject, formatBuilt } from "../cli/build-project.ts";
import { CliError, usageError } from "../cli/cli-error.ts";
import { deployComponent, formatDeployed } from "../cli/deploy-component.ts";
import { isProcessAlive } from "../cli/dev/dev-lock.ts";
import { freePort, isReady, spawnHost, waitUntilReady } from "../cli/host-process.ts";
import { localDirectoryIn, readHostRecord, writePrivateFile } from "../cli/local-directory.ts";
import { interruptible } from "../cli/interruptible.ts";
import { ensureLocalTenant } from "../cli/local-tenant.ts";
import { reportError } from "../cli/report-error.ts";
import { Terminal, formatDuration } from "../cli/terminal.ts";

const DEMO_TENANT = "demo";
const WANTED_PORT = 8787;
const READY_TIMEOUT_MS = 30_000;
const STOP_TIMEOUT_MS = 15_000;

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const local = localDirectoryIn(root);
const streams = { stdout: process.stdout, stderr: process.stdout, isJson: false };
const terminal = new Terminal(streams);

interface RunningHost {
  readonly url: string;
  readonly pid: number;
}

/** A call of the demo; the answer is printed as it comes. */
interface Call {
  readonly app: string;
  readonly functionName: string;
  readonly input: unknown;
}

const HELP = `Usage: npm run demo -- [--stop | --help]

Starts a host in .downpour/ of this checkout, or finds the one of an earlier run; builds, deploys and
calls the examples; kills the host and starts it again to show that nothing is lost. It goes on running.

  --stop      stop that host; its data stays
  -h, --help  print this`;

try {
  await run(process.argv.slice(2));
} catch (cause) {
  process.exitCode = reportError(cause, streams);
}

async function run(args: readonly string[]): Promise<void> {
  const [first] = args;
  if (args.includes("--help") || args.includes("-h")) {
    process.stdout.write(`${HELP}\n`);
  } else if (first === undefined) {
    await demo();
  } else if (first === "--stop" && args.length === 1) {
    await stop();
  } else {
    const unknown = args.find((argument) => argument !== "--stop") ?? first;
    throw usageError(`the demo does not know ${unknown}`, HELP);
  }
}

async function demo(): Promise<void> {
  const startedAt = performance.now();
  heading("A host");
  let host = (await findHost()) ?? (await startHost(await freePort(WANTED_PORT)));
  const client = await ensureLocalTenant(local, host.url, DEMO_TENANT);
  done(`tenant ${DEMO_TENANT}, its token in .downpour/token`);

  heading("Three apps, from TypeScript");
  for (const app of ["hello", "counter", "guest-book"]) await deployExample(client, app);

  heading("Calls");
  await call(client, { app: "hello", functionName: "hello", input: "world" });
  for (const page of ["home", "home"]) {
    await call(client, { app: "counter", functionName: "visit", input: page });
  }
  const signature = { author: "a stranger", message: "it works" };
  await call(client, { app: "guest-book", functionName: "sign", input: signature });
  const removal = { id: "none", by: "a stranger" };
  await call(client, { app: "guest-book", functionName: "remove", input: removal });

  heading("State survives");
  host = await killAndRestart(host);
  await call(client, { app: "counter", functionName: "visit", input: "home" });

  terminal.note("");
  done(`all of it in ${formatDuration(performance.now() - startedAt)}; the host goes on running`);
  terminal.note(nextSteps(host));
}

async function findHost(): Promise<RunningHost | undefined> {
  const record = readHostRecord(local);
  if (record === undefined || !isOurHost(record.hostPid) || !(await isReady(record.url))) {
    return undefined;
  }
  done(`found the host of an earlier run at ${record.url} (process ${record.hostPid})`);
  return { url: record.url, pid: record.hostPid };
}

async function startHost(listenPort: number): Promise<RunningHost> {
  const startedAt = performance.now();
  const progress = terminal.progress("starting a host");
  await writePrivateFile(local.hostLogPath, "");
  const child = spawnHost({
    local,
    listenPort,
    lifetime: "detached",
    environment: process.env,
  });
  let isGone = false;
  child.once("exit", () => {
    isGone = true;
  });
  const url = `http://127.0.0.1:${listenPort}`;
  const ready = await waitUntilReady(url, READY_TIMEOUT_MS, () => isGone);
  progress.clear();
  if (!ready || child.pid === undefined) {
    if (!isGone) child.kill("SIGKILL");
    throw new CliError("HOST_START_FAILED", "the host does not start", {
      exit: "failure",
      body: readFileSync(local.hostLogPath, "utf8").trimEnd(),
      hint: `Its log: ${local.hostLogPath}`,
    });
  }
  // From here on it is on its own: this process may end.
  child.unref();
  await writePrivateFile(
    local.hostRecordPath,
    `${JSON.stringify({ url, hostPid: child.pid, tenant: DEMO_TENANT })}\n`,
  );
  done(
    `host ready at ${url} in ${formatDuration(performance.now() - startedAt)} ${dim(`(process ${child.pid}; data and log in .downpour/)`)}`,
  );
  return { url, pid: child.pid };
}

async function deployExample(client: ApiClient, app: string): Promise<void> {
  const entry = join(root, "examples", app, "src/index.ts");
  const built = await interruptible((signal) =>
    buildProject({ entry, engine: "quickjs", signal }, terminal),
  );
  done(formatBuilt(built, app));
  const deployed = await deployComponent(client, app, new Blob([built.component]), terminal);
  done(formatDeployed(deployed, terminal));
}

async function call(client: ApiClient, { app, functionName, input }: Call): Promise<void> {
  const startedAt = performance.now();
  const answer = await answerOf(
    client.bytes("POST", `/v1/invoke/${app}/${functionName}`, {
      body: new TextEncoder().encode(JSON.stringify(input)),
      headers: { "content-type": "application/json" },
    }),
  );
  const durationMs = performance.now() - startedAt;
  terminal.note(
    `  ${app}/${functionName} ${JSON.stringify(input)}  →  ${terminal.out("bold", answer)}  ${dim(formatDuration(durationMs))}`,
  );
}

/** A failure that the function raised on purpose is an answer too. */
async function answerOf(calling: Promise<{ readonly body: Uint8Array }>): Promise<string> {
  try {
    return new TextDecoder().decode((await calling).body);
  } catch (cause) {
    if (!(cause instanceof CliError) || cause.code !== "FUNCTION_ERROR") throw cause;
    return `${cause.code}: ${cause.message}`;
  }
}

/** No drain, no goodbye: what was acknowledged has to be there all the same. */
async function killAndRestart(host: RunningHost): Promise<RunningHost> {
  process.kill(host.pid, "SIGKILL");
  await waitUntilGone(host.pid);
  done(`killed the host (kill -9 ${host.pid})`);
  return startHost(Number(new URL(host.url).port));
}

async function stop(): Promise<void> {
  const record = readHostRecord(local);
  if (record === undefined || !isOurHost(record.hostPid)) {
    terminal.note("no host of the demo is running");
    return;
  }
  const progress = terminal.progress("stopping the host");
  process.kill(record.hostPid, "SIGTERM");
  const isGone = await waitUntilGone(record.hostPid);
  progress.clear();
  if (!isGone) {
    throw new CliError("HOST_START_FAILED", `the host (process ${record.hostPid}) does not stop`, {
      exit: "failure",
      hint: `Its log: ${local.hostLogPath}`,
    });
  }
  await rm(local.hostRecordPath, { force: true });
  done(`stopped the host; its data stays in ${local.dataPath}`);
}

async function waitUntilGone(pid: number): Promise<boolean> {
  const deadlineAt = performance.now() + STOP_TIMEOUT_MS;
  while (isProcessAlive(pid)) {
    if (performance.now() > deadlineAt) return false;
    await sleep(20);
  }
  return true;
}

/** Alive, and not some other process that got the number since. */
function isOurHost(pid: number): boolean {
  if (!isProcessAlive(pid)) return false;
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").includes(local.dataPath);
  } catch {
    // This system does not tell what a process is: its number, and the answer at its address, must do.
    return true;
  }
}

function nextSteps({ url }: RunningHost): string {
  return `
Try next, from ${root === process.cwd() ? "this folder" : root}:

  npx downpour invoke counter/visit '"home"'
  npx downpour invoke guest-book/sign '{"author":"you","message":"hello"}'
  npx downpour logs guest-book
  npx downpour state ls
  npx downpour apps show guest-book
  npx downpour status
  curl -X POST ${url}/v1/invoke/hello/hello -H "authorization: Bearer $(cat .downpour/token)" -H "content-type: application/json" -d '"you"'

A project of your own, on a host of its own: npx downpour init ../my-app && npx downpour dev -C ../my-app
Stop this host; its data stays:              npm run demo -- --stop
`;
}

function heading(text: string): void {
  terminal.note(`\n${terminal.out("bold", text)}`);
}

function done(line: string): void {
  terminal.note(`  ${terminal.out("green", "✓")} ${line}`);
}

function dim(text: string): string {
  return terminal.out("dim", text);
}
