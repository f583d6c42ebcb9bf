import { onTestFinished } from "vitest";
import { startStorageThread } from "../index.ts";
import type {
  Durability,
  Mutation,
  OutputGate,
  StateClient,
  StorageThread,
  StorageThreadOptions,
  WriteResult,
} from "../index.ts";
import { temporaryDirectory } from "./temporary-directory.ts";

/** Starts a thread on a directory of its own, where none is given. It is ended with the test. */
export async function startThread(
  options: Partial<StorageThreadOptions> = {},
): Promise<StorageThread> {
  const thread = await startStorageThread({ directory: temporaryDirectory(), ...options });
  onTestFinished(() => thread.terminate());
  return thread;
}

/** Awaits it, also where `write` answers at once. */
export async function write(
  client: StateClient,
  key: string,
  mutation: Mutation,
  level: Durability = "durable",
  gate?: OutputGate,
): Promise<WriteResult> {
  return client.write(key, mutation, level, gate);
}
