import { expect, test } from "vitest";
import { LogAllowance } from "../log-allowance.ts";
import type { AppLimits, Invocation } from "../protocol.ts";
import { InstanceScope } from "./instance-scope.ts";
import { ThreadClock } from "./thread-clock.ts";
import { Turns } from "./turns.ts";

const limits: AppLimits = {
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
};

function invocation(sequence: number): Invocation {
  return {
    invocationId: String(sequence),
    revisionKey: "r",
    sequence,
    weight: 1,
    functionName: "f",
    input: { mediaType: "application/json", body: new Uint8Array() },
    deadlineAtMs: 0,
    idempotencyKey: undefined,
    metadata: [],
  };
}

function compute(ms: number): void {
  const endMs = performance.now() + ms;
  while (performance.now() < endMs);
}

function scopeOf(clock: ThreadClock, turns = new Turns(1)): InstanceScope {
  return new InstanceScope({
    app: { tenantId: "acme", app: "a", revisionId: "r" },
    limits,
    emit: () => undefined,
    clock,
    turns,
    sliceMs: 1,
  });
}

function begin(scope: InstanceScope, sequence: number): void {
  scope.start(sequence);
  scope.begin(invocation(sequence));
}

test("a guest pays for its start, and not for the time that it waits", () => {
  const scope = scopeOf(new ThreadClock(() => undefined));
  const startedAtMs = performance.now();
  scope.start(1);
  compute(5);
  scope.begin(invocation(1));
  scope.suspended();
  compute(5);
  scope.resumed();
  compute(5);
  scope.end();
  expect(scope.cpuMs).toBeGreaterThanOrEqual(10);
  expect(scope.cpuMs).toBeLessThanOrEqual(performance.now() - startedAtMs - 5);
});

test("a guest that computes when its call has returned, and others have run since, is asked to wait all the same", () => {
  const clock = new ThreadClock(() => undefined);
  const [returned, next] = [scopeOf(clock), scopeOf(clock)];
  begin(returned, 1);
  begin(next, 2);
  expect(returned.fuelSpent(true)).toBeUndefined();
  compute(5);
  expect(returned.fuelSpent(true)).toBeInstanceOf(Promise);
});

test("one that was put aside keeps its turn when code of it runs for something else", async () => {
  const turns = new Turns(1);
  const clock = new ThreadClock(() => undefined);
  const scope = scopeOf(clock, turns);
  begin(scope, 1);
  const turn = scope.yielded();
  scope.suspended();
  // The end of an import that it did not wait for is put into its memory.
  scope.resumed();
  scope.suspended();
  await expect(turn).resolves.toBeUndefined();
});
