import { isUtf8 } from "node:buffer";
import type { Instance } from "../engine/engine.ts";
import type { AppLimits, Payload } from "../protocol.ts";
import { JSON_MEDIA_TYPE, jsonToPayload, toPayload } from "./outcome.ts";

/**
 * Calls the export that takes an input: `handle`, or where the component has it `handle-json`, for what it takes
 * (`wit/function.wit`). The two answer alike: a caller cannot tell which one it was.
 */
export function callHandle(
  instance: Instance,
  functionName: string,
  input: Payload,
  limits: AppLimits,
): Promise<Payload> {
  const text = instance.has("handle-json") ? jsonTextOf(input) : undefined;
  return text === undefined
    ? instance.call("handle", [functionName, input]).then((handled) => toPayload(handled, limits))
    : instance
        .call("handle-json", [functionName, text])
        .then((handled) => jsonToPayload(handled, limits));
}

function jsonTextOf({ mediaType, body }: Payload): string | undefined {
  if (mediaType !== JSON_MEDIA_TYPE || !isUtf8(body)) return undefined;
  return Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString();
}
