import { KvsError } from "@downpour/kvs";
import type { KvsErrorCode } from "@downpour/kvs";
import { TenantError } from "@downpour/tenants";
import type { TenantErrorKind } from "@downpour/tenants";
import { expect, test } from "vitest";
import { HostError } from "../errors.ts";
import type { ErrorCode } from "../errors.ts";
import { translateError } from "./translate-error.ts";

const OF_THE_STORE = {
  KEY_INVALID: "STATE_KEY_INVALID",
  WRONG_KIND: "STATE_KIND_MISMATCH",
  VALUE_TOO_LARGE: "STATE_VALUE_TOO_LARGE",
  COUNTER_OVERFLOW: "STATE_COUNTER_OVERFLOW",
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

const OF_TENANTS = {
  "tenant-not-found": "TENANT_NOT_FOUND",
  "tenant-exists": "TENANT_EXISTS",
  "tenant-deleting": "TENANT_EXISTS",
  "token-not-found": "TOKEN_NOT_FOUND",
  "too-many-tokens": "QUOTA_EXCEEDED",
  "quota-too-high": "REQUEST_INVALID",
  "record-invalid": "DATA_DIR_CORRUPT",
} as const satisfies Record<TenantErrorKind, ErrorCode>;

function keysOf<T extends object>(table: T): readonly (keyof T)[] {
  return Reflect.ownKeys(table).filter((key): key is keyof T & string => key in table);
}

test.each(keysOf(OF_THE_STORE))("the store's %s keeps its message and details", (code) => {
  const cause = new KvsError(code, "why", { details: { bytes: 3 } });
  const error = translateError(cause);
  expect(error).toMatchObject({ code: OF_THE_STORE[code], message: "why", details: { bytes: 3 } });
  expect(error.cause).toBe(cause);
});

test("a full space is answered with the names of the quotas that limit it", () => {
  const keys = new KvsError("SPACE_FULL", "why", { details: { keysMax: 2 } });
  expect(translateError(keys).details).toEqual({ stateKeysMax: 2 });
  const bytes = new KvsError("SPACE_FULL", "why", { details: { bytesMax: 3 } });
  expect(translateError(bytes).details).toEqual({ stateBytesMax: 3 });
});

test.each(keysOf(OF_TENANTS))("the registry's %s keeps its message", (kind) => {
  const error = translateError(new TenantError(kind, "why"));
  expect(error).toMatchObject({ code: OF_TENANTS[kind], message: "why" });
});

test("what waits for the store may be tried again, and what is wrong with the call may not", () => {
  expect(translateError(new KvsError("BACK_PRESSURE", "x"))).toMatchObject({
    status: 503,
    retryable: true,
  });
  expect(translateError(new KvsError("KEY_INVALID", "x"))).toMatchObject({
    status: 400,
    retryable: false,
  });
});

test("the host's own error is itself, and anything else is a bug without its text", () => {
  const own = new HostError("QUEUE_FULL", "full");
  expect(translateError(own)).toBe(own);
  const bug = translateError(new Error("password=hunter2"));
  expect(bug.code).toBe("INTERNAL");
  expect(bug.message).not.toContain("hunter2");
});
