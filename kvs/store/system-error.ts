import { KvsError } from "../errors.ts";
import type { KvsErrorCode } from "../errors.ts";

/** Codes of the operating system, as Node names them and as LMDB passes on their numbers. */
const BY_SYSTEM_CODE: Readonly<Record<string | number, KvsErrorCode>> = {
  ENOSPC: "STORE_FULL",
  28: "STORE_FULL",
  EDQUOT: "STORE_FULL",
  122: "STORE_FULL",
  EACCES: "STORE_UNWRITABLE",
  13: "STORE_UNWRITABLE",
  EPERM: "STORE_UNWRITABLE",
  1: "STORE_UNWRITABLE",
  EROFS: "STORE_UNWRITABLE",
  30: "STORE_UNWRITABLE",
  ENOTDIR: "STORE_UNWRITABLE",
  20: "STORE_UNWRITABLE",
  // What Node answers where it may not create a directory and its parents.
  ENOENT: "STORE_UNWRITABLE",
  EEXIST: "STORE_UNWRITABLE",
  EISDIR: "STORE_UNWRITABLE",
  21: "STORE_UNWRITABLE",
  // LMDB's own.
  [-30792]: "STORE_FULL", // MDB_MAP_FULL
  [-30793]: "STORE_CORRUPT", // MDB_INVALID
  [-30794]: "STORE_CORRUPT", // MDB_VERSION_MISMATCH
  [-30796]: "STORE_CORRUPT", // MDB_CORRUPTED
  [-30797]: "STORE_CORRUPT", // MDB_PAGE_NOTFOUND
};

const MESSAGES: Readonly<Partial<Record<KvsErrorCode, string>>> = {
  STORE_FULL: "there is no space for it",
  STORE_UNWRITABLE: "it cannot be written",
  STORE_CORRUPT: "its contents are damaged",
};

/** The typed error for a failed file operation or LMDB call; anything unknown is unavailable. */
export function fromSystemError(cause: unknown, subject: string): KvsError {
  if (cause instanceof KvsError) return cause;
  const systemCode = systemCodeOf(cause);
  const code =
    (systemCode === undefined ? undefined : BY_SYSTEM_CODE[systemCode]) ?? "STORE_UNAVAILABLE";
  const what = MESSAGES[code] ?? (cause instanceof Error ? cause.message : String(cause));
  return new KvsError(code, `${subject}: ${what}`, {
    cause,
    details: systemCode === undefined ? {} : { systemCode },
  });
}

function systemCodeOf(cause: unknown): string | number | undefined {
  if (typeof cause !== "object" || cause === null || !("code" in cause)) return undefined;
  const { code } = cause;
  return typeof code === "string" || typeof code === "number" ? code : undefined;
}
