import { closeSync, openSync, readSync, statSync, truncateSync } from "node:fs";
import { KvsError } from "../errors.ts";
import { fromSystemError } from "./system-error.ts";

// The two first pages of an LMDB file (data version 2, little-endian) each begin with a header of 24
// bytes and a meta record; the one with the higher transaction is valid. Offsets in the page:
const MAGIC_AT = 24;
const PAGE_BYTES_AT = 48;
const LAST_PAGE_AT = 144;
const TRANSACTION_AT = 152;
const META_BYTES = 160;

const MAGIC = 0xbeef_c0de;
const PAGE_BYTES_MIN = 512;
const PAGE_BYTES_MAX = 64 * 1024;

export type DataFileState = "absent" | "whole" | "short";

/**
 * Looks at an LMDB file before LMDB maps it. LMDB reads pages past the end of its file through the
 * memory map, and that ends the process with SIGBUS.
 *
 * A file may be short and whole all the same: pages at the end that no tree uses are never written.
 * So a short file is made as long as it claims to be, with zeros, which LMDB and the checksums of
 * the entries report as damaged where they are read; the caller must read everything once.
 */
export function prepareDataFile(path: string): DataFileState {
  const size = fileBytes(path);
  if (size === undefined) return "absent";
  const needed = neededBytes(path);
  if (size >= needed) return "whole";
  try {
    truncateSync(path, needed);
  } catch (cause) {
    throw fromSystemError(cause, path);
  }
  return "short";
}

function fileBytes(path: string): number | undefined {
  try {
    return statSync(path).size;
  } catch (cause) {
    if (cause instanceof Error && "code" in cause && cause.code === "ENOENT") return undefined;
    throw fromSystemError(cause, path);
  }
}

function neededBytes(path: string): number {
  const head = readHead(path);
  const first = readMeta(head, 0);
  const second = first === undefined ? undefined : readMeta(head, first.pageBytes);
  if (first === undefined || second === undefined) {
    throw new KvsError("STORE_CORRUPT", `${path} is not a store's data file`);
  }
  const { lastPage } = second.transaction > first.transaction ? second : first;
  return Number(lastPage + 1n) * first.pageBytes;
}

interface Meta {
  readonly pageBytes: number;
  readonly lastPage: bigint;
  readonly transaction: bigint;
}

function readMeta(head: Buffer, at: number): Meta | undefined {
  if (head.byteLength < at + META_BYTES) return undefined;
  const pageBytes = head.readUInt32LE(at + PAGE_BYTES_AT);
  const isMeta =
    head.readUInt32LE(at + MAGIC_AT) === MAGIC &&
    pageBytes >= PAGE_BYTES_MIN &&
    pageBytes <= PAGE_BYTES_MAX;
  if (!isMeta) return undefined;
  return {
    pageBytes,
    lastPage: head.readBigUInt64LE(at + LAST_PAGE_AT),
    transaction: head.readBigUInt64LE(at + TRANSACTION_AT),
  };
}

function readHead(path: string): Buffer {
  try {
    const file = openSync(path, "r");
    try {
      const head = Buffer.alloc(PAGE_BYTES_MAX + META_BYTES);
      return head.subarray(0, readSync(file, head, 0, head.byteLength, 0));
    } finally {
      closeSync(file);
    }
  } catch (cause) {
    throw fromSystemError(cause, path);
  }
}
