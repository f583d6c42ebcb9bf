import type { JsonValue } from "./json/json.ts";

const CODE = /^[A-Za-z][A-Za-z0-9_.-]{0,63}$/;

/**
 * A failure that belongs to the function's contract: the caller gets its code, message and details.
 * Any other exception is a bug of the function, and is reported as one.
 */
export class FunctionError extends Error {
  override readonly name: string = "FunctionError";
  /** Stable, for programs: a letter, then up to 63 letters, digits, `_`, `.` or `-`. */
  readonly code: string;
  /** More for programs. */
  readonly details: JsonValue | undefined;

  constructor(
    code: string,
    message: string,
    options: { readonly details?: JsonValue | undefined; readonly cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    if (!CODE.test(code)) {
      throw new TypeError(
        'The code of a FunctionError is a letter, then up to 63 letters, digits, "_", "." or "-"; ' +
          `got ${JSON.stringify(code)}`,
      );
    }
    this.code = code;
    this.details = options.details;
  }
}
