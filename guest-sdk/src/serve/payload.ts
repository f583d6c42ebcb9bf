import { FunctionError } from "../function-error.ts";
import { InvalidInputError } from "../fn.ts";
import { describeThrown, formatError, partsOf, stackOf } from "../errors/stack-trace.ts";
import { encodeJson, UnserializableError } from "../json/json.ts";
import { cut, inspect } from "../console/inspect.ts";
import { decodeUtf8, encodeUtf8 } from "../utf8.ts";

/** `payload` of `wit/types.wit`. */
export interface Payload {
  readonly mediaType: string;
  readonly body: Uint8Array;
}

/** `failure` of `wit/types.wit`. */
export type Failure =
  | { readonly tag: "unknown-function"; readonly val: string }
  | { readonly tag: "invalid-input"; readonly val: string }
  | {
      readonly tag: "function-error";
      readonly val: {
        readonly code: string;
        readonly message: string;
        readonly details: Payload | undefined;
      };
    }
  | {
      readonly tag: "uncaught-exception";
      readonly val: { readonly name: string; readonly message: string; readonly stack: string };
    }
  | { readonly tag: "unserializable-result"; readonly val: string };

/**
 * Both engines make a `result`'s error of what is thrown with an own `payload`. Its texts are made well
 * formed here, where all of them leave: half a character, of the author's or of a cut, would be a trap.
 */
export class HandleFailure extends Error {
  readonly payload: Failure;

  constructor(payload: Failure) {
    super(payload.tag);
    this.payload = toWellFormedFailure(payload);
  }
}

/** `no-json` of `wit/types.wit`. */
type NotJson =
  | { readonly tag: "other"; readonly val: Payload }
  | { readonly tag: "failure"; readonly val: Failure };

/** As `HandleFailure`, for `handle-json`. */
export class NoJson extends Error {
  readonly payload: NotJson;

  constructor(payload: NotJson) {
    super(payload.tag);
    this.payload = payload;
  }

  static failed(failure: Failure): NoJson {
    return new NoJson({ tag: "failure", val: toWellFormedFailure(failure) });
  }
}

function toWellFormedFailure(failure: Failure): Failure {
  switch (failure.tag) {
    case "function-error": {
      const { code, message, details } = failure.val;
      const val = { code: code.toWellFormed(), message: message.toWellFormed(), details };
      return { tag: failure.tag, val };
    }
    case "uncaught-exception": {
      const { name, message, stack } = failure.val;
      const val = {
        name: name.toWellFormed(),
        message: message.toWellFormed(),
        stack: stack.toWellFormed(),
      };
      return { tag: failure.tag, val };
    }
    default:
      return { tag: failure.tag, val: failure.val.toWellFormed() };
  }
}

export const JSON_MEDIA_TYPE = "application/json";
const JSON_MEDIA = /^application\/(?:[\w.+-]+\+)?json\s*(?:;|$)/i;
const MESSAGE_CHARACTERS_MAX = 8_000;
const STACK_CHARACTERS_MAX = 16_000;

/** The value that a JSON function gets. No bytes at all are undefined. */
export function decodeInput(input: Payload): unknown {
  if (input.body.length === 0) return undefined;
  const { mediaType } = input;
  if (mediaType !== JSON_MEDIA_TYPE && !JSON_MEDIA.test(mediaType)) {
    throw new InvalidInputError(
      `the function takes ${JSON_MEDIA_TYPE}, not ${JSON.stringify(cut(mediaType, 255))}`,
    );
  }
  const text = decodeUtf8(input.body);
  if (text === undefined) throw new InvalidInputError("the input is not UTF-8");
  return decodeJsonInput(text);
}

/** The same of JSON text. */
export function decodeJsonInput(text: string): unknown {
  if (text === "") return undefined;
  try {
    return JSON.parse(text);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : "malformed";
    throw new InvalidInputError(`the input is not JSON: ${cut(reason, 200)}`);
  }
}

