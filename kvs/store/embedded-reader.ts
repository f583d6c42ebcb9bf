// Reads an embedded store's LMDB environment in the calling thread. It writes nothing and holds no
// lock: once it is constructed, its thread may be terminated inside any of its calls (LMDB then frees
// the thread's snapshot).
//
// R1. Every read sees all commits that were announced in the signals before it began.
// R2. What it returns is a copy: nothing refers to the memory map.
// R3. After the constructor no native object is made. lmdb's constructors for environments,
//     transactions and cursors end the whole process when their thread is terminated inside them;
//     its plain functions, which are all that a read calls then, do not.

import { open } from "lmdb";
import type { RootDatabase } from "lmdb";
import { RESERVED_PREFIX } from "../keys.ts";
import type { Entry } from "../lattice/entry.ts";
import { KINDS } from "../lattice/kinds.ts";
import type { EntryKind, EntryValues } from "../lattice/kinds.ts";
import type { StateValue } from "../state-client.ts";
import { decodeEntry, decodeEntryKind } from "./entry-codec.ts";
import type { ListedKey } from "./page.ts";
import type { StoreSignals } from "./store-signals.ts";
import { fromSystemError } from "./system-error.ts";

/** Address space for the map: nothing is allocated. LMDB enlarges it where the data outgrow it. */
const MAP_BYTES = 64 * 1024 ** 3;

/** Threads that may read at the same time, with some to spare for those that ended hard. */
export const READERS_MAX = 1024;

/** The first key a caller can have: everything before it is the store's own. */
const FIRST_KEY = Buffer.from([RESERVED_PREFIX.charCodeAt(0) + 1]);

export type Environment = RootDatabase<Uint8Array, Uint8Array>;

export function openEnvironment(directory: string, mode: "read" | "write"): Environment {
  try {
    return open<Uint8Array, Uint8Array>({
      path: directory,
      noSubdir: false,
      encoding: "binary",
      keyEncoding: "binary",
      mapSize: MAP_BYTES,
      maxReaders: READERS_MAX,
      readOnly: mode === "read",
      // With it, an acknowledged write was lost in simulated power failures.
      overlappingSync: false,
      // The store makes its own batches; with it, a failed commit also rejects a promise nobody has.
      eventTurnBatching: false,
    });
  } catch (cause) {
    throw fromSystemError(cause, directory);
  }
}

export class EmbeddedReader {
  readonly #environment: Environment;
  readonly #signals: StoreSignals;
  #seen: number;

  constructor(environment: Environment, signals: StoreSignals) {
    this.#environment = environment;
    this.#signals = signals;
    this.#seen = signals.commits;
    environment.resetReadTxn();
    this.#makeNativeObjects();
  }

  get(key: string): Entry | undefined {
    const bytes = this.#bytes(Buffer.from(key));
    return bytes === undefined ? undefined : decodeEntry(bytes, bytes.length);
  }

  /** What a client sees of the key. */
  read(key: string): StateValue | undefined {
    const entry = this.get(key);
    return entry === undefined ? undefined : readAs(entry.kind, entry.value);
  }

  /** The live keys with the prefix, in byte order, after `after`. Stop early by leaving the loop. */
  *liveKeys(prefix: string, after: string | undefined): Generator<ListedKey> {
    this.#refresh();
    const prefixBytes = Buffer.from(prefix);
    const afterBytes = after === undefined ? undefined : Buffer.from(after);
    const isPast = afterBytes !== undefined && Buffer.compare(afterBytes, prefixBytes) >= 0;
    const first = prefixBytes.length === 0 ? FIRST_KEY : prefixBytes;
    const end = afterPrefix(prefixBytes);
    const range = this.#environment.getKeys({
      start: isPast ? afterBytes : first,
      exclusiveStart: isPast,
      ...(end === undefined ? {} : { end }),
    });
    for (const keyBytes of range) {
      // The values stay in the map, but for small ones: only the kind is read.
      const bytes = this.#environment.getBinaryFast(keyBytes);
      const kind = bytes === undefined ? "absent" : decodeEntryKind(bytes, bytes.length);
      if (kind !== "absent") yield { key: Buffer.from(keyBytes).toString(), kind };
    }
  }

  /** The snapshot and the cursor that every later read uses again (R3). */
  #makeNativeObjects(): void {
    this.#environment.getBinaryFast(FIRST_KEY);
    for (const _ of this.#environment.getKeys({ start: FIRST_KEY, limit: 1 })) break;
  }

  #bytes(key: Buffer): Uint8Array | undefined {
    this.#refresh();
    try {
      return this.#environment.getBinaryFast(key);
    } catch (cause) {
      throw fromSystemError(cause, "the store cannot be read");
    }
  }

  /** LMDB keeps a snapshot for the rest of an event-loop turn; a commit makes it too old (R1). */
  #refresh(): void {
    const current = this.#signals.commits;
    if (current === this.#seen) return;
    this.#seen = current;
    this.#environment.resetReadTxn();
  }
}

function readAs<K extends EntryKind>(kind: K, value: EntryValues[K]): StateValue | undefined {
  return KINDS[kind].read(value);
}

/** The first key after all that have the prefix; undefined where there is none. */
function afterPrefix(prefix: Buffer): Buffer | undefined {
  let length = prefix.length;
  while (length > 0 && prefix[length - 1] === 0xff) length -= 1;
  if (length === 0) return undefined;
  const end = Buffer.from(prefix.subarray(0, length));
  end[length - 1] = (end[length - 1] ?? 0) + 1;
  return end;
}
