import assert from "node:assert/strict";
import { OutputGate } from "@downpour/kvs";
import { HostError } from "../errors.ts";
import type { LineWriter } from "../engine/wasi/line-writer.ts";
import type { AppIdentity, AppLimits, Invocation, LogEntry, LogLevel } from "../protocol.ts";
import type { Computing, Turns } from "./turns.ts";

/** Of all guests of one thread. */
export interface ThreadClock {
  /** When one of them stopped to run last. */
  stoppedAtMs: number;
}

/**
 * What the capabilities of one instance know: whose it is, and which call it runs now. Made with the
 * instance and never shared by two; the call changes, the tenant never does.
 *
 * S1. Between two calls there is no invocation: a capability that needs one traps the guest.
 * S2. The guest's clock runs from `begin` to `end`, except between `suspended` and `resumed`, and never
 *     while another guest of the thread ran: of several that were resumed at once, one runs after the other.
 * S3. What a call wrote stands in the log under that call, also a last line without its end.
 */
export class InstanceScope {
  readonly app: AppIdentity;
  readonly limits: AppLimits;
  readonly #emit: (entry: LogEntry) => void;
  readonly #writers: LineWriter[] = [];
  readonly #hold: (sequence: number) => void;
  readonly #clock: ThreadClock;
  readonly #turns: Turns;
  readonly #sliceMs: number;
  #invocation: Invocation | undefined;
  /** Set from its first turn to the next wait for something else. */
  #computing: Computing | undefined;
  #gate = new OutputGate();
  #logEntries = 0;
  #stateOperations = 0;
  /** Also before its first call: the guest may compute while it starts. */
  #runningSinceMs = performance.now();
  /** When it was first asked to wait where it could not, in this slice. */
  #unyieldingSinceUs: number | undefined;
  #waits = 0;
  #cpuMs = 0;

  constructor(options: {
    readonly app: AppIdentity;
    readonly limits: AppLimits;
    readonly emit: (entry: LogEntry) => void;
    /** Told the number of the invocation whose guest runs from now on, and 0 when it does not. */
    readonly hold: (sequence: number) => void;
    readonly clock: ThreadClock;
    readonly turns: Turns;
    /** How long a guest computes before others of its thread have their turn. */
    readonly sliceMs: number;
  }) {
    this.app = options.app;
    this.limits = options.limits;
    this.#emit = options.emit;
    this.#hold = options.hold;
    this.#clock = options.clock;
    this.#turns = options.turns;
    this.#sliceMs = options.sliceMs;
  }

  get invocation(): Invocation | undefined {
    return this.#invocation;
  }

  /** What this call's answer waits at. */
  get gate(): OutputGate {
    return this.#gate;
  }

  get cpuMs(): number {
    return this.#cpuMs;
  }

