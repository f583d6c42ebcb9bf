// The durable store of one machine: an LMDB environment in a directory of its own.
//
//   store.json    format and replica id (`format-record.ts`), written last when a store is created
//   data.mdb      the entries; `lock.mdb` is LMDB's table of readers
//   lock          held by the process that may write (`directory-lock.ts`); `lock-holder` names it
//
// M1. A merge settles after the fsync of its transaction. Merges run one after the other, each as one
//     transaction; whoever has many deltas passes them in one batch.
// M2. A transaction that fails (a full disk) leaves nothing: LMDB writes new pages first and then one
//     meta page. The store goes on reading, and writing once there is space. A large value is refused
//     before it comes to LMDB where the disk has no space for it: LMDB would damage its own memory.
// M3. One process has the directory open for writing; a format that is newer is never touched.

import { closeSync, existsSync, mkdirSync, openSync, statfsSync, writeSync } from "node:fs";
import { join } from "node:path";
import { KvsError } from "../errors.ts";
import { ENTRY_BOTTOM, mergeEntries } from "../lattice/entry.ts";
import type { Entry } from "../lattice/entry.ts";
import type { ReplicaId } from "../lattice/replica-id.ts";
import type { StatePage } from "../state-client.ts";
import { prepareDataFile } from "./data-file.ts";
import { DirectoryLock } from "./directory-lock.ts";
import { EmbeddedReader, openEnvironment, READERS_MAX } from "./embedded-reader.ts";
import type { Environment } from "./embedded-reader.ts";
import { encodeEntry } from "./entry-codec.ts";
import { FORMAT, readFormatRecord, syncDirectory, writeFormatRecord } from "./format-record.ts";
import type { FormatRecord } from "./format-record.ts";
import { countedSpaces } from "./counted-spaces.ts";
import { toPage } from "./page.ts";
import type { Delta, Store, TombstonePolicy } from "./store.ts";
import { StoreSignals } from "./store-signals.ts";
import { fromSystemError } from "./system-error.ts";

/** LMDB's reader table: a slot of 64 bytes for each reader, and a header that this rounds up. */
const READER_TABLE_BYTES = (READERS_MAX + 64) * 64;

const NO_SPACE = "the store cannot be written: there is no space for it";
/** A value of no more has no pages of its own in LMDB, and may fit into those that the file has free. */
const SMALL_BYTES = 2_000;
/** For the pages of the tree above it. */
const SPARE_BYTES = 64 * 1024;

interface EncodedWrite {
  readonly key: Buffer;
  /** Undefined for what is removed. */
  readonly value: Uint8Array | undefined;
}

export interface EmbeddedStoreOptions {
  readonly directory: string;
  readonly tombstones: TombstonePolicy;
  /** Tells readers in other threads of the process about commits; shared with each of them. */
  readonly signals?: StoreSignals;
}

export class EmbeddedStore implements Store {
  readonly durability = "durable";
  readonly replicaId: ReplicaId;
  readonly #directory: string;
  readonly #environment: Environment;
  readonly #reader: EmbeddedReader;
  readonly #signals: StoreSignals;
  readonly #lock: DirectoryLock;
  readonly #tombstones: TombstonePolicy;
  #tail: Promise<unknown> = Promise.resolve();
  #closing: Promise<void> | undefined;

  private constructor(
    options: EmbeddedStoreOptions,
    opened: {
      readonly environment: Environment;
      readonly lock: DirectoryLock;
      readonly replicaId: ReplicaId;
    },
  ) {
    this.#directory = options.directory;
    this.replicaId = opened.replicaId;
    this.#environment = opened.environment;
    this.#signals = options.signals ?? new StoreSignals();
    this.#reader = new EmbeddedReader(opened.environment, this.#signals);
    this.#lock = opened.lock;
    this.#tombstones = options.tombstones;
  }

  /** Opens the store in the directory, or creates it there. Throws one of the `STORE_` errors. */
  static async open(options: EmbeddedStoreOptions): Promise<EmbeddedStore> {
    const { directory } = options;
    createDirectory(directory);
    const lock = DirectoryLock.acquire(directory);
    const opened = await openLocked(directory).catch((error: unknown) => {
      lock.release();
      throw error;
    });
    const store = new EmbeddedStore(options, { ...opened, lock });
    try {
      if (opened.format < FORMAT) await store.#upgrade();
    } catch (error) {
      await store.close();
      throw error;
    }
    return store;
  }

  get(key: string): Entry | undefined {
    this.#checkOpen();
    return this.#reader.get(key);
  }

  list(prefix: string, after: string | undefined, limit: number): StatePage {
    this.#checkOpen();
    return toPage(this.#reader.liveKeys(prefix, after), limit);
  }

  async merge(deltas: readonly Delta[]): Promise<void> {
    this.#checkOpen();
    const merged = this.#tail.then(() => this.#commit(deltas));
    this.#tail = merged.catch(() => undefined);
    await merged;
  }

  async close(): Promise<void> {
    this.#closing ??= this.#closeAfter(this.#tail);
    await this.#closing;
  }

  /** From format 1. Interrupted, it begins anew: until its end the directory has that format. */
  async #upgrade(): Promise<void> {
    await this.merge(countedSpaces(this, this.#reader.liveKeys("", undefined)));
    writeFormatRecord(this.#directory, this.replicaId);
  }

  async #closeAfter(merges: Promise<unknown>): Promise<void> {
    await merges;
    await this.#environment.close();
    this.#lock.release();
  }

  async #commit(deltas: readonly Delta[]): Promise<void> {
    const changed = this.#changed(deltas);
    if (changed.size === 0) return;
    const encoded = this.#encode(changed);
    this.#requireSpace(bytesOf(encoded, SMALL_BYTES));
    try {
      await this.#environment.batch(() => {
        for (const { key, value } of encoded) {
          if (value === undefined) void this.#environment.remove(key);
          else void this.#environment.put(key, value);
        }
      });
    } catch (cause) {
      throw commitError(await commitCause(cause), this.#directory, bytesOf(encoded, 0));
    }
    this.#signals.announceCommit();
  }

