import { LogAllowance } from "../../log-allowance.ts";
import type { AppLimits, Invocation } from "../../protocol.ts";

// What the executor's tests call and are bound by, where they do not care: a test says what it does care about.

export function appLimits(changed: Partial<AppLimits> = {}): AppLimits {
  return {
    resultBytesMax: 1,
    stateValueBytesMax: 1,
    stateOperationsMax: 1,
    logMessageBytesMax: 1,
    logEntriesMax: 1,
    logAllowance: LogAllowance.of(1_000).shared,
    idleInstancesMax: 1,
    tenantInstancesMax: 1_000,
    cpuMsMax: 1_000,
    memoryBytesMax: 64 * 1024 * 1024,
    environment: {},
    ...changed,
  };
}

export function invocationOf(changed: Partial<Invocation> = {}): Invocation {
  return {
    invocationId: "i",
    revisionKey: "r",
    sequence: 1,
    weight: 1,
    functionName: "f",
    input: { mediaType: "application/json", body: new Uint8Array() },
    deadlineAtMs: 0,
    idempotencyKey: undefined,
    metadata: [],
    ...changed,
  };
}
