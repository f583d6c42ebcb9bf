/**
 * Every failure of the store, in one table. A code is API: it never changes meaning.
 *
 * `retryable` says whether the same call may succeed later, unchanged.
 */
export const KVS_ERROR_CODES = {
  // The call.
  KEY_INVALID: { retryable: false },
  WRONG_KIND: { retryable: false },
  VALUE_TOO_LARGE: { retryable: false },
  COUNTER_OVERFLOW: { retryable: false },
  SPACE_FULL: { retryable: false },
  // The store, now.
  BACK_PRESSURE: { retryable: true },
  STORE_FULL: { retryable: true },
  STORE_UNAVAILABLE: { retryable: true },
  STORE_CLOSED: { retryable: false },
  STORE_CORRUPT: { retryable: false },
  // Opening a store.
  STORE_LOCKED: { retryable: true },
  STORE_NEWER_FORMAT: { retryable: false },
  STORE_UNWRITABLE: { retryable: false },
} as const satisfies Record<string, { readonly retryable: boolean }>;

export type KvsErrorCode = keyof typeof KVS_ERROR_CODES;

export type KvsErrorDetails = Readonly<Record<string, string | number | boolean>>;

/** The form of an error that survives a thread: structured clone drops `code` and `details`. */
export interface KvsErrorWire {
  readonly code: KvsErrorCode;
  readonly message: string;
  readonly details: KvsErrorDetails;
}

/**
 * An expected failure of the store. `details` by code:
 * `WRONG_KIND` `{ kind }` (what the key holds), `VALUE_TOO_LARGE` `{ bytes, bytesMax }`,
 * `SPACE_FULL` `{ keysMax }` or `{ bytesMax }` (of the key's space, whichever it would go beyond),
 * `STORE_LOCKED` `{ directory, holder? }`, `STORE_NEWER_FORMAT` `{ format, formatMax }`.
 */
export class KvsError extends Error {
  override readonly name = "KvsError";
  readonly code: KvsErrorCode;
  readonly details: KvsErrorDetails;

  constructor(
    code: KvsErrorCode,
    message: string,
    options: { readonly details?: KvsErrorDetails; readonly cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.details = options.details ?? {};
  }

  get retryable(): boolean {
    return KVS_ERROR_CODES[this.code].retryable;
  }

  toWire(): KvsErrorWire {
    return { code: this.code, message: this.message, details: this.details };
  }

  static fromWire(wire: KvsErrorWire): KvsError {
    return new KvsError(wire.code, wire.message, { details: wire.details });
  }
}
