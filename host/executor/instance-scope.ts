import assert from "node:assert/strict";
import { OutputGate } from "@downpour/kvs";
import { HostError } from "../errors.ts";
import type { LineWriter } from "../engine/wasi/line-writer.ts";
import type {
  AppIdentity,
  AppLimits,
  Invocation,
  InvocationUsage,
  LogEntry,
  LogLevel,
} from "../protocol.ts";
import { FunctionLog } from "./function-log.ts";
import type { ThreadClock, Timed } from "./thread-clock.ts";
import type { Computing, Turns } from "./turns.ts";

/**
 * What the capabilities of one instance know: whose it is, and which call it runs now. Made with the
 * instance and never shared by two; the call changes, the tenant never does.
 *
 * S1. Between two calls there is no invocation: a capability that needs one traps the guest.
 * S2. The guest's clock runs from `start` to `end`, except between `suspended` and `resumed`.
 * S3. What a call wrote stands in the log under that call, also a last line without its end.
 */
export class InstanceScope implements Timed {
  readonly app: AppIdentity;
  readonly limits: AppLimits;
  readonly #log: FunctionLog;
  readonly #writers: LineWriter[] = [];
  readonly #clock: ThreadClock;
  readonly #turns: Turns;
  readonly #sliceMs: number;
  #invocation: Invocation | undefined;
  /** Set from its first turn to the next wait for something else. */
  #computing: Computing | undefined;
  #gate = new OutputGate();
  #stateOperations = 0;
  #sequence = 0;
  /** What it waits for, and for nothing else: all that of it asks meanwhile shares it. */
  #turn: Promise<void> | undefined;
  /** When it was first asked to wait where it could not, in this slice. */
  #unyieldingSinceUs: number | undefined;
  #cpuMs = 0;

  constructor(options: {
    readonly app: AppIdentity;
    readonly limits: AppLimits;
    readonly emit: (entry: LogEntry) => void;
    readonly clock: ThreadClock;
    readonly turns: Turns;
    /** How long a guest computes before others of its thread have their turn. */
    readonly sliceMs: number;
  }) {
    this.app = options.app;
    this.limits = options.limits;
    this.#log = new FunctionLog(options);
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

  /** Of this call, up to its last wait. */
  get cpuMs(): number {
    return this.#cpuMs;
  }

  /** What this call has used beside the processor. */
  get used(): Pick<InvocationUsage, "stateOperations" | "logBytes" | "logEntriesDropped"> {
    const { bytes: logBytes, dropped: logEntriesDropped } = this.#log;
    return { stateOperations: this.#stateOperations, logBytes, logEntriesDropped };
  }

  /** Of the invocation that its guest computes for. */
  get sequence(): number {
    return this.#sequence;
  }

  charge(ms: number): void {
    this.#cpuMs += ms;
  }

  /**
   * From here on the guest computes for the invocation of this number, perhaps with its start functions.
   * `ranMs`: what it computed for it already, before it was there.
   */
  start(sequence: number, ranMs = 0): void {
    this.#sequence = sequence;
    this.#cpuMs = ranMs;
    this.resumed();
  }

  begin(invocation: Invocation): void {
    assert(this.#invocation === undefined && this.#sequence === invocation.sequence);
    this.#invocation = invocation;
    this.#gate = new OutputGate();
    this.#log.begin();
    this.#stateOperations = 0;
  }

  /**
   * The guest has computed for a while: ends it where it has used up its time, and lets others have their
   * turn where it has used up its slice. Where it cannot wait, it holds the thread, and may do so for less long.
   */
  fuelSpent(canWait: boolean): Promise<void> | undefined {
    this.#clock.goOn(this);
    const runningMs = this.#clock.ranMs(this);
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
  async yielded(): Promise<void> {
    this.#turn ??= this.#nextTurn();
    const turn = this.#turn;
    await turn;
    // Its call may have ended meanwhile, and the next one wait for another.
    if (this.#turn === turn) this.#turn = undefined;
  }

  /**
   * What the guest waited for is there. One that has computed for longer than a slice goes on in its turn: one message
   * may end the waits of many, and whoever else has something to do on the thread would wait for all of them.
   */
  arrived(): Promise<void> | undefined {
    const takesTurn = this.#invocation !== undefined && this.#cpuMs >= this.#sliceMs;
    return takesTurn ? this.yielded() : undefined;
  }

  #nextTurn(): Promise<void> {
    assert(this.#invocation !== undefined);
    const { weight, sequence } = this.#invocation;
    this.#computing ??= { tenantId: this.app.tenantId, weight, sequence };
    return this.#turns.next(this.#computing);
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

  /** The guest waits: for its turn, or for something outside its thread. */
  suspended(): void {
    if (this.#turn === undefined) {
      this.#stopComputing();
      // What it has asked for leaves at the end of this turn.
      this.#turns.giveWay();
    }
    this.#clock.stop(this);
  }

  #stopComputing(): void {
    if (this.#computing === undefined) return;
    this.#turns.leave(this.#computing);
    this.#computing = undefined;
  }

  /** Code of the guest runs, or goes on. */
  resumed(): void {
    this.#unyieldingSinceUs = undefined;
    this.#clock.run(this);
  }

  /** Of the call, or of what had only started to run for it. */
  end(): void {
    this.#clock.stop(this);
    this.#stopComputing();
    this.#turn = undefined;
    this.#invocation = undefined;
  }

  /** Output of the guest whose unfinished lines belong to the call that runs when they are written. */
  keepWriter(writer: LineWriter): void {
    this.#writers.push(writer);
  }

  /**
   * The guest writes no more in this call: what it left unfinished becomes entries of the log, and why the call
   * failed, where that is worth one.
   */
  finishLog(failure: string | undefined): void {
    assert(this.#invocation !== undefined);
    for (const writer of this.#writers) writer.close();
    this.#log.end(this.#invocation, failure);
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

  log(level: LogLevel, message: string): void {
    if (this.#invocation !== undefined) this.#log.write(this.#invocation, level, message);
  }
}

/** With a JavaScript frame below it, a guest cannot be put aside: its neighbours wait for it. */
const UNYIELDING_MS_MAX = 200;
