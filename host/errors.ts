/**
 * Every failure the host can report, in one table. A code is API: it never changes meaning.
 *
 * - `status` is the HTTP status the control plane answers with.
 * - `retryable` says whether the same request may succeed later, unchanged.
 *
 * `docs/errors.md` says for each what to do about it; a test keeps the two in step.
 */
export const ERROR_CODES = {
  // The request.
  REQUEST_INVALID: { status: 400, retryable: false },
  JSON_MALFORMED: { status: 400, retryable: false },
  BODY_TOO_LARGE: { status: 413, retryable: false },
  MEDIA_TYPE_UNSUPPORTED: { status: 415, retryable: false },
  UNAUTHENTICATED: { status: 401, retryable: false },
  FORBIDDEN: { status: 403, retryable: false },
  ROUTE_NOT_FOUND: { status: 404, retryable: false },
  METHOD_NOT_ALLOWED: { status: 405, retryable: false },
  TENANT_SUSPENDED: { status: 403, retryable: false },
  // Things that are named.
  TENANT_NOT_FOUND: { status: 404, retryable: false },
  TENANT_EXISTS: { status: 409, retryable: false },
  TOKEN_NOT_FOUND: { status: 404, retryable: false },
  APP_NOT_FOUND: { status: 404, retryable: false },
  FUNCTION_NOT_FOUND: { status: 404, retryable: false },
  REVISION_NOT_FOUND: { status: 404, retryable: false },
  STATE_KEY_NOT_FOUND: { status: 404, retryable: false },
  // What a tenant may use.
  QUOTA_EXCEEDED: { status: 403, retryable: false },
  // Uploads.
  COMPONENT_MALFORMED: { status: 422, retryable: false },
  COMPONENT_IS_CORE_MODULE: { status: 422, retryable: false },
  COMPONENT_UNSUPPORTED: { status: 422, retryable: false },
  COMPONENT_TOO_COMPLEX: { status: 422, retryable: false },
  IMPORT_NOT_ALLOWED: { status: 422, retryable: false },
  WORLD_MISMATCH: { status: 422, retryable: false },
  MANIFEST_INVALID: { status: 422, retryable: false },
  COMPILE_LIMIT_EXCEEDED: { status: 422, retryable: false },
  UPLOAD_TOO_LARGE: { status: 413, retryable: false },
  ARTIFACT_DAMAGED: { status: 500, retryable: false },
  UPLOAD_SUPERSEDED: { status: 409, retryable: true },
  // Invocations.
  INPUT_INVALID: { status: 400, retryable: false },
  FUNCTION_ERROR: { status: 422, retryable: false },
  FUNCTION_THREW: { status: 500, retryable: false },
  RESULT_UNSERIALIZABLE: { status: 500, retryable: false },
  RESULT_TOO_LARGE: { status: 502, retryable: false },
  GUEST_TRAPPED: { status: 502, retryable: false },
  CPU_LIMIT_EXCEEDED: { status: 504, retryable: false },
  DEADLINE_EXCEEDED: { status: 504, retryable: true },
  CANCELLED: { status: 499, retryable: true },
  QUEUE_FULL: { status: 429, retryable: true },
  RATE_LIMITED: { status: 429, retryable: true },
  BACKED_OFF: { status: 429, retryable: true },
  EXECUTOR_BLOCKED: { status: 504, retryable: false },
  EXECUTOR_LOST: { status: 503, retryable: true },
  OUT_OF_MEMORY: { status: 503, retryable: true },
  HOST_DRAINING: { status: 503, retryable: true },
  STATE_OPERATIONS_EXCEEDED: { status: 403, retryable: false },
  // State.
  STATE_KEY_INVALID: { status: 400, retryable: false },
  STATE_KIND_MISMATCH: { status: 409, retryable: false },
  STATE_VALUE_TOO_LARGE: { status: 413, retryable: false },
  STATE_COUNTER_OVERFLOW: { status: 409, retryable: false },
  STATE_UNAVAILABLE: { status: 503, retryable: true },
  STORAGE_FULL: { status: 507, retryable: true },
  // The start of a host: these end the process, and are answered nowhere.
  CONFIG_INVALID: { status: 500, retryable: false },
  DATA_DIR_UNWRITABLE: { status: 500, retryable: false },
  DATA_DIR_LOCKED: { status: 500, retryable: true },
  DATA_DIR_NEWER: { status: 500, retryable: false },
  DATA_DIR_CORRUPT: { status: 500, retryable: false },
  ADDRESS_IN_USE: { status: 500, retryable: true },
  // Bugs.
  INTERNAL: { status: 500, retryable: false },
} as const satisfies Record<string, { readonly status: number; readonly retryable: boolean }>;

export type ErrorCode = keyof typeof ERROR_CODES;

/** What a program needs besides the code. Values are data, never markup; lists are short. */
export type ErrorDetails = Readonly<
  Record<string, string | number | boolean | readonly string[] | undefined>
>;

/** The form of an error that survives a thread or a socket: structured clone drops `code`. */
export interface ErrorWire {
  readonly code: ErrorCode;
  readonly message: string;
  readonly details: ErrorDetails;
}

/** An expected failure of an operation: something to report, not a bug. */
export class HostError extends Error {
  override readonly name = "HostError";
  readonly code: ErrorCode;
  readonly details: ErrorDetails;

  constructor(
    code: ErrorCode,
    message: string,
    options: { readonly details?: ErrorDetails; readonly cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.details = options.details ?? {};
  }

  get status(): number {
    return ERROR_CODES[this.code].status;
  }

  get retryable(): boolean {
    return ERROR_CODES[this.code].retryable;
  }

  toWire(): ErrorWire {
    return { code: this.code, message: this.message, details: this.details };
  }

  static fromWire(wire: ErrorWire): HostError {
    return new HostError(wire.code, wire.message, { details: wire.details });
  }

  /** Anything that is not already ours is a bug, and is reported as one without its message. */
  static from(cause: unknown): HostError {
    if (cause instanceof HostError) return cause;
    return new HostError("INTERNAL", "internal error", { cause });
  }
}