export function encodeOutput(output: unknown): Payload {
  if (output instanceof Uint8Array) return { mediaType: "application/octet-stream", body: output };
  return { mediaType: JSON_MEDIA_TYPE, body: encodeUtf8(encodeJson(output)) };
}

/** As JSON text where it can be; throws `NoJson` with what it is otherwise. */
export function encodeJsonOutput(output: unknown): string {
  if (typeof output === "object" && output instanceof Uint8Array) {
    throw new NoJson({ tag: "other", val: encodeOutput(output) });
  }
  return encodeJson(output);
}

const MEDIA_TYPE_BYTES_MAX = 255;

/** What a raw function returned: a `RawOutput`, if its author's types hold. */
export function encodeRawOutput(output: unknown): Payload {
  if (typeof output === "string") {
    return { mediaType: "text/plain;charset=utf-8", body: encodeUtf8(output) };
  }
  if (output instanceof Uint8Array) return { mediaType: "application/octet-stream", body: output };
  if (
    typeof output !== "object" ||
    output === null ||
    !("mediaType" in output && "body" in output) ||
    typeof output.mediaType !== "string"
  ) {
    throw new UnserializableError("$", "is neither text, nor bytes, nor { mediaType, body }");
  }
  const { mediaType, body } = output;
  if (mediaType === "" || mediaType.length > MEDIA_TYPE_BYTES_MAX) {
    throw new UnserializableError("$.mediaType", `has not 1 to ${MEDIA_TYPE_BYTES_MAX} characters`);
  }
  if (!mediaType.isWellFormed()) {
    throw new UnserializableError("$.mediaType", "holds half a character (a lone surrogate)");
  }
  if (typeof body === "string") return { mediaType, body: encodeUtf8(body) };
  if (body instanceof Uint8Array) return { mediaType, body };
  throw new UnserializableError("$.body", "is neither text nor bytes");
}

/** What the caller is told of an exception. */
export function toFailure(thrown: unknown): Failure {
  try {
    return failureOf(thrown);
  } catch (cause) {
    if (cause instanceof UnserializableError) return unserializable(cause);
    // The thrown object itself throws when it is read.
    return uncaught("Error", `an exception that cannot be read: ${describeThrown(cause)}`, "");
  }
}

function failureOf(thrown: unknown): Failure {
  if (thrown instanceof InvalidInputError) {
    return { tag: "invalid-input", val: cut(thrown.message, MESSAGE_CHARACTERS_MAX) };
  }
  if (thrown instanceof FunctionError) {
    const message = cut(thrown.message, MESSAGE_CHARACTERS_MAX);
    return {
      tag: "function-error",
      val: { code: thrown.code, message, details: detailsOf(thrown) },
    };
  }
  if (!(thrown instanceof Error)) {
    const isObject = typeof thrown === "object" && thrown !== null;
    return uncaught("Error", isObject ? inspect(thrown) : describeThrown(thrown), "");
  }
  return uncaught(thrown.name, thrown.message, stackWithCauses(thrown));
}

function detailsOf(error: FunctionError): Payload | undefined {
  if (error.details === undefined) return undefined;
  try {
    return { mediaType: JSON_MEDIA_TYPE, body: encodeUtf8(encodeJson(error.details)) };
  } catch (cause) {
    if (!(cause instanceof UnserializableError)) throw cause;
    throw new UnserializableError("The details of a FunctionError:", cause.message);
  }
}

function stackWithCauses(error: Error): string {
  const causes = error.cause instanceof Error ? [`caused by ${formatError(error.cause)}`] : [];
  return [stackOf(error), ...partsOf(error), ...causes].join("\n").trim();
}

function uncaught(name: unknown, message: unknown, stack: string): Failure {
  return {
    tag: "uncaught-exception",
    val: {
      name: cut(String(name), 255),
      message: cut(String(message), MESSAGE_CHARACTERS_MAX),
      stack: cut(stack, STACK_CHARACTERS_MAX),
    },
  };
}

export function unserializable(error: UnserializableError): Failure {
  return { tag: "unserializable-result", val: error.message };
}
