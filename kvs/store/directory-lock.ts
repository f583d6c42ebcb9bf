import { readFileSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { KvsError } from "../errors.ts";
import type { KvsErrorCode } from "../errors.ts";

const LOCK_FILE = "lock";
const HOLDER_FILE = "lock-holder";

/** SQLite's primary result codes that opening and locking a file can end with. */
const CODE_BY_SQLITE_RESULT: Readonly<Record<number, KvsErrorCode>> = {
  3: "STORE_UNWRITABLE", // SQLITE_PERM
  5: "STORE_LOCKED", // SQLITE_BUSY
  8: "STORE_UNWRITABLE", // SQLITE_READONLY
  13: "STORE_FULL", // SQLITE_FULL
  14: "STORE_UNWRITABLE", // SQLITE_CANTOPEN
  26: "STORE_CORRUPT", // SQLITE_NOTADB
};

/**
 * Makes a directory one process's own for writing.
 *
 * Node has no advisory file lock, but the SQLite inside it takes one: an exclusive transaction on an
 * empty database file holds a lock that the kernel keeps for this process and releases when it
 * ends, also by `kill -9`. Nothing is ever written through it. A file with a process id would need a
 * rule for stale ones, and process ids mean nothing between two containers that share a volume.
 *
 * D1. At most one holder on a machine, also between threads of one process.
 * D2. The lock ends with its holder, however that ends; there is nothing to clean up.
 */
export class DirectoryLock {
  readonly #database: DatabaseSync;

  private constructor(database: DatabaseSync) {
    this.#database = database;
  }

  static acquire(directory: string): DirectoryLock {
    let database: DatabaseSync | undefined;
    try {
      database = new DatabaseSync(join(directory, LOCK_FILE), { timeout: 0 });
      // In memory: otherwise the transaction creates a journal file beside the lock.
      database.exec("PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE");
    } catch (cause) {
      database?.close();
      throw lockError(directory, cause);
    }
    nameHolder(directory);
    return new DirectoryLock(database);
  }

  release(): void {
    this.#database.close();
  }
}

function lockError(directory: string, cause: unknown): unknown {
  // The low byte is the primary result; the rest says more about it.
  const result = hasResultCode(cause) ? cause.errcode & 0xff : undefined;
  const code = result === undefined ? undefined : CODE_BY_SQLITE_RESULT[result];
  if (code === undefined) return cause;
  const holder = code === "STORE_LOCKED" ? readHolder(directory) : undefined;
  const by = holder === undefined ? "" : ` by ${holder}`;
  const message =
    code === "STORE_LOCKED"
      ? `the data directory ${directory} is in use${by}`
      : `the data directory ${directory} cannot be locked`;
  const details = holder === undefined ? { directory } : { directory, holder };
  return new KvsError(code, message, { details, cause });
}

/** For the message of the next one who tries: who holds the lock says the lock alone. */
function nameHolder(directory: string): void {
  try {
    writeFileSync(join(directory, HOLDER_FILE), `process ${process.pid} on ${hostname()}\n`);
  } catch {
    // A full disk must not keep a store from opening: it can still be read.
  }
}

function readHolder(directory: string): string | undefined {
  try {
    const holder = readFileSync(join(directory, HOLDER_FILE), "utf8").trim();
    return holder === "" ? undefined : holder;
  } catch {
    // The holder has not written it, or could not.
    return undefined;
  }
}

function hasResultCode(cause: unknown): cause is { readonly errcode: number } {
  return (
    typeof cause === "object" &&
    cause !== null &&
    "errcode" in cause &&
    typeof cause.errcode === "number"
  );
}
