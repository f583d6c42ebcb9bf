// The component's two exports, made of the author's. The generated entry calls `serve` last.
//
// V1. `handle` settles with a payload or a `HandleFailure`: anything else would be a trap.
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
import {
  decodeInput,
  encodeOutput,
  encodeRawOutput,
  HandleFailure,
  toFailure,
  unserializable,
} from "./payload.ts";
import type { Payload } from "./payload.ts";
import { settling } from "./settled.ts";
import type { Settled } from "./settled.ts";

interface App {
  describe(): string;
  handle(functionName: string, input: Payload): Payload | Settled<Payload>;
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
  const invoke = (functionName: string, input: Payload): Payload | Promise<Payload> => {
    startClock();
    beginInvocation();
    resetConsole();
    const definition = functions.get(functionName);
    if (definition !== undefined) return run(definition, input);
    throw new HandleFailure({ tag: "unknown-function", val: functionName });
  };
  return {
    buildLog,
    describe: () => manifest,
    handle: isQuickJs ? settling(invoke) : invoke,
  };
}

function run(definition: RunnableFunction, input: Payload): Payload | Promise<Payload> {
  const { kind, parseInput, handler } = definition;
  let output: unknown;
  try {
    const value = kind === "raw" ? toRawInput(input) : decodeInput(input);
    output =
      parseInput === undefined
        ? handler(value, context)
        : handleParsed(parse(parseInput, value), handler);
  } catch (thrown) {
    throw new HandleFailure(toFailure(thrown));
  }
  if (typeof output !== "object" || !isThenable(output)) return encode(kind, output);
  return Promise.resolve(output).then(
    (settled) => encode(kind, settled),
    (thrown: unknown) => {
      throw new HandleFailure(toFailure(thrown));
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

function encode(kind: RunnableFunction["kind"], output: unknown): Payload {
  try {
    return kind === "raw" ? encodeRawOutput(output) : encodeOutput(output);
  } catch (thrown) {
    // A getter or a toJSON of the author's may throw as well.
    const isOurs = thrown instanceof UnserializableError;
    throw new HandleFailure(isOurs ? unserializable(thrown) : toFailure(thrown));
  }
}
