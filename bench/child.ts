// A program that a bench measures, in a process of its own.
//
// C1. Every child that is started is ended: by `stop`, by the failure of the suite (the children
//     are `await using`), or by `endAllChildren` when the bench itself is interrupted.
// C2. A child leads a process group, so that what it started ends with it; but for one that starts nothing and
//     shares the bench's session, because Linux shares the processor among sessions first (`autogroup`).
// C3. A child that ends before it is ready rejects `waitForLine` with what it printed.

import { spawn } from "node:child_process";
import type { ChildProcessByStdio } from "node:child_process";
import { readFileSync } from "node:fs";
import { setPriority } from "node:os";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";

const STOP_TIMEOUT_MS = 15_000;
const OUTPUT_LINES_KEPT = 50;
/** Linux counts processor time for user space in hundredths of a second on every architecture. */
const CLOCK_TICKS_PER_SECOND = 100;

const running = new Set<Child>();

export interface ChildOptions {
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** It starts no process of its own, and what it needs of the processor is weighed against the bench's others. */
  readonly sharesSession?: boolean;
  /** From the usual 0 to 19: others go first. */
  readonly niceness?: number;
}

export class Child implements AsyncDisposable {
  readonly #name: string;
  readonly #process: ChildProcessByStdio<null, Readable, Readable>;
  readonly #leadsGroup: boolean;
  readonly #output: string[] = [];
  readonly #listeners = new Set<(line: string) => void>();
  readonly #exited: Promise<void>;
  #hasExited = false;

  constructor({ command, args, env = {}, cwd, sharesSession = false, niceness = 0 }: ChildOptions) {
    this.#name = [command, ...args].join(" ");
    this.#leadsGroup = !sharesSession;
    this.#process = spawn(command, args, {
      stdio: ["ignore", "pipe", "pipe"],
      detached: this.#leadsGroup,
      env: { ...process.env, ...env },
      ...(cwd === undefined ? {} : { cwd }),
    });
    running.add(this);
    // Before it has threads: they begin with what it has.
    if (niceness > 0 && this.#process.pid !== undefined) setPriority(this.#process.pid, niceness);
    this.#exited = new Promise((resolve) => {
      const settle = (): void => {
        this.#hasExited = true;
        running.delete(this);
        resolve();
      };
      this.#process.once("error", (error) => {
        this.#output.push(error.message);
        settle();
      });
      // "close" and not "exit": then all that it printed has been read.
      this.#process.once("close", settle);
    });
    for (const stream of [this.#process.stdout, this.#process.stderr]) {
      createInterface({ input: stream }).on("line", (line) => this.#keep(line));
    }
  }

  /** The process id; 0 when the program could not be started, which every use then reports. */
  get pid(): number {
    return this.#process.pid ?? 0;
  }

  get isRunning(): boolean {
    return !this.#hasExited;
  }

  get output(): string {
    return this.#output.join("\n");
  }

  /** The first match among what it has printed, and will print, on standard output or error. */
  async waitForLine(pattern: RegExp, timeoutMs: number): Promise<RegExpExecArray> {
    const { promise, resolve, reject } = Promise.withResolvers<RegExpExecArray>();
    const look = (line: string): void => {
      const match = pattern.exec(line);
      if (match !== null) resolve(match);
    };
    const timer = setTimeout(() => {
      reject(this.#failure(`printed nothing like ${String(pattern)} in ${String(timeoutMs)} ms`));
    }, timeoutMs);
    this.#listeners.add(look);
    this.#output.forEach(look);
    void this.#exited.then(() => reject(this.#failure("ended before it was ready")));
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
      this.#listeners.delete(look);
    }
  }

  /** Waits for a program that ends by itself; a failed one is an error with what it printed. */
  async waitForSuccess(timeoutMs: number): Promise<string> {
    const timeout = new AbortController();
    const timer = delay(timeoutMs, "late" as const, { signal: timeout.signal }).catch(() => "done");
    const first = await Promise.race([this.#exited, timer]);
    timeout.abort();
    if (first === "late") {
      await this.kill();
      throw this.#failure(`did not end in ${String(timeoutMs)} ms`);
    }
    if (this.#process.exitCode !== 0) throw this.#failure("failed");
    return this.output;
  }

  /** Asks it to end, and makes it end. */
  async stop(): Promise<void> {
    if (this.#hasExited) return;
    this.signal("SIGTERM");
    const stopped = new AbortController();
    const timer = delay(STOP_TIMEOUT_MS, undefined, { signal: stopped.signal }).then(
      () => this.signal("SIGKILL"),
      () => undefined,
    );
    await this.#exited;
    stopped.abort();
    await timer;
  }

  /** As a crash: no signal handler runs, nothing is flushed. */
  async kill(): Promise<void> {
    this.signal("SIGKILL");
    await this.#exited;
  }

  signal(signal: NodeJS.Signals): void {
    if (this.#hasExited || this.pid === 0) return;
    try {
      process.kill(this.#leadsGroup ? -this.pid : this.pid, signal);
    } catch {
      // ESRCH: it ended between the check and the signal, which is what was wanted.
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  /** Processor time of all its threads since it started. */
  cpuSeconds(): number {
    const stat = readFileSync(`/proc/${String(this.pid)}/stat`, "utf8");
    // The command's name stands in brackets and may hold spaces; user and system time are the
    // 14th and 15th fields, which makes them the 12th and 13th after the name.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return (Number(fields[11]) + Number(fields[12])) / CLOCK_TICKS_PER_SECOND;
  }

  residentMiB(): number {
    const status = readFileSync(`/proc/${String(this.pid)}/status`, "utf8");
    const match = /^VmRSS:\s+(\d+) kB$/m.exec(status);
    if (match === null) throw this.#failure("has no resident memory");
    return Number(match[1]) / 1024;
  }

  #keep(line: string): void {
    this.#output.push(line);
    if (this.#output.length > OUTPUT_LINES_KEPT) this.#output.shift();
    for (const listener of this.#listeners) listener(line);
  }

  #failure(what: string): Error {
    return new Error(`${this.#name} ${what}\n${this.output}`);
  }
}

/** For the signal handlers of the bench: ends at once what still runs. */
export function endAllChildren(): void {
  for (const child of running) child.signal("SIGKILL");
}
