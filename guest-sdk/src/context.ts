import { current } from "downpour:faas/context@0.1.0";
import type { WitInvocation } from "downpour:faas/context@0.1.0";
import { getEnvironment } from "wasi:cli/environment@0.2.12";
import { fromInt64 } from "./engine.ts";
import { requireServing } from "./phase.ts";
import { leaveTraces, onWipe } from "./traces.ts";

/** The running invocation. Every function gets it as its second parameter. */
export interface Context {
  /** Unique for each invocation of a host. */
  readonly invocationId: string;
  readonly tenant: string;
  readonly app: string;
  /** SHA-256 of the deployed component, lower-case hexadecimal. */
  readonly revision: string;
  readonly functionName: string;
  /** Milliseconds since 1970 after which the host ends this invocation. */
  readonly deadlineMs: number;
  /** The caller's `Idempotency-Key`: the same for each retry of one request. */
  readonly idempotencyKey: string | undefined;
  /** What the caller sent along, by lower-case name; of a repeated name, the last. */
  readonly metadata: ReadonlyMap<string, string>;
  /** The app's configuration, by name, as its owner set it on the host. */
  readonly environment: ReadonlyMap<string, string>;
  /** Milliseconds left before the deadline, at least 0. */
  remainingMs(): number;
}

let invocation: WitInvocation | undefined;
let metadata: ReadonlyMap<string, string> | undefined;
/** The host makes new instances where it changes. */
let environment: ReadonlyMap<string, string> | undefined;

// An instance runs one invocation at a time, so this state is the instance's.
onWipe(() => {
  invocation = undefined;
  metadata = undefined;
});

/** Asks the host only once for each invocation, and only when the function looks. */
function running(): WitInvocation {
  if (invocation === undefined) {
    requireServing("context");
    invocation = current();
    leaveTraces();
  }
  return invocation;
}

export const context: Context = Object.freeze({
  get invocationId() {
    return running().id;
  },
  get tenant() {
    return running().tenant;
  },
  get app() {
    return running().app;
  },
  get revision() {
    return running().revision;
  },
  get functionName() {
    return running().function;
  },
  get deadlineMs() {
    return fromInt64(running().deadlineMs);
  },
  get idempotencyKey() {
    return running().idempotencyKey ?? undefined;
  },
  get metadata() {
    metadata ??= new Map(running().metadata);
    return metadata;
  },
  get environment() {
    if (environment === undefined) {
      requireServing("context.environment");
      environment = new Map(getEnvironment());
    }
    return environment;
  },
  remainingMs() {
    return Math.max(0, fromInt64(running().deadlineMs) - Date.now());
  },
});
