import { KvsError } from "@downpour/kvs";
import type { KvsErrorCode } from "@downpour/kvs";
import { TenantError } from "@downpour/tenants";
import type { TenantErrorKind } from "@downpour/tenants";
import { HostError } from "../errors.ts";
import type { ErrorCode } from "../errors.ts";

/** What the store's failures are called where a request meets them. */
const STATE_CODES = {
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

const TENANT_CODES = {
  "tenant-not-found": "TENANT_NOT_FOUND",
  "tenant-exists": "TENANT_EXISTS",
  "tenant-deleting": "TENANT_EXISTS",
  "token-not-found": "TOKEN_NOT_FOUND",
  "too-many-tokens": "QUOTA_EXCEEDED",
  "record-invalid": "DATA_DIR_CORRUPT",
} as const satisfies Record<TenantErrorKind, ErrorCode>;

/** The one place where failures of the libraries become the host's; anything else is a bug. */
export function translateError(cause: unknown): HostError {
  if (cause instanceof KvsError) {
    return new HostError(STATE_CODES[cause.code], cause.message, { details: cause.details, cause });
  }
  if (cause instanceof TenantError) {
    return new HostError(TENANT_CODES[cause.kind], cause.message, { cause });
  }
  return HostError.from(cause);
}
