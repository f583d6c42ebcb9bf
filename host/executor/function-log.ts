import { guestClock } from "../engine/wasi/coarse-clock.ts";
import { LogAllowance } from "../log-allowance.ts";
import type { AppIdentity, AppLimits, Invocation, LogEntry, LogLevel } from "../protocol.ts";
import { cut } from "./cut.ts";

/** What an entry counts against the tenant's rate beside its message: about what it costs to pass it on. */
const ENTRY_BYTES = 200;

// What the calls of one instance write into their function's log.
//
// F1. A message is cut at its limit. Of one call so many entries pass, and of a tenant so many bytes a second;
//     what does not pass is counted, and said in the log.
// F2. What the host itself says at the end of a call, at most two entries, passes always: why it ended, and what
//     is missing.
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

  /** Of the messages of this call that passed. */
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
      this.#pass(invocation, "warn", `[${this.#dropped} log entries dropped: ${this.#limit()}]`);
    }
    if (failure === undefined) return;
    this.#pass(invocation, "error", cut(failure, this.#limits.logMessageBytesMax));
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
