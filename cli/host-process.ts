// Starts `host/main.ts` as a process of its own. The command and the host share HTTP, this and nothing else.
//
// H1. The host gets the environment without the client's own settings, and never a token.

import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { closeSync, existsSync, openSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { createServer } from "node:net";
import { hostProcess } from "@downpour/host/process-options";
import type { LocalDirectory } from "./local-directory.ts";

const POLL_INTERVAL_MS = 25;

export interface HostProcessOptions {
  readonly local: LocalDirectory;
  readonly listenPort: number;
  /** With `owned`, the host ends when this process does; with `detached`, it goes on alone. */
  readonly lifetime: "owned" | "detached";
  readonly environment: Readonly<Record<string, string | undefined>>;
}

function hostMainPath(): string {
  return fileURLToPath(import.meta.resolve("@downpour/host/main"));
}

/** What Node is started with to become a host; the host's own options follow. */
export function hostArguments(): readonly string[] {
  return [...hostProcess.execArgv, hostMainPath()];
}

/** The host's own environment: the client's settings are not its business (H1). */
export function hostEnvironment(
  environment: Readonly<Record<string, string | undefined>>,
): Record<string, string | undefined> {
  const { DOWNPOUR_URL: _url, DOWNPOUR_TOKEN: _token, ...rest } = environment;
  return { ...hostProcess.environment, ...rest };
}

/** Starts a host on embedded defaults, with its data, its log and its admin token in `.downpour/`. */
export function spawnHost(options: HostProcessOptions): ChildProcess {
  const { local, lifetime } = options;
  const log = openSync(local.hostLogPath, "a", 0o600);
  try {
    const preload =
      lifetime === "owned" ? ["--import", import.meta.resolve("./dev/lifeline.ts")] : [];
    return spawn(
      process.execPath,
      [
        ...preload,
        ...hostArguments(),
        "--listen-port",
        String(options.listenPort),
        "--data-directory",
        local.dataPath,
        "--admin-token-file",
        local.adminTokenPath,
        // A token that is lost cannot be read back from the store: it is replaced.
        ...(existsSync(local.adminTokenPath) ? [] : ["--reset-admin-token"]),
      ],
      {
        // A terminal sends Ctrl-C to its whole process group: the host must outlive it until it is told to drain.
        detached: true,
        env: hostEnvironment(options.environment),
        stdio: lifetime === "owned" ? ["ignore", log, log, "ipc"] : ["ignore", log, log],
      },
    );
  } finally {
    closeSync(log);
  }
}

export interface ProcessExit {
  readonly status: number | null;
  readonly signal: string | null;
}

/** Settles when the process is gone; one that could not be started counts as one that ended. */
export function exitOf(child: ChildProcess): Promise<ProcessExit> {
  return new Promise((resolveExit) => {
    child.once("error", () => resolveExit({ status: null, signal: null }));
    child.once("exit", (status, signal) => resolveExit({ status, signal }));
  });
}

/** Waits until the host answers that it is ready; false when the time is over or `isGone` says so. */
export async function waitUntilReady(
  url: string,
  timeoutMs: number,
  isGone: () => boolean,
): Promise<boolean> {
  const deadlineAt = performance.now() + timeoutMs;
  while (performance.now() < deadlineAt && !isGone()) {
    if (await isReady(url)) return true;
    await sleep(POLL_INTERVAL_MS);
  }
  return false;
}

export async function isReady(url: string): Promise<boolean> {
  try {
    const response = await fetch(`${url}/readyz`, { signal: AbortSignal.timeout(1_000) });
    await response.body?.cancel();
    return response.ok;
  } catch {
    // Not there yet: that is the answer.
    return false;
  }
}

/** The wanted port if nobody has it, or any free one. The host itself decides if the port is taken meanwhile. */
export async function freePort(wanted: number): Promise<number> {
  const port = await tryPort(wanted);
  return port ?? (await tryPort(0)) ?? wanted;
}

async function tryPort(port: number): Promise<number | undefined> {
  const server = createServer();
  return new Promise((resolvePort) => {
    server.once("error", () => resolvePort(undefined));
    server.listen(port, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => {
        resolvePort(typeof address === "object" && address !== null ? address.port : undefined);
      });
    });
  });
}
