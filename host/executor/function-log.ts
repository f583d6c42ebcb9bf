import { guestClock } from "../engine/wasi/coarse-clock.ts";
import { LogAllowance } from "../log-allowance.ts";
import type { AppIdentity, AppLimits, Invocation, LogEntry, LogLevel } from "../protocol.ts";
import { cut } from "./cut.ts";

/** What an entry counts against the tenant's rate beside its message: about what it costs to pass it on. */
const ENTRY_BYTES = 200;
/** Of why a call ended, where the tenant has logged too much already: the code, and how its message begins. */
const SHORT_BYTES = 200;

// What the calls of one instance write into their function's log.
//
// F1. A message is cut at its limit. Of one call so many entries pass, and of a tenant so many bytes a second;
//     what does not pass is counted, and said in the log.
// F2. What the host itself says at the end of a call, at most two entries, passes always: why it ended, and what
//     is missing. It counts like the rest, and puts off what is logged later; where that is too much
//     already, why the call ended is said in few words.
export class FunctionLog {
  readonly #app: AppIdentity;
  readonly #limits: AppLimits;
  readonly #allowance: LogAllowance;
  readonly #emit: (entry: LogEntry) => void;
  #entries = 0;
  #bytes = 0;
  #dropped = 0;
  #isOverRate = false;

  constructor(options: {
    readonly app: AppIdentity;
    readonly limits: AppLimits;
    readonly emit: (entry: LogEntry) => void;
  }) {
    this.#app = options.app;
    this.#limits = options.limits;
    this.#allowance = LogAllowance.from(options.limits.logAllowance);
    this.#emit = options.emit;
  }

  /** Of the messages of this call that passed, and of what the host said at its end. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Entries of this call that did not pass. */
  get dropped(): number {
    return this.#dropped;
  }

  begin(): void {
    this.#entries = 0;
    this.#bytes = 0;
    this.#dropped = 0;
    this.#isOverRate = false;
  }

  write(invocation: Invocation, level: LogLevel, message: string): void {
    const { logEntriesMax, logMessageBytesMax } = this.#limits;
    this.#entries += 1;
    if (this.#entries > logEntriesMax) {
      this.#dropped += 1;
      return;
    }
    const text = cut(message, logMessageBytesMax);
    const bytes = Buffer.byteLength(text);
    if (!this.#allowance.take(ENTRY_BYTES + bytes)) {
      this.#isOverRate = true;
      this.#dropped += 1;
      return;
    }
    this.#bytes += bytes;
    this.#pass(invocation, level, text);
  }

  /** The call ends: says what is missing, and why it ended where that is worth an entry (F2). */
  end(invocation: Invocation, failure: string | undefined): void {
    if (this.#dropped > 0) {
      const missing = `[${this.#dropped} log entries dropped: ${this.#limit()}]`;
      this.#say(invocation, "warn", missing, missing);
    }
    if (failure === undefined) return;
    const { logMessageBytesMax } = this.#limits;
    const short = cut(failure, Math.min(SHORT_BYTES, logMessageBytesMax));
    this.#say(invocation, "error", cut(failure, logMessageBytesMax), short);
  }

  /** Passes always (F2): as it is, or short. */
  #say(invocation: Invocation, level: LogLevel, message: string, short: string): void {
    const isWhole = this.#allowance.takeOwing(ENTRY_BYTES + Buffer.byteLength(message));
    const text = isWhole ? message : short;
    const bytes = Buffer.byteLength(text);
    if (!isWhole) this.#allowance.charge(ENTRY_BYTES + bytes);
    this.#bytes += bytes;
    this.#pass(invocation, level, text);
  }

  #limit(): string {
    const ofCall = `an invocation may write ${this.#limits.logEntriesMax}`;
    if (!this.#isOverRate) return ofCall;
    const ofTenant = `the tenant may log ${this.#allowance.bytesPerSecondMax} bytes a second`;
    return this.#entries > this.#limits.logEntriesMax ? `${ofTenant}, and ${ofCall}` : ofTenant;
  }

  #pass(invocation: Invocation, level: LogLevel, message: string): void {
    this.#emit({
      tenantId: this.#app.tenantId,
      app: this.#app.app,
      functionName: invocation.functionName,
      invocationId: invocation.invocationId,
      // The tenant reads it: an exact time would tell when the guest's own clock is to go on.
      atMs: guestClock.dateMs(),
      level,
      message,
    });
  }
}
