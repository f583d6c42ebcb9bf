import { join } from "node:path";
import type { Worker } from "node:worker_threads";
import { startStorageThread } from "@downpour/kvs";
import type { StorageThread } from "@downpour/kvs";
import type { HostConfig } from "./config.ts";
import { limitGuestStack } from "./engine/process-flags.ts";
import { startExecutorWorker } from "./scheduler/executor-handle.ts";

/** A host's own records are as large as an app's history; tenants' values have limits of their own. */
const STORE_VALUE_BYTES_MAX = 16 * 1_024 * 1_024;

/** What starts while the main thread still loads its own code. */
export interface HostThreads {
  readonly storage: Promise<StorageThread>;
  /** One for each executor: it loads its code, and waits for what the scheduler gives it. */
  readonly executors: readonly Worker[];
}

/**
 * Starts the threads that every host has. The data directory must be there. This file imports little, so
 * that it can be called before the rest of the host is loaded: half of a start is the loading of code, on
 * each thread, and this way all of them do it at once.
 */
export function startHostThreads(config: HostConfig): HostThreads {
  limitGuestStack(config.guestStackKibMax);
  const storage = startStorageThread({
    directory: join(config.dataDirectory, "state"),
    clientLimits: { valueBytesMax: STORE_VALUE_BYTES_MAX },
  });
  // Whoever awaits it may still be loading when it fails.
  storage.catch(() => undefined);
  const executors = Array.from({ length: config.executors }, (_, id) => startExecutorWorker(id));
  return { storage, executors };
}
