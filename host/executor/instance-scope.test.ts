import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { AppLimits, Invocation } from "../protocol.ts";
import { cut, InstanceScope } from "./instance-scope.ts";
import type { ThreadClock } from "./instance-scope.ts";
import { Turns } from "./turns.ts";

const limits: AppLimits = {
  resultBytesMax: 1,
  stateValueBytesMax: 1,
  stateOperationsMax: 1,
  logMessageBytesMax: 1,
  logEntriesMax: 1,
  idleInstancesMax: 1,
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

test("of guests that were resumed at once, none pays for the time of another", () => {
  const clock: ThreadClock = { stoppedAtMs: 0 };
  const startedAtMs = performance.now();
  const scopes = Array.from({ length: 4 }, (_, sequence) => {
    const scope = new InstanceScope({
      app: { tenantId: "acme", app: "a", revisionId: "r" },
      limits,
      emit: () => undefined,
      hold: () => undefined,
      clock,
      turns: new Turns(),
      sliceMs: 1,
    });
    scope.begin(invocation(sequence), performance.now());
    scope.suspended();
    return scope;
  });
  for (const scope of scopes) scope.resumed();
  for (const scope of scopes) {
    compute(5);
    scope.end();
  }
  const elapsedMs = performance.now() - startedAtMs;
  const usedMs = scopes.reduce((sum, { cpuMs }) => sum + cpuMs, 0);
  expect(usedMs).toBeLessThanOrEqual(elapsedMs);
  for (const { cpuMs } of scopes) expect(cpuMs).toBeGreaterThanOrEqual(5);
});

describe("cut", () => {
  test("leaves a text within the limit as it is", () => {
    expect(cut("häuser", 7)).toBe("häuser");
  });

  test("cuts at a whole character and says how long the text was", () => {
    expect(cut("aé".repeat(3), 4)).toBe("aéa… [cut: 9 bytes]");
  });

  test("never splits a character, whatever the text", () => {
    fc.assert(
      fc.property(
        fc.string({ unit: "grapheme" }),
        fc.integer({ min: 0, max: 20 }),
        (text, bytesMax) => {
          const [kept] = cut(text, bytesMax).split("… [cut: ");
          expect(text.startsWith(String(kept))).toBe(true);
          expect(Buffer.byteLength(String(kept))).toBeLessThanOrEqual(Math.max(bytesMax, 0) || 0);
        },
      ),
    );
  });
});
