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
  BACK_PRESSURE: "STATE_UNAVAILABLE",
  STORE_FULL: "STORAGE_FULL",
  STORE_UNAVAILABLE: "STATE_UNAVAILABLE",
  STORE_CLOSED: "STATE_UNAVAILABLE",
  STORE_CORRUPT: "DATA_DIR_CORRUPT",
  STORE_LOCKED: "DATA_DIR_LOCKED",
  STORE_NEWER_FORMAT: "DATA_DIR_NEWER",
  STORE_UNWRITABLE: "DATA_DIR_UNWRITABLE",
} as const satisfies Record<KvsErrorCode, ErrorCode>;

/** A failure of the store as the host's. */
export function fromKvsError(cause: KvsError): HostError {
  return new HostError(CODES[cause.code], cause.message, { details: cause.details, cause });
}