  #encode(changed: ReadonlyMap<string, Entry>): readonly EncodedWrite[] {
    return Array.from(changed, ([name, entry]) => {
      const isRemoved = entry.kind === "absent" && this.#tombstones === "reclaim";
      return { key: Buffer.from(name), value: isRemoved ? undefined : encodeEntry(entry) };
    });
  }

  /** For so many bytes of large values. */
  #requireSpace(bytes: number): void {
    if (bytes === 0 || freeBytes(this.#directory) >= bytes + SPARE_BYTES) return;
    throw new KvsError("STORE_FULL", NO_SPACE);
  }

  /** The entries that the deltas change, merged with what is stored. */
  #changed(deltas: readonly Delta[]): Map<string, Entry> {
    const changed = new Map<string, Entry>();
    for (const { key, entry } of deltas) {
      const before = changed.get(key) ?? this.#reader.get(key) ?? ENTRY_BOTTOM;
      const after = mergeEntries(before, entry);
      if (after !== before) changed.set(key, after);
    }
    return changed;
  }

  #checkOpen(): void {
    if (this.#closing !== undefined) throw new KvsError("STORE_CLOSED", "the store is closed");
  }
}

async function openLocked(
  directory: string,
): Promise<FormatRecord & { readonly environment: Environment }> {
  const record = readFormatRecord(directory);
  const dataState = prepareDataFile(join(directory, "data.mdb"));
  if (record !== undefined && dataState === "absent") {
    throw new KvsError("STORE_CORRUPT", `${directory} has lost its data file`);
  }
  reserveReaderTable(join(directory, "lock.mdb"));
  const environment = openEnvironment(directory, "write");
  try {
    if (dataState === "short") readEverything(environment);
    if (record !== undefined) return { environment, ...record };
    // A crash while a store was created leaves an empty one: that is finished here.
    if (!isEmpty(environment)) {
      throw new KvsError("STORE_CORRUPT", `${directory} has data, but has lost its store.json`);
    }
    syncDirectory(directory);
    return { environment, replicaId: writeFormatRecord(directory).replicaId, format: FORMAT };
  } catch (error) {
    await environment.close();
    throw error;
  }
}

function createDirectory(directory: string): void {
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
  } catch (cause) {
    throw fromSystemError(cause, directory);
  }
}

/**
 * Gives LMDB's table of readers its blocks on disk before LMDB maps it. LMDB would only set its size,
 * and writing to a block that a full disk cannot give ends the process with SIGBUS.
 */
function reserveReaderTable(path: string): void {
  if (existsSync(path)) return;
  try {
    const file = openSync(path, "wx", 0o600);
    try {
      writeSync(file, Buffer.alloc(READER_TABLE_BYTES));
    } finally {
      closeSync(file);
    }
  } catch (cause) {
    throw fromSystemError(cause, path);
  }
}

function isEmpty(environment: Environment): boolean {
  for (const _ of environment.getKeys({ start: Buffer.from([0]), limit: 1 })) return false;
  return true;
}

/** Finds out whether a file that was too short has lost anything (`data-file.ts`). */
function readEverything(environment: Environment): void {
  try {
    const reader = new EmbeddedReader(environment, new StoreSignals());
    for (const keyBytes of environment.getKeys({ start: Buffer.from([0]) })) {
      reader.get(Buffer.from(keyBytes).toString());
    }
  } catch (cause) {
    throw new KvsError("STORE_CORRUPT", "the data file has lost its end", { cause });
  }
}

/** LMDB rejects with an error whose own cause comes in a promise. */
async function commitCause(error: unknown): Promise<unknown> {
  if (!(error instanceof Error) || !("commitError" in error)) return error;
  try {
    await error.commitError;
    return error;
  } catch (cause) {
    return cause;
  }
}

function commitError(cause: unknown, directory: string, bytes: number): KvsError {
  const error = fromSystemError(cause, "the store cannot be written");
  const isFull = error.details["systemCode"] === EIO && freeBytes(directory) < spaceFor(bytes);
  return isFull ? new KvsError("STORE_FULL", NO_SPACE, { cause }) : error;
}

/** LMDB reports a write that the disk took in part, as a nearly full one does, as an I/O error. */
const EIO = 5;

/** What a commit of so many bytes may need at most: whole pages, and every page above them. */
function spaceFor(bytes: number): number {
  return bytes * 4 + 1024 * 1024;
}

/** Of the values that have more than so many. */
function bytesOf(writes: readonly EncodedWrite[], bytesMin: number): number {
  let bytes = 0;
  for (const { value } of writes) {
    if (value !== undefined && value.byteLength > bytesMin) bytes += value.byteLength;
  }
  return bytes;
}

function freeBytes(directory: string): number {
  const { bavail, bsize } = statfsSync(directory);
  return bavail * bsize;
}