  /** `sinceMs`: when the guest began to run for it, perhaps with its start functions. */
  begin(invocation: Invocation, sinceMs: number): void {
    assert(this.#invocation === undefined);
    this.#invocation = invocation;
    this.#gate = new OutputGate();
    this.#logEntries = 0;
    this.#stateOperations = 0;
    this.#cpuMs = 0;
    this.#waits = 0;
    this.#runningSinceMs = sinceMs;
    this.#unyieldingSinceUs = undefined;
    this.#hold(invocation.sequence);
  }

  /**
   * The guest has computed for a while: ends it where it has used up its time, and lets others have their
   * turn where it has used up its slice. Where it cannot wait, it holds the thread, and may do so for less long.
   */
  fuelSpent(canWait: boolean): Promise<void> | undefined {
    const runningMs = this.#waits === 0 ? this.#ranMs(performance.now()) : 0;
    const { cpuMsMax } = this.limits;
    if (this.#cpuMs + runningMs > cpuMsMax) {
      throw new HostError("CPU_LIMIT_EXCEEDED", "the function computed for longer than it may", {
        details: { cpuMsMax },
      });
    }
    if (runningMs < this.#sliceMs) return undefined;
    if (!canWait) {
      this.#goOnUnyielding();
      return undefined;
    }
    return this.yielded();
  }

  /** The guest is put aside until it is its turn. */
  yielded(): Promise<void> {
    const { weight, sequence } = this.#invocation ?? AFTER_ITS_ANSWER;
    this.#computing ??= { tenantId: this.app.tenantId, weight, sequence };
    this.#pause();
    return this.#turns.next(this.#computing).then(() => this.resumed());
  }

  /** By the processor's clock: a thread that does not get the processor is not the guest's doing. */
  #goOnUnyielding(): void {
    const { user, system } = process.threadCpuUsage();
    this.#unyieldingSinceUs ??= user + system;
    const unyieldingMs = (user + system - this.#unyieldingSinceUs) / 1_000;
    if (unyieldingMs < Math.max(UNYIELDING_MS_MAX, this.#sliceMs)) return;
    throw new HostError(
      "CPU_LIMIT_EXCEEDED",
      "the function computed for too long where it cannot be put aside: while it starts, or while values are handed over",
      { details: { cpuMsMax: UNYIELDING_MS_MAX } },
    );
  }

  /** The guest starts to wait for something outside its thread. */
  suspended(): void {
    this.#stopComputing();
    this.#pause();
  }

  #stopComputing(): void {
    if (this.#computing === undefined) return;
    this.#turns.leave(this.#computing);
    this.#computing = undefined;
  }

  #ranMs(nowMs: number): number {
    return nowMs - Math.max(this.#runningSinceMs, this.#clock.stoppedAtMs);
  }

  #pause(): void {
    if (this.#waits === 0) {
      const nowMs = performance.now();
      this.#cpuMs += this.#ranMs(nowMs);
      this.#clock.stoppedAtMs = nowMs;
      this.#hold(0);
    }
    this.#waits += 1;
  }

  /** What the guest waited for is there: it runs on. */
  resumed(): void {
    this.#waits -= 1;
    if (this.#waits > 0) return;
    this.#runningSinceMs = performance.now();
    this.#unyieldingSinceUs = undefined;
    if (this.#invocation !== undefined) this.#hold(this.#invocation.sequence);
  }

  end(): void {
    assert(this.#invocation !== undefined);
    // What was abandoned while it waited has been counted up to its wait.
    if (this.#waits === 0) this.#pause();
    this.#stopComputing();
    this.#invocation = undefined;
  }

  /** Output of the guest whose unfinished lines belong to the call that runs when they are written. */
  keepWriter(writer: LineWriter): void {
    this.#writers.push(writer);
  }

  /** The guest writes no more in this call: what it left unfinished becomes entries of the log. */
  finishLines(): void {
    for (const writer of this.#writers) writer.close();
  }

  /** Throws what ends the call where it asks more of the state than it may. */
  takeStateOperation(): void {
    this.#stateOperations += 1;
    const { stateOperationsMax } = this.limits;
    if (this.#stateOperations <= stateOperationsMax) return;
    throw new HostError(
      "STATE_OPERATIONS_EXCEEDED",
      `an invocation may ask ${stateOperationsMax} things of the state`,
      { details: { stateOperationsMax } },
    );
  }

  /** Cuts a long message and, past the limit of entries for one invocation, says once that entries are missing. */
  log(level: LogLevel, message: string): void {
    const invocation = this.#invocation;
    if (invocation === undefined) return;
    this.#logEntries += 1;
    const { logEntriesMax, logMessageBytesMax } = this.limits;
    if (this.#logEntries > logEntriesMax + 1) return;
    if (this.#logEntries === logEntriesMax + 1) {
      this.#write(
        invocation,
        "warn",
        `[further log entries of this invocation are dropped: the limit is ${logEntriesMax}]`,
      );
      return;
    }
    this.#write(invocation, level, cut(message, logMessageBytesMax));
  }

  #write(invocation: Invocation, level: LogLevel, message: string): void {
    this.#emit({
      tenantId: this.app.tenantId,
      app: this.app.app,
      functionName: invocation.functionName,
      invocationId: invocation.invocationId,
      atMs: Date.now(),
      level,
      message,
    });
  }
}

/** What computes on when its call has been answered. */
const AFTER_ITS_ANSWER = { weight: 1, sequence: 0 };

/** With a JavaScript frame below it, a guest cannot be put aside: its neighbours wait for it. */
const UNYIELDING_MS_MAX = 200;

/** Cuts a text to a number of UTF-8 bytes, at a whole character, and marks the cut. */
export function cut(text: string, bytesMax: number): string {
  // A UTF-16 unit takes at most three bytes: most texts need no exact count.
  if (text.length * 3 <= bytesMax) return text;
  const bytes = Buffer.byteLength(text);
  if (bytes <= bytesMax) return text;
  const kept = Buffer.from(text)
    .subarray(0, bytesMax)
    .toString()
    .replace(/\uFFFD$/u, "");
  return `${kept}… [cut: ${bytes} bytes]`;
}
