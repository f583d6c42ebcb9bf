import { KvsError } from "@downpour/kvs";
import { TenantError } from "@downpour/tenants";
import type { TenantErrorKind } from "@downpour/tenants";
import { HostError } from "../errors.ts";
import type { ErrorCode } from "../errors.ts";
import { fromKvsError } from "../state-errors.ts";

const TENANT_CODES = {
  "tenant-not-found": "TENANT_NOT_FOUND",
  "tenant-exists": "TENANT_EXISTS",
  "tenant-deleting": "TENANT_EXISTS",
  "token-not-found": "TOKEN_NOT_FOUND",
  "too-many-tokens": "QUOTA_EXCEEDED",
  "quota-too-high": "REQUEST_INVALID",
  "record-invalid": "DATA_DIR_CORRUPT",
} as const satisfies Record<TenantErrorKind, ErrorCode>;

/** The one place where failures of the libraries become the host's; anything else is a bug. */
export function translateError(cause: unknown): HostError {
  if (cause instanceof KvsError) return fromKvsError(cause);
  if (cause instanceof TenantError) {
    return new HostError(TENANT_CODES[cause.kind], cause.message, { cause });
  }
  return HostError.from(cause);
}
