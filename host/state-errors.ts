import type { KvsError } from "@downpour/kvs";
import type { KvsErrorCode } from "@downpour/kvs";
import { HostError } from "./errors.ts";
import type { ErrorCode } from "./errors.ts";

/** What the store's failures are called where a request meets them. */
const CODES = {
  KEY_INVALID: "STATE_KEY_INVALID",
  WRONG_KIND: "STATE_KIND_MISMATCH",
  VALUE_TOO_LARGE: "STATE_VALUE_TOO_LARGE",
  COUNTER_OVERFLOW: "STATE_COUNTER_OVERFLOW",
  // A tenant's keys are one space.
  SPACE_FULL: "QUOTA_EXCEEDED",
  BACK_PRESSURE: "STATE_UNAVAILABLE",
  STORE_FULL: "STORAGE_FULL",
  STORE_UNAVAILABLE: "STATE_UNAVAILABLE",
  STORE_CLOSED: "STATE_UNAVAILABLE",
  STORE_CORRUPT: "DATA_DIR_CORRUPT",
  STORE_LOCKED: "DATA_DIR_LOCKED",
  STORE_NEWER_FORMAT: "DATA_DIR_NEWER",
  STORE_UNWRITABLE: "DATA_DIR_UNWRITABLE",
} as const satisfies Record<KvsErrorCode, ErrorCode>;

/** The quotas of a tenant that are limits of its space. */
const QUOTA_OF: Readonly<Record<string, string>> = {
  keysMax: "stateKeysMax",
  bytesMax: "stateBytesMax",
};

/** A failure of the store as the host's. */
export function fromKvsError(cause: KvsError): HostError {
  const details = cause.code === "SPACE_FULL" ? toQuotaNames(cause.details) : cause.details;
  return new HostError(CODES[cause.code], cause.message, { details, cause });
}

function toQuotaNames(details: KvsError["details"]): KvsError["details"] {
  return Object.fromEntries(
    Object.entries(details).map(([name, value]) => [QUOTA_OF[name] ?? name, value]),
  );
}
