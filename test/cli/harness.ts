import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { exitOf, freePort, spawnHost, waitUntilReady } from "../../cli/host-process.ts";
import { localDirectoryIn } from "../../cli/local-directory.ts";

export const CLI_MAIN: string = fileURLToPath(new URL("../../cli/main.ts", import.meta.url));

const READY_TIMEOUT_MS = 30_000;

/** The child's environment without what a developer's shell may have set. */
export function cleanEnvironment(
  extra: Readonly<Record<string, string>> = {},
): Record<string, string> {
  const clean: Record<string, string> = {};
  for (const [name, value] of Object.entries(process.env)) {
    if (value === undefined || name.startsWith("DOWNPOUR_")) continue;
    if (name === "NODE_OPTIONS" || name === "FORCE_COLOR" || name.startsWith("VITEST")) continue;
    clean[name] = value;
  }
  return { ...clean, ...extra };
}

export interface CliResult {
  readonly status: number | null;
  readonly stdout: string;
  readonly stdoutBytes: Buffer;
  readonly stderr: string;
  /** The one document on stdout; throws where there is anything else. */
  json(): unknown;
}

/** A member of a document, as deep as the path; undefined where there is none. */
export function at(document: unknown, ...path: readonly (string | number)[]): unknown {
  let value = document;
  for (const key of path) {
    value = typeof value === "object" && value !== null ? Reflect.get(value, key) : undefined;
  }
  return value;
}

export interface CliOptions {
  readonly directory: string;
  readonly environment?: Readonly<Record<string, string>>;
  readonly stdin?: string | Uint8Array;
}

/** Runs the command as a person does: as a process of its own. */
export async function runCli(args: readonly string[], options: CliOptions): Promise<CliResult> {
  const child = spawn(process.execPath, [CLI_MAIN, ...args], {
    cwd: options.directory,
    env: cleanEnvironment(options.environment),
    stdio: "pipe",
  });
  child.stdin.end(options.stdin ?? "");
  const stdout: Buffer[] = [];
  const stderr: Buffer[] = [];
  child.stdout.on("data", (chunk: Buffer) => stdout.push(chunk));
  child.stderr.on("data", (chunk: Buffer) => stderr.push(chunk));
  await once(child, "close");
  const stdoutBytes = Buffer.concat(stdout);
  return {
    status: child.exitCode,
    stdout: stdoutBytes.toString("utf8"),
    stdoutBytes,
    stderr: Buffer.concat(stderr).toString("utf8"),
    json: (): unknown => JSON.parse(stdoutBytes.toString("utf8")),
  };
}

export interface TemporaryFolder extends Disposable {
  readonly path: string;
  write(path: string, text: string | Uint8Array): void;
}

export function temporaryFolder(files: Readonly<Record<string, string>> = {}): TemporaryFolder {
  const path = mkdtempSync(join(tmpdir(), "downpour-cli-"));
  const write = (name: string, text: string | Uint8Array): void => {
    mkdirSync(join(path, name, ".."), { recursive: true });
    writeFileSync(join(path, name), text);
  };
  for (const [name, text] of Object.entries(files)) write(name, text);
  return {
    path,
    write,
    [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true, maxRetries: 5 }),
  };
}

export interface TestHost extends AsyncDisposable {
  readonly url: string;
  readonly adminToken: string;
  readonly child: ChildProcess;
}

/** A real host on a free port, with a data directory of its own; it cannot outlive the tests. */
export async function startTestHost(): Promise<TestHost> {
  const folder = temporaryFolder();
  const local = localDirectoryIn(folder.path);
  mkdirSync(local.path);
  const listenPort = await freePort(0);
  const child = spawnHost({
    local,
    listenPort,
    lifetime: "owned",
    environment: cleanEnvironment(),
  });
  const exited = exitOf(child);
  let isGone = false;
  child.once("exit", () => {
    isGone = true;
  });
  const url = `http://127.0.0.1:${listenPort}`;
  if (!(await waitUntilReady(url, READY_TIMEOUT_MS, () => isGone))) {
    child.kill("SIGKILL");
    throw new Error(`the host does not start:\n${readFileSync(local.hostLogPath, "utf8")}`);
  }
  return {
    url,
    adminToken: readFileSync(local.adminTokenPath, "utf8").trim(),
    child,
    async [Symbol.asyncDispose]() {
      child.kill("SIGTERM");
      await exited;
      folder[Symbol.dispose]();
    },
  };
}

/** A project whose functions do what the tests need: succeed, fail, throw, log, answer bytes. */
export const TEST_PROJECT: Readonly<Record<string, string>> = {
  "downpour.json": JSON.stringify({ app: "parts" }),
  "package.json": JSON.stringify({ name: "parts", private: true, type: "module" }),
  "src/index.ts": `import { fn, FunctionError, state } from "@downpour/sdk";

export const add = fn((amount: number) => state.counter("total").add(amount));

export const echo = fn((value: unknown) => value ?? null);

export const buy = fn(() => {
  throw new FunctionError("sold-out", "nothing is left", { details: { left: 0 } });
});

export const crash = fn((values: string[]) => {
  return values[7]!.length;
});

export const say = fn((text: string) => {
  console.log(text);
  return text.length;
});

export const bytes = fn(() => new Uint8Array([0, 255, 10]));

export const page = fn.raw(() => ({ mediaType: "text/html", body: "<p>ü</p>" }));

export const toss = fn(() => {
  throw "no error";
});
`,
};
