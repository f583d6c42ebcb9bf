// The storage thread: the only place that writes the store. It is started by `storage-thread.ts`.
//
// T1. It answers its start with "ready" or "failed", and its end with "closed" or "failed".
// T2. A failure of the store ends the thread: whatever it has not answered is settled by the clients
//     (their ports say "ended", or close).
// T3. Closing asks every client for what it has written and not posted, stores it, and then ends.
// T4. A client that is gone is forgotten; what it has posted is stored all the same.

import assert from "node:assert/strict";
import { setTimeout } from "node:timers/promises";
import { parentPort, workerData } from "node:worker_threads";
import type { MessagePort } from "node:worker_threads";
import { KvsError } from "../errors.ts";
import { EmbeddedStore } from "../store/embedded-store.ts";
import { StoreSignals } from "../store/store-signals.ts";
import { fromSystemError } from "../store/system-error.ts";
import { ClientLink } from "./client-link.ts";
import type { LinkedWrite } from "./client-link.ts";
import { GroupCommit } from "./group-commit.ts";
import { readWrites } from "./protocol.ts";
import type { ClientMessage, StorageReply, StorageRequest, StorageThreadData } from "./protocol.ts";
import { Replica } from "./replica.ts";
import { WriteCounts } from "./write-counts.ts";

/** How long closing waits for clients that do not return to their event loop. */
const CLOSE_GRACE_MS = 2_000;

assert(parentPort !== null, "this file is a worker's");
const main: MessagePort = parentPort;
const data: StorageThreadData = workerData;

const links = new Set<ClientLink>();
const linksToFlush = new Set<ClientLink>();
const counts = new WriteCounts(data.counts);

await run();

async function run(): Promise<void> {
  const store = await openStore();
  if (store === undefined) return;
  const replica = new Replica({ replicaId: store.replicaId, store });
  const groups = new GroupCommit<LinkedWrite>({
    store,
    replica,
    limits: data.groupLimits,
    sink: {
      executed: (write, counter) => {
        write.link.executed(write, counter);
        flushLater(write.link);
      },
      stored: (write, counter) => {
        write.link.stored(write, counter);
        flushLater(write.link);
      },
      rejected: (write, error) => {
        write.link.rejected(write, error);
        flushLater(write.link);
      },
      groupStored: (writes) => {
        counts.addCommit();
        counts.addWrites(writes);
      },
      failed: endAfterFailure,
    },
  });
  main.on("message", (request: StorageRequest) => {
    switch (request.kind) {
      case "connect":
        connect(request.port, groups);
        break;
      case "limit-space":
        groups.limitSpace(request.space, request.limits);
        break;
      case "close":
        void close(store, groups);
        break;
      case "abandon":
        process.exit();
    }
  });
  reply({ kind: "ready" });
}

async function openStore(): Promise<EmbeddedStore | undefined> {
  try {
    return await EmbeddedStore.open({
      directory: data.directory,
      // This thread is the only replica that writes the directory.
      tombstones: "reclaim",
      signals: new StoreSignals(data.signals),
    });
  } catch (cause) {
    reply({ kind: "failed", error: fromSystemError(cause, data.directory).toWire() });
    return undefined;
  }
}

function connect(port: MessagePort, groups: GroupCommit<LinkedWrite>): void {
  const link = new ClientLink(port);
  links.add(link);
  port.on("message", (message: ClientMessage) => {
    if (message.kind === "writes") groups.submit(link.receive(readWrites(message)));
    else link.flushed();
  });
  port.on("close", () => {
    link.flushed();
    links.delete(link);
    linksToFlush.delete(link);
  });
}

function flushLater(link: ClientLink): void {
  if (linksToFlush.size === 0) setImmediate(flush);
  linksToFlush.add(link);
}

function flush(): void {
  for (const link of linksToFlush) link.flush();
  linksToFlush.clear();
}

async function close(store: EmbeddedStore, groups: GroupCommit<LinkedWrite>): Promise<void> {
  let error: KvsError | undefined;
  for (const link of links) link.askToFlush();
  const flushed = Promise.all([...links].map((link) => link.isFlushed));
  await Promise.race([flushed, setTimeout(CLOSE_GRACE_MS, undefined, { ref: false })]);
  try {
    await groups.drain();
  } catch (cause) {
    error = fromSystemError(cause, data.directory);
  }
  flush();
  for (const link of links) link.end(new KvsError("STORE_CLOSED", "the store is closed"));
  await store.close();
  reply({ kind: "closed", error: error?.toWire() });
  main.close();
}

function endAfterFailure(error: KvsError): void {
  flush();
  for (const link of links) link.end(error);
  reply({ kind: "failed", error: error.toWire() });
  process.exit(1);
}

function reply(message: StorageReply): void {
  main.postMessage(message);
}
