import { Trap } from "../engine/engine.ts";
import type { TrapReason } from "../engine/engine.ts";
import type { ComponentValue } from "../engine/component/types.ts";
import { HostError } from "../errors.ts";
import type { ErrorDetails, ErrorWire } from "../errors.ts";
import type { AppLimits, Payload } from "../protocol.ts";
import { cut } from "./cut.ts";

/** What a guest says of its failure goes into answers and logs: bounded, whatever it says. */
const MESSAGE_BYTES_MAX = 8 * 1024;
const STACK_BYTES_MAX = 16 * 1024;
const ERROR_DETAILS_BYTES_MAX = 64 * 1024;

/** RFC 9110, without the characters that could end a header line. */
const MEDIA_TYPE =
  /^[\w!#$&^.+-]{1,127}\/[\w!#$&^.+-]{1,127}(?:[ \t]*;[ \t]*[\w!#$&^.+-]{1,64}=(?:[\w!#$&^.+-]{1,64}|"[ \w!#$&^.+-]{0,64}"))*$/u;
const MEDIA_TYPE_CHARS_MAX = 255;
export const JSON_MEDIA_TYPE = "application/json";
const AUTHOR_CODE = /^[A-Za-z][A-Za-z0-9_.-]{0,63}$/u;

type Failure =
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

type Handled =
  | { readonly tag: "ok"; readonly val: Payload }
  | { readonly tag: "err"; readonly val: Failure };

type HandledJson =
  | { readonly tag: "ok"; readonly val: string }
  | {
      readonly tag: "err";
      readonly val:
        | { readonly tag: "other"; readonly val: Payload }
        | { readonly tag: "failure"; readonly val: Failure };
    };

/** Reads what `handle-json` gave. */
export function jsonToPayload(handled: ComponentValue, limits: AppLimits): Payload {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- As for `toPayload`.
  const value = handled as HandledJson;
  if (value.tag === "ok") {
    // Before it is there a second time.
    requireShort(Buffer.byteLength(value.val), limits);
    return { mediaType: JSON_MEDIA_TYPE, body: encoder.encode(value.val) };
  }
  if (value.val.tag === "failure") throw toError(value.val.val);
  return toPayload({ tag: "ok", val: value.val.val }, limits);
}

/** Not with `Buffer`: what goes to another thread has a memory of its own. */
const encoder = new TextEncoder();

function requireShort(resultBytes: number, { resultBytesMax }: AppLimits): void {
  if (resultBytes <= resultBytesMax) return;
  throw new HostError(
    "RESULT_TOO_LARGE",
    `the result has ${resultBytes} bytes; the limit is ${resultBytesMax}`,
    { details: { resultBytes, resultBytesMax } },
  );
}

/** Reads what `handle` gave. The engine checked its type; its contents are the guest's. */
export function toPayload(handled: ComponentValue, limits: AppLimits): Payload {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- The world check at upload fixed the type of `handle`, and the canonical ABI lifts by that type.
  const value = handled as Handled;
  if (value.tag === "err") throw toError(value.val);
  const { mediaType, body } = value.val;
  requireShort(body.byteLength, limits);
  if (mediaType.length > MEDIA_TYPE_CHARS_MAX || !MEDIA_TYPE.test(mediaType)) {
    throw new HostError("RESULT_UNSERIALIZABLE", "the result's media type is not one");
  }
  return value.val;
}

function toError(failure: Failure): HostError {
  switch (failure.tag) {
    case "unknown-function":
      return new HostError("FUNCTION_NOT_FOUND", "the component has no function of this name");
    case "invalid-input":
      return new HostError("INPUT_INVALID", cut(failure.val, MESSAGE_BYTES_MAX));
    case "unserializable-result":
      return new HostError("RESULT_UNSERIALIZABLE", cut(failure.val, MESSAGE_BYTES_MAX));
    case "function-error": {
      const { code, message, details } = failure.val;
      const functionCode = AUTHOR_CODE.test(code) ? code : "INVALID_CODE";
      const wanted = details !== undefined && details.body.byteLength <= ERROR_DETAILS_BYTES_MAX;
      return new HostError("FUNCTION_ERROR", cut(message, MESSAGE_BYTES_MAX), {
        details: { functionCode, ...(wanted && toFunctionDetails(details)) },
      });
    }
    case "uncaught-exception": {
      const { name, message, stack } = failure.val;
      return new HostError("FUNCTION_THREW", cut(message, MESSAGE_BYTES_MAX), {
        details: { exception: cut(name, 255), stack: cut(stack, STACK_BYTES_MAX) },
      });
    }
    default:
      return failure satisfies never;
  }
}

/** Text, because main parses nothing of a guest's; `application/json` is said of JSON alone, which goes into the answer unquoted. */
function toFunctionDetails({ mediaType, body }: Payload): ErrorDetails {
  const text = Buffer.from(body).toString();
  const essence = mediaType.split(";", 1)[0]?.trim().toLowerCase();
  const isJson = essence === JSON_MEDIA_TYPE;
  return {
    functionDetails: text,
    functionDetailsMediaType: !isJson
      ? cut(mediaType, MEDIA_TYPE_CHARS_MAX)
      : isParsable(text)
        ? JSON_MEDIA_TYPE
        : "text/plain",
  };
}

function isParsable(json: string): boolean {
  try {
    JSON.parse(json);
    return true;
  } catch {
    // The guest said that it is JSON, and it is not.
    return false;
  }
}

/** What an author reads of a trap that tells nothing in the words of WebAssembly. */
const TRAP_MESSAGES: Readonly<Record<TrapReason, string>> = {
  "never-returned":
    "the function's promise never settled: nothing that it waits for can still happen",
  "stack-exhausted":
    "the function's calls are nested too deeply: look for a recursion that does not end",
};

function trapped({ message, reason }: Trap): HostError {
  if (reason === undefined) return new HostError("GUEST_TRAPPED", cut(message, MESSAGE_BYTES_MAX));
  return new HostError("GUEST_TRAPPED", TRAP_MESSAGES[reason], { details: { reason } });
}

/** How a call that did not return ended. A bug of ours is not an outcome: it is thrown on. */
export function toOutcomeError(error: unknown): ErrorWire {
  if (error instanceof HostError) return error.toWire();
  if (error instanceof Trap) return trapped(error).toWire();
  // The engine tells a guest's own overflow (a trap) from the host's lack of memory or address space.
  if (error instanceof RangeError) {
    return new HostError("OUT_OF_MEMORY", "the host has no memory for the function now").toWire();
  }
  throw error;
}
