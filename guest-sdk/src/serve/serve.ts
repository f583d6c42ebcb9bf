// The component's exports, made of the author's. The generated entry calls `serve` last.
//
// V1. `handle` settles with a payload or a `HandleFailure`, `handleJson` with text or a `NoJson`: anything else
//     would be a trap. What a function gives does not depend on which of the two was called.
// V2. The manifest is text before the snapshot is taken: `describe` runs none of the author's code.
// V3. A function that gives no promise costs none: each takes an interpreter more than a microsecond.

import { beginInvocation, context } from "../context.ts";
import { resetConsole, takeBuildLog } from "../console/console.ts";
import { fromBytes, isQuickJs } from "../engine.ts";
import { installLineTable } from "../errors/stack-trace.ts";
import type { LineTable } from "../errors/line-table.ts";
import { InvalidInputError } from "../fn.ts";
import type { RawInput, RunnableFunction } from "../fn.ts";
import { FunctionError } from "../function-error.ts";
import { startClock } from "../globals/clock.ts";
import { UnserializableError } from "../json/json.ts";
import { startServing } from "../phase.ts";
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
import { settling } from "./settled.ts";
import type { Settled } from "./settled.ts";

interface App {
  describe(): string;
  handle(functionName: string, input: Payload): Payload | Promise<Payload> | Settled<Payload>;
  handleJson(functionName: string, input: string): Settled<string>;
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
  const invoke = <Input, Output>(
    form: Form<Input, Output>,
    functionName: string,
    input: Input,
  ): Output | Promise<Output> => {
    startClock();
    beginInvocation();
    resetConsole();
    const definition = functions.get(functionName);
    if (definition !== undefined) return run(form, definition, input);
    throw form.failed({ tag: "unknown-function", val: functionName });
  };
  const handle = (functionName: string, input: Payload): Payload | Promise<Payload> =>
    invoke(payloads, functionName, input);
  return {
    buildLog,
    describe: () => manifest,
    handle: isQuickJs ? settling(handle) : handle,
    handleJson: settling((functionName, input: string) => invoke(texts, functionName, input)),
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

function run<Input, Output>(
  form: Form<Input, Output>,
  { kind, parseInput, handler }: RunnableFunction,
  input: Input,
): Output | Promise<Output> {
  let output: unknown;
  try {
    const value = form.decode(kind, input);
    output =
      parseInput === undefined
        ? handler(value, context)
        : handleParsed(parse(parseInput, value), handler);
  } catch (thrown) {
    throw form.failed(toFailure(thrown));
  }
  if (typeof output !== "object" || !isThenable(output)) return encode(form, kind, output);
  return Promise.resolve(output).then(
    (settled) => encode(form, kind, settled),
    (thrown: unknown) => {
      throw form.failed(toFailure(thrown));
    },
  );
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

function encode<Input, Output>(
  form: Form<Input, Output>,
  kind: RunnableFunction["kind"],
  output: unknown,
): Output {
  try {
    return form.encode(kind, output);
  } catch (thrown) {
    if (thrown instanceof NoJson) throw thrown;
    // A getter or a toJSON of the author's may throw as well.
    const isOurs = thrown instanceof UnserializableError;
    throw form.failed(isOurs ? unserializable(thrown) : toFailure(thrown));
  }
}
