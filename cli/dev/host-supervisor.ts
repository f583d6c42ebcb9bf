// Owns the host process of one `dev`: starts it, starts it again when it dies, stops it.
//
// H1. There is at most one host at a time, always on the same port: URLs that were printed stay true.
// H2. A host that dies is started again after a delay that doubles up to `RESTART_DELAY_MAX_MS`, and is
//     back at its minimum after the host was well for `HEALTHY_AFTER_MS`.
// H3. A host that was never ready is given up after `START_ATTEMPTS_MAX`, with the end of its log; at once where
//     its exit status says that another attempt is no use.
// H4. `stop` leaves no process behind: it asks first, and kills after `STOP_GRACE_MS`.

import type { ChildProcess } from "node:child_process";
import { readFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { CliError } from "../cli-error.ts";
import { exitOf, spawnHost, waitUntilReady } from "../host-process.ts";
import type { LocalDirectory } from "../local-directory.ts";

const READY_TIMEOUT_MS = 30_000;
const RESTART_DELAY_MIN_MS = 250;
const RESTART_DELAY_MAX_MS = 10_000;
const HEALTHY_AFTER_MS = 30_000;
const START_ATTEMPTS_MAX = 5;
const STOP_GRACE_MS = 12_000;
const LOG_TAIL_LINES = 8;
/** Wrong settings, and an address in use; a data directory may be free again in a moment. */
const FINAL_STATUSES: ReadonlySet<number | null> = new Set([2, 4]);

export interface HostSupervisorOptions {
  readonly local: LocalDirectory;
  readonly listenPort: number;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly onReady: (host: { readonly pid: number; readonly isRestart: boolean }) => void;
  readonly onExit: (exit: {
    readonly status: number | null;
    readonly signal: string | null;
    readonly restartInMs: number;
    readonly logTail: string;
  }) => void;
  /** The host could not be started, and will not be tried again (H3). */
  readonly onGivenUp: (error: CliError) => void;
}

export class HostSupervisor {
  readonly url: string;
  readonly #options: HostSupervisorOptions;
  readonly #stopping = new AbortController();
  #child: ChildProcess | undefined;
  #loop: Promise<void> | undefined;

  constructor(options: HostSupervisorOptions) {
    this.#options = options;
    this.url = `http://127.0.0.1:${options.listenPort}`;
  }

  start(): void {
    this.#loop ??= this.#supervise();
  }

  /** Ends the host (H4). A second call does not wait for the host's own drain. */
  async stop(): Promise<void> {
    const isSecond = this.#stopping.signal.aborted;
    this.#stopping.abort();
    this.#child?.kill(isSecond ? "SIGKILL" : "SIGTERM");
    const timer = setTimeout(() => this.#child?.kill("SIGKILL"), STOP_GRACE_MS);
    await this.#loop;
    clearTimeout(timer);
  }

  async #supervise(): Promise<void> {
    let failures = 0;
    let hasBeenReady = false;
    while (!this.#stopping.signal.aborted) {
      const startedAt = performance.now();
      const child = spawnHost({ ...this.#options, lifetime: "owned" });
      this.#child = child;
      const exited = exitOf(child);
      let isGone = false;
      child.once("exit", () => {
        isGone = true;
      });
      const isReady = await waitUntilReady(this.url, READY_TIMEOUT_MS, () => isGone);
      if (isReady && child.pid !== undefined) {
        this.#options.onReady({ pid: child.pid, isRestart: hasBeenReady });
        hasBeenReady = true;
      } else if (!isGone) {
        // It neither became ready nor ended: nothing good will come of it.
        child.kill("SIGKILL");
      }
      const { status, signal } = await exited;
      this.#child = undefined;
      if (this.#stopping.signal.aborted) return;

      failures = performance.now() - startedAt > HEALTHY_AFTER_MS ? 1 : failures + 1;
      const logTail = await this.#logTail();
      if (!hasBeenReady && (failures >= START_ATTEMPTS_MAX || FINAL_STATUSES.has(status))) {
        this.#options.onGivenUp(
          new CliError("HOST_START_FAILED", "the host does not start", {
            exit: "failure",
            body: logTail,
            hint: `All of its log: ${this.#options.local.hostLogPath}`,
            details: { status, signal, logTail },
          }),
        );
        return;
      }
      const restartInMs = Math.min(
        RESTART_DELAY_MIN_MS * 2 ** (failures - 1),
        RESTART_DELAY_MAX_MS,
      );
      this.#options.onExit({ status, signal, restartInMs, logTail });
      await sleep(restartInMs, undefined, { signal: this.#stopping.signal }).catch(() => {
        // Stopped while it waited: the loop's condition ends it.
      });
    }
  }

  async #logTail(): Promise<string> {
    const text = await readFile(this.#options.local.hostLogPath, "utf8").catch(() => "");
    return text
      .trimEnd()
      .split("\n")
      .slice(-LOG_TAIL_LINES)
      .map((line) => `    ${line}`)
      .join("\n");
  }
}
