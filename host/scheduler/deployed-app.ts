import type { CompiledComponent } from "../engine/engine.ts";
import type { LoadLimits } from "./load.ts";
import type { AppIdentity, AppLimits, InvocationUsage, Outcome, Payload } from "../protocol.ts";

/** One active revision, as the control plane hands it to the scheduler. */
export interface DeployedApp {
  readonly identity: AppIdentity;
  /** What `load` gives: a revision that was uploaded anew with other limits is other code. */
  readonly codeKey: string;
  /** Function names of the manifest: others are refused without waking an executor. */
  readonly functions: ReadonlySet<string>;
  readonly executorLimits: AppLimits;
  readonly deadlineMs: number;
  readonly limits: LoadLimits;
  /** Of all its core modules: what it takes to have it loaded is in proportion. */
  readonly codeBytes: number;
  /** Loads the compiled component when it is first needed; the scheduler calls it at most once at a time. */
  readonly load: () => Promise<CompiledComponent>;
}

export interface InvokeRequest {
  readonly tenantId: string;
  readonly app: string;
  readonly functionName: string;
  readonly input: Payload;
  /** The caller's own limit; the app's deadline caps it. */
  readonly deadlineMs: number | undefined;
  readonly idempotencyKey: string | undefined;
  readonly metadata: readonly (readonly [name: string, value: string])[];
}

export interface InvokeResult {
  readonly invocationId: string;
  /** The revision that ran; for what never started, the one that would have. */
  readonly revisionId: string;
  readonly outcome: Outcome;
}

/** What is told of each settled invocation: for metrics and usage. */
export interface InvocationRecord {
  readonly identity: AppIdentity;
  readonly invocationId: string;
  readonly functionName: string;
  readonly inputBytes: number;
  readonly outputBytes: number;
  readonly queuedUs: number;
  readonly usage: InvocationUsage;
  /** Undefined for a completed invocation. */
  readonly errorCode: string | undefined;
}
