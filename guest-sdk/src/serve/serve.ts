// The component's exports, made of the author's. The generated entry calls `serve` last.
//
// V1. `handle` settles with a payload or a `HandleFailure`, `handleJson` with text or a `NoJson`: anything else
//     would be a trap. What a function gives does not depend on which of the two was called.
// V2. The manifest is text before the snapshot is taken: `describe` runs none of the author's code.
// V3. A function that gives no promise costs none: each takes an interpreter more than a microsecond.

import { context } from "../context.ts";
import { takeBuildLog } from "../console/console.ts";
import { fromBytes, isQuickJs } from "../engine.ts";
import { installLineTable } from "../errors/stack-trace.ts";
import type { LineTable } from "../errors/line-table.ts";
import { InvalidInputError } from "../fn.ts";
import type { RawInput, RunnableFunction } from "../fn.ts";
import { FunctionError } from "../function-error.ts";
import { UnserializableError } from "../json/json.ts";
import { startServing } from "../phase.ts";
import { hasTraces, wipeTraces } from "../traces.ts";
import { asyncExport } from "./async-export.ts";
import { asciiJson, collectFunctions, manifestJson } from "./manifest.ts";
import { encodeUtf8 } from "../utf8.ts";
import {
  decodeInput,
  decodeJsonInput,
  encodeJsonOutput,
  encodeOutput,
  encodeRawOutput,
  HandleFailure,
  JSON_MEDIA_TYPE,
  NoJson,
  toFailure,
  unserializable,
} from "./payload.ts";
import type { Failure, Payload } from "./payload.ts";

interface App {
  describe(): string;
  handle(functionName: string, input: Payload): unknown;
  handleJson(functionName: string, input: string): unknown;
  /** Kept only so that it is in the snapshot, where the build finds it. */
  readonly buildLog: string;
}

/** Ends module evaluation: what is called after this runs in an instance. */
export function serve(exported: Readonly<Record<string, unknown>>, lineTable: string): App {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- The build wrote it.
  installLineTable(JSON.parse(lineTable) as LineTable);
  const functions = collectFunctions(exported);
  const manifest = manifestJson(functions);
  const buildLog = asciiJson({ buildLog: "downpour.1", entries: takeBuildLog() });
  startServing();
  const handle = invoking(functions, payloads);
  return {
    buildLog,
    describe: () => manifest,
    handle: isQuickJs ? asyncExport("handle", handle) : handle,
    handleJson: asyncExport("handleJson", invoking(functions, texts)),
  };
}

/** What crosses between the host and a function. */
interface Form<Input, Output> {
  readonly decode: (kind: RunnableFunction["kind"], input: Input) => unknown;
  readonly encode: (kind: RunnableFunction["kind"], output: unknown) => Output;
  readonly failed: (failure: Failure) => Error;
}

const payloads: Form<Payload, Payload> = {
  decode: (kind, input) => (kind === "raw" ? toRawInput(input) : decodeInput(input)),
  encode: (kind, output) => (kind === "raw" ? encodeRawOutput(output) : encodeOutput(output)),
  failed: (failure) => new HandleFailure(failure),
};

/** JSON, for those functions that take and give it; others are given what they would get of `handle`. */
const texts: Form<string, string> = {
  decode: (kind, input) =>
    kind === "raw"
      ? { mediaType: JSON_MEDIA_TYPE, body: encodeUtf8(input) }
      : decodeJsonInput(input),
  encode: (kind, output) => {
    if (kind === "json") return encodeJsonOutput(output);
    throw new NoJson({ tag: "other", val: encodeRawOutput(output) });
  },
  failed: (failure) => NoJson.failed(failure),
};

/** Runs a function in one piece: each call that an interpreter makes here is a tenth of a microsecond of all. */
function invoking<Input, Output>(
  functions: ReadonlyMap<string, RunnableFunction>,
  { decode, encode, failed }: Form<Input, Output>,
): (functionName: string, input: Input) => Output | Promise<Output> {
  const failedBy = (thrown: unknown): Error => failed(toFailure(thrown));
  const encoded = (kind: RunnableFunction["kind"], output: unknown): Output => {
    try {
      return encode(kind, output);
    } catch (thrown) {
      if (thrown instanceof NoJson) throw thrown;
      // A getter or a toJSON of the author's may throw as well.
      throw thrown instanceof UnserializableError
        ? failed(unserializable(thrown))
        : failedBy(thrown);
    }
  };
  return (functionName, input) => {
    if (hasTraces) wipeTraces();
    const definition = functions.get(functionName);
    if (definition === undefined) throw failed({ tag: "unknown-function", val: functionName });
    const { kind, parseInput, handler } = definition;
    let output: unknown;
    try {
      const value = decode(kind, input);
      output =
        parseInput === undefined
          ? handler(value, context)
          : handleParsed(parse(parseInput, value), handler);
    } catch (thrown) {
      throw failedBy(thrown);
    }
    if (typeof output !== "object" || !isThenable(output)) return encoded(kind, output);
    return Promise.resolve(output).then(
      (settled) => encoded(kind, settled),
      (thrown: unknown) => {
        throw failedBy(thrown);
      },
    );
  };
}

function handleParsed(parsed: unknown, handler: RunnableFunction["handler"]): unknown {
  if (!isThenable(parsed)) return handler(parsed, context);
  return Promise.resolve(parsed).then((settled) => handler(settled, context));
}

function isThenable(value: unknown): boolean {
  return typeof value === "object" && value !== null && "then" in value;
}

/** What a parser throws says that the input is wrong, unless it is a failure of the author's. */
function parse(parseInput: (value: unknown) => unknown, value: unknown): unknown {
  try {
    const parsed = parseInput(value);
    return isThenable(parsed) ? Promise.resolve(parsed).catch(refuseInput) : parsed;
  } catch (thrown) {
    return refuseInput(thrown);
  }
}

function refuseInput(thrown: unknown): never {
  if (thrown instanceof InvalidInputError || thrown instanceof FunctionError) throw thrown;
  throw new InvalidInputError(thrown instanceof Error ? thrown.message : String(thrown));
}

function toRawInput({ mediaType, body }: Payload): RawInput {
  return { mediaType, body: fromBytes(body) };
}
