// The component's two exports, made of the author's. The generated entry calls `serve` last.
//
// V1. `handle` settles with a payload or throws a `HandleFailure`: anything else would be a trap.
// V2. The manifest is text before the snapshot is taken: `describe` runs none of the author's code.

import { beginInvocation, context } from "../context.ts";
import { resetConsole, takeBuildLog } from "../console/console.ts";
import { fromBytes } from "../engine.ts";
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

interface App {
  describe(): string;
  handle(functionName: string, input: Payload): Promise<Payload>;
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
  return {
    buildLog,
    describe: () => manifest,
    async handle(functionName, input) {
      startClock();
      beginInvocation();
      resetConsole();
      const definition = functions.get(functionName);
      if (definition === undefined) {
        throw new HandleFailure({ tag: "unknown-function", val: functionName });
      }
      let output: unknown;
      try {
        const value = definition.kind === "raw" ? toRawInput(input) : decodeInput(input);
        const parsed = definition.parseInput === undefined ? value : await parse(definition, value);
        output = definition.handler(parsed, context);
        // An await costs a turn of the job queue, which a function that is not async need not pay.
        if (isThenable(output)) output = await output;
      } catch (thrown) {
        throw new HandleFailure(toFailure(thrown));
      }
      return encode(definition.kind, output);
    },
  };
}

function isThenable(value: unknown): boolean {
  return typeof value === "object" && value !== null && "then" in value;
}

/** What a parser throws says that the input is wrong, unless it is a failure of the author's. */
async function parse(definition: RunnableFunction, value: unknown): Promise<unknown> {
  try {
    return await definition.parseInput?.(value);
  } catch (thrown) {
    if (thrown instanceof InvalidInputError || thrown instanceof FunctionError) throw thrown;
    throw new InvalidInputError(thrown instanceof Error ? thrown.message : String(thrown));
  }
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
