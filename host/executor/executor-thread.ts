import assert from "node:assert/strict";
import { once } from "node:events";
import { parentPort } from "node:worker_threads";
import { connectStateClient } from "@downpour/kvs";
import { createEngine } from "../engine/create-engine.ts";
import { EXECUTOR_CELLS } from "../protocol.ts";
import type { ExecutorReply, ExecutorRequest, ExecutorThreadData } from "../protocol.ts";
import { yieldPriority } from "../yield-priority.ts";
import { Executor } from "./executor.ts";

// The entry of an executor thread: connects the state, and carries batches between the port and the
// executor. Replies of one turn of the event loop leave in one message, or earlier where the executor
// asks for it.

const SWEEP_INTERVAL_MS = 5_000;
const BEAT_INTERVAL_MS = 100;

assert(parentPort !== null);
const port = parentPort;
// This thread may be started before there is a store to connect to: it loads its code meanwhile.
// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- Only `executor-handle.ts` posts here.
const [{ storage, tuning, cells: shared }] = (await once(port, "message")) as [ExecutorThreadData];
const cells = new Int32Array(shared);

let replies: ExecutorReply[] = [];

function reply(message: ExecutorReply): void {
  replies.push(message);
  if (replies.length === 1) setImmediate(flush);
}

function flush(): void {
  const batch = replies;
  if (batch.length === 0) return;
  replies = [];
  port.postMessage(batch);
}

yieldPriority();

const executor = new Executor({
  engine: createEngine(),
  state: connectStateClient(storage),
  tuning,
  cells,
  reply,
  flush,
});

port.on("message", (batch: readonly ExecutorRequest[]) => {
  for (const request of batch) executor.receive(request);
});

setInterval(() => Atomics.add(cells, EXECUTOR_CELLS.beats, 1), BEAT_INTERVAL_MS).unref();
setInterval(() => executor.sweep(Date.now()), SWEEP_INTERVAL_MS).unref();

reply({ kind: "ready" });
