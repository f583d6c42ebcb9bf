import { expect, test } from "vitest";
import { LogAllowance } from "../log-allowance.ts";
import type { LogEntry } from "../protocol.ts";
import { FunctionLog } from "./function-log.ts";
import { appLimits, invocationOf } from "./testing/calls.ts";

const invocation = invocationOf();

function open(limits: {
  readonly bytesPerSecondMax?: number;
  readonly entriesMax?: number;
  readonly messageBytesMax?: number;
  readonly allowance?: LogAllowance;
}): { readonly log: FunctionLog; readonly messages: string[] } {
  const messages: string[] = [];
  const allowance = limits.allowance ?? LogAllowance.of(limits.bytesPerSecondMax ?? 1_000_000);
  const log = new FunctionLog({
    app: { tenantId: "acme", app: "a", revisionId: "r" },
    limits: appLimits({
      logAllowance: allowance.shared,
      logEntriesMax: limits.entriesMax ?? 100,
      logMessageBytesMax: limits.messageBytesMax ?? 20,
    }),
    emit: ({ level, message }: LogEntry) => messages.push(`${level} ${message}`),
  });
  log.begin();
  return { log, messages };
}

test("a message within every limit passes as it is, and counts", () => {
  const { log, messages } = open({});
  log.write(invocation, "info", "häuser");
  log.end(invocation, undefined);
  expect(messages).toEqual(["info häuser"]);
  expect([log.bytes, log.dropped]).toEqual([7, 0]);
});

test("entries beyond the tenant's rate are dropped, counted, and said at the end of the call", () => {
  // An entry counts 200 beside its message: two take the budget of a second for more than a minute.
  const { log, messages } = open({ bytesPerSecondMax: 3 });
  for (const message of ["one", "two", "three"]) log.write(invocation, "info", message);
  expect(messages).toEqual(["info one"]);
  log.end(invocation, undefined);
  const missing = "[2 log entries dropped: the tenant may log 3 bytes a second]";
  expect(messages.at(-1)).toBe(`warn ${missing}`);
  expect([log.bytes, log.dropped]).toEqual([3 + missing.length, 2]);
});

test("entries beyond the call's number are dropped, and the next call is counted anew", () => {
  const { log, messages } = open({ entriesMax: 1 });
  for (const message of ["one", "two"]) log.write(invocation, "info", message);
  log.end(invocation, undefined);
  log.begin();
  log.write(invocation, "info", "three");
  log.end(invocation, undefined);
  expect(messages).toEqual([
    "info one",
    "warn [1 log entries dropped: an invocation may write 1]",
    "info three",
  ]);
  expect(log.dropped).toBe(0);
});

test("why a call failed passes always, after what is missing", () => {
  const { log, messages } = open({ bytesPerSecondMax: 1, entriesMax: 2 });
  for (const message of ["one", "two", "three"]) log.write(invocation, "info", message);
  log.end(invocation, "GUEST_TRAPPED: unreachable");
  expect(messages).toEqual([
    "info one",
    "warn [2 log entries dropped: the tenant may log 1 bytes a second, and an invocation may write 2]",
    "error GUEST_TRAPPED: unrea… [cut: 26 bytes]",
  ]);
});

test("why calls failed counts, and is said in few words beyond the tenant's rate", () => {
  // The first takes the budget of eight seconds.
  const { log, messages } = open({ bytesPerSecondMax: 400, messageBytesMax: 3_000 });
  const failure = `GUEST_TRAPPED: unreachable ${"x".repeat(10_000)}`;
  for (let call = 0; call < 10; call += 1) {
    log.begin();
    log.end(invocation, failure);
  }
  expect(messages).toHaveLength(10);
  expect(messages.every((message) => message.startsWith("error GUEST_TRAPPED: "))).toBe(true);
  expect(messages.filter((message) => message.length > 300)).toHaveLength(1);
  expect(log.bytes).toBe(Buffer.byteLength(messages.at(-1) ?? "") - "error ".length);
  log.begin();
  log.write(invocation, "info", "one more");
  expect(log.dropped).toBe(1);
});

test("all instances of a tenant share one rate", () => {
  const allowance = LogAllowance.of(3);
  const [first, second] = [open({ allowance }), open({ allowance })];
  first.log.write(invocation, "info", "one");
  second.log.write(invocation, "info", "two");
  expect([...first.messages, ...second.messages]).toEqual(["info one"]);
});
