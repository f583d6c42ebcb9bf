import type { StateConnection } from "@downpour/kvs";
import type { CompiledComponent } from "./engine/engine.ts";
import type { ErrorWire } from "./errors.ts";

/**
 * What crosses between the main thread and an executor thread: two closed unions, posted in
 * batches (`readonly ExecutorRequest[]`, `readonly ExecutorReply[]`), because under load the
 * wake-up of a thread costs more than the message.
 *
 * P1. An executor knows a revision before it is asked to run it: `prepare` goes first, on the same port.
 * P2. Every `invoke` is answered by exactly one `settled`, also when it was cancelled.
 * P3. Nothing here is a live object but compiled modules, which share their code between threads.
 */
export type ExecutorRequest =
  | {
      readonly kind: "prepare";
      readonly revisionKey: string;
      readonly component: CompiledComponent;
      readonly app: AppIdentity;
      readonly limits: AppLimits;
      /** Nobody waits for it yet: there is time to make an instance too. */
      readonly isAhead: boolean;
    }
  | { readonly kind: "forget"; readonly revisionKey: string }
  | { readonly kind: "invoke"; readonly invocation: Invocation }
  | { readonly kind: "cancel"; readonly invocationId: string; readonly error: ErrorWire }
  | { readonly kind: "drain" };

export type ExecutorReply =
  | { readonly kind: "ready" }
  | { readonly kind: "settled"; readonly invocationId: string; readonly outcome: Outcome }
  | { readonly kind: "logged"; readonly entries: readonly LogEntry[] }
  /** What each tenant holds on the thread now: all of them, every few seconds. */
  | { readonly kind: "holds"; readonly tenants: readonly TenantInstances[] }
  /** What came ahead of its first invocation is ready for it. */
  | { readonly kind: "prepared"; readonly revisionKey: string }
  | { readonly kind: "drained" };

/** A tenant's instances, busy and idle. */
export interface TenantInstances {
  readonly tenantId: string;
  readonly instances: number;
  /** Their linear memory. */
  readonly memoryBytes: number;
}

/** The first message to an executor thread: what it works with. */
export interface ExecutorThreadData {
  readonly storage: StateConnection;
  readonly tuning: ExecutorTuning;
  /** `EXECUTOR_CELLS`: the main thread reads them also when the thread does not answer, or is gone. */
  readonly cells: SharedArrayBuffer;
}

/** What an executor says without a message: 32-bit cells that it alone writes. */
export const EXECUTOR_CELLS = {
  /** How many invocations have started, modulo 2^32. */
  started: 0,
  /** The `sequence` of the invocation whose guest runs; 0 for none. */
  holder: 1,
  /** Grows about ten times a second, as long as the thread comes back to its events. */
  beats: 2,
  /** The first of `STARTED_KEPT`: the `sequence` of each invocation that started lately, in a ring. */
  startedLately: 3,
} as const;

/** A power of two. More than are sent to a thread and not known to have started (`executor-handle.ts`). */
export const STARTED_KEPT = 512;

export const EXECUTOR_CELLS_BYTES =
  (EXECUTOR_CELLS.startedLately + STARTED_KEPT) * Int32Array.BYTES_PER_ELEMENT;

export interface ExecutorTuning {
  /** Instances of one thread, busy and idle: each reserves address space (two memories of 8 GB for a QuickJS guest). */
  readonly instancesMax: number;
  /** Linear memory of its instances. */
  readonly memory: { readonly bytesMax: number; readonly tenantBytesMax: number };
  /** An instance that nobody needed for so long is let go. */
  readonly instanceIdleMs: number;
  /** Linear memory never shrinks: an instance that grew past this serves no second call. */
  readonly idleInstanceBytesMax: number;
  /** How long a guest computes before others of its thread have their turn. */
  readonly sliceMs: number;
}

export interface AppIdentity {
  readonly tenantId: string;
  readonly app: string;
  /** SHA-256 of the component, lower-case hexadecimal. */
  readonly revisionId: string;
}

export interface AppLimits {
  readonly resultBytesMax: number;
  readonly stateValueBytesMax: number;
  /** Of one invocation. */
  readonly stateOperationsMax: number;
  readonly logMessageBytesMax: number;
  /** Of one invocation. */
  readonly logEntriesMax: number;
  /** Of the tenant: `LogAllowance`. */
  readonly logAllowance: SharedArrayBuffer;
  readonly idleInstancesMax: number;
  /** Instances of all its tenant's apps on the thread, busy and idle: no idle one is kept beyond. */
  readonly tenantInstancesMax: number;
  /** Time that one invocation may compute. */
  readonly cpuMsMax: number;
  /** Linear memory of one instance. */
  readonly memoryBytesMax: number;
  readonly environment: Readonly<Record<string, string>>;
}

export interface Payload {
  readonly mediaType: string;
  readonly body: Uint8Array;
}

export interface Invocation {
  readonly invocationId: string;
  readonly revisionKey: string;
  /** Counts the invocations sent to one executor from 1, modulo 2^32. */
  readonly sequence: number;
  /** Of its tenant: its share of the thread, beside those of others. */
  readonly weight: number;
  readonly functionName: string;
  readonly input: Payload;
  readonly deadlineAtMs: number;
  readonly idempotencyKey: string | undefined;
  readonly metadata: readonly (readonly [name: string, value: string])[];
}

/** How an invocation ended, as a value: guest outcomes are not exceptions of the host. */
export type Outcome =
  | { readonly kind: "completed"; readonly output: Payload; readonly usage: InvocationUsage }
  | { readonly kind: "failed"; readonly error: ErrorWire; readonly usage: InvocationUsage };

export interface InvocationUsage {
  /** Time the guest, and host calls it waited for synchronously, held the thread. */
  readonly cpuUs: number;
  /** Of the guest's code: about one for each instruction. */
  readonly fuel: number;
  readonly wallUs: number;
  /** The instance was made for this invocation. */
  readonly coldStart: boolean;
  readonly memoryBytes: number;
  /** Reads, writes and listings. */
  readonly stateOperations: number;
  /** Of the messages that it logged, and of what the host said at its end. */
  readonly logBytes: number;
  /** Beyond the limits of its log. */
  readonly logEntriesDropped: number;
}

/** Of an invocation that did not run, or of which nobody can say. */
export const NO_USAGE: InvocationUsage = {
  cpuUs: 0,
  fuel: 0,
  wallUs: 0,
  coldStart: false,
  memoryBytes: 0,
  stateOperations: 0,
  logBytes: 0,
  logEntriesDropped: 0,
};

export type LogLevel = "trace" | "debug" | "info" | "warn" | "error";

export interface LogEntry {
  readonly tenantId: string;
  readonly app: string;
  readonly functionName: string;
  readonly invocationId: string;
  readonly atMs: number;
  readonly level: LogLevel;
  readonly message: string;
}

/** Closes an exhaustive `switch`: adding a message kind becomes a type error at every switch. */
export function unreachable(value: never): never {
  throw new Error(`unreachable: ${JSON.stringify(value)}`);
}
