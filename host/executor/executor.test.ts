import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startStorageThread } from "@downpour/kvs";
import { expect, test } from "vitest";
import { createEngine } from "../engine/create-engine.ts";
import { EXECUTOR_CELLS_BYTES } from "../protocol.ts";
import type { ExecutorReply, Invocation } from "../protocol.ts";
import { Executor } from "./executor.ts";

// An executor with a real engine and a real store, on the thread of the test. What it does with guests is
// tested through the scheduler.

const tuning = {
  instancesMax: 10,
  memory: { bytesMax: 2 ** 30, tenantBytesMax: 2 ** 30 },
  instanceIdleMs: 60_000,
  idleInstanceBytesMax: 64_000_000,
  sliceMs: 1,
};

const late: Invocation = {
  invocationId: "late",
  revisionKey: "r",
  sequence: 1,
  weight: 1,
  functionName: "f",
  input: { mediaType: "application/json", body: new Uint8Array() },
  deadlineAtMs: 0,
  idempotencyKey: undefined,
  metadata: [],
};

test("an executor that is told to drain has drained also when what ends last never started", async () => {
  const directory = await mkdtemp(join(tmpdir(), "downpour-executor-"));
  const storage = await startStorageThread({ directory });
  const { promise: drained, resolve } = Promise.withResolvers<void>();
  const replies: string[] = [];
  const executor = new Executor({
    engine: createEngine(),
    state: storage.client(),
    tuning,
    cells: new Int32Array(new SharedArrayBuffer(EXECUTOR_CELLS_BYTES)),
    reply: (reply: ExecutorReply) => {
      replies.push(reply.kind);
      if (reply.kind === "drained") resolve();
    },
    flush: () => undefined,
  });
  executor.receive({ kind: "invoke", invocation: late });
  executor.receive({ kind: "drain" });
  await drained;
  expect(replies).toEqual(["settled", "drained"]);
  await storage.close();
  await rm(directory, { recursive: true });
});
