// A worker thread with a client, as an executor has one. It does one job, says "done", and stays.

import assert from "node:assert/strict";
import { parentPort, workerData } from "node:worker_threads";
import type { MessagePort } from "node:worker_threads";
import { connectStateClient } from "../index.ts";
import type { StateClient, StateConnection } from "../index.ts";

export interface ClientThreadData {
  readonly connection: StateConnection;
  readonly job: ClientThreadJob;
}

export type ClientThreadJob =
  /** Adds 1 to the key so many times, all in flight, at level durable. */
  | { readonly kind: "add"; readonly key: string; readonly count: number }
  /** Checks `count` times that all bytes of the register are the same. */
  | { readonly kind: "check-register"; readonly key: string; readonly count: number }
  /** Reads and writes without ever returning to the event loop, or awaiting an answer. */
  | { readonly kind: "spin"; readonly key: string };

assert(parentPort !== null, "this file is a worker's");
const parent: MessagePort = parentPort;
const { connection, job }: ClientThreadData = workerData;
const client = connectStateClient(connection);

await run(client);
parent.postMessage("done");

async function run(state: StateClient): Promise<void> {
  switch (job.kind) {
    case "add":
      await Promise.all(
        Array.from({ length: job.count }, async () =>
          state.write(job.key, { kind: "add", delta: 1n }, "durable"),
        ),
      );
      break;
    case "check-register":
      for (let count = 0; count < job.count; count += 1) checkRegister(state, job.key);
      break;
    case "spin":
      parent.postMessage("spinning");
      for (;;) {
        state.read(job.key);
        state.list("", undefined, 10);
      }
  }
}

function checkRegister(state: StateClient, key: string): void {
  const value = state.read(key);
  assert(value?.kind === "register");
  const first = value.value[0];
  assert(value.value.every((byte) => byte === first));
}
