import type { ExitName } from "./exit-codes.ts";

/** Codes of the command's own failures; every other code comes from the host, unchanged. */
export type CliErrorCode =
  | "USAGE_INVALID"
  | "PROJECT_INVALID"
  | "PROJECT_EXISTS"
  | "PROJECT_NOT_FOUND"
  | "FILE_UNREADABLE"
  | "TOKEN_MISSING"
  | "HOST_UNREACHABLE"
  | "HOST_TIMEOUT"
  | "CONNECTION_CLOSED"
  | "HOST_START_FAILED"
  | "RESPONSE_INVALID"
  | "BUILD_FAILED"
  | "DEV_RUNNING"
  | "INTERRUPTED";

export interface CliErrorOptions {
  readonly exit: ExitName;
  /** What to do about it, for people; more than one line is fine. */
  readonly hint?: string | undefined;
  /** What a program needs besides the code; printed with `--json`. */
  readonly details?: Readonly<Record<string, unknown>> | undefined;
  /** Shown as it is under the message: a stack, or a list of diagnostics. */
  readonly body?: string | undefined;
  readonly cause?: unknown;
}

/** An expected failure of a command: it is reported without a stack of the command itself. */
export class CliError extends Error {
  override readonly name = "CliError";
  readonly code: string;
  readonly exit: ExitName;
  readonly hint: string | undefined;
  readonly details: Readonly<Record<string, unknown>> | undefined;
  readonly body: string | undefined;

  /** `code` is a `CliErrorCode`, or a code of the host's table as it came over the wire. */
  constructor(code: CliErrorCode | (string & {}), message: string, options: CliErrorOptions) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.exit = options.exit;
    this.hint = options.hint;
    this.details = options.details;
    this.body = options.body;
  }
}

/** A wrong command line: always the same exit status. */
export function usageError(message: string, hint?: string): CliError {
  return new CliError("USAGE_INVALID", message, { exit: "usage", hint });
}
