import { closeSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from "node:fs";
import { join } from "node:path";
import { KvsError } from "../errors.ts";
import { createReplicaId, isReplicaId } from "../lattice/replica-id.ts";
import type { ReplicaId } from "../lattice/replica-id.ts";
import { fromSystemError } from "./system-error.ts";

/**
 * The format this program writes, and the newest it reads. Raised when an older program must not. From 2 on
 * the records are there of what each space of keys holds (`key-space.ts`).
 */
export const FORMAT = 2;

const RECORD_FILE = "store.json";

/** What a data directory says about itself. It is written once, after the store was created. */
export interface FormatRecord {
  readonly format: number;
  readonly replicaId: ReplicaId;
}

/**
 * Reads the record; undefined in a directory where no store was finished. A newer format throws
 * `STORE_NEWER_FORMAT` before anything else of the record, or of the store, is looked at.
 */
export function readFormatRecord(directory: string): FormatRecord | undefined {
  const path = join(directory, RECORD_FILE);
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (cause) {
    if (cause instanceof Error && "code" in cause && cause.code === "ENOENT") return undefined;
    throw fromSystemError(cause, path);
  }
  return parseFormatRecord(text, path);
}

/** Writes the record of `FORMAT`, so that after a power loss it is whole, or as it was before. */
export function writeFormatRecord(
  directory: string,
  replicaId: ReplicaId = createReplicaId(),
): FormatRecord {
  const record: FormatRecord = { format: FORMAT, replicaId };
  const path = join(directory, RECORD_FILE);
  const temporary = `${path}.new`;
  try {
    const file = openSync(temporary, "w", 0o600);
    try {
      writeSync(file, `${JSON.stringify(record)}\n`);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(temporary, path);
    syncDirectory(directory);
  } catch (cause) {
    throw fromSystemError(cause, path);
  }
  return record;
}

/** Makes the names in a directory durable; the files' contents are another matter. */
export function syncDirectory(directory: string): void {
  const handle = openSync(directory, "r");
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}

function parseFormatRecord(text: string, path: string): FormatRecord {
  const record = parseObject(text);
  const format = record?.["format"];
  if (record === undefined || typeof format !== "number" || !Number.isSafeInteger(format)) {
    throw new KvsError("STORE_CORRUPT", `${path} is not the record of a store`);
  }
  if (format > FORMAT) {
    throw new KvsError(
      "STORE_NEWER_FORMAT",
      `the data has format ${format}; this version reads up to format ${FORMAT}`,
      { details: { format, formatMax: FORMAT } },
    );
  }
  const replicaId = record["replicaId"];
  if (typeof replicaId !== "string" || !isReplicaId(replicaId) || format < 1) {
    throw new KvsError("STORE_CORRUPT", `${path} is damaged`);
  }
  return { format, replicaId };
}

function parseObject(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? { ...value } : undefined;
  } catch {
    // The caller reports what is not JSON as damaged.
    return undefined;
  }
}
