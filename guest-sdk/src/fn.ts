import { context } from "./context.ts";
import type { Context } from "./context.ts";
import type { Json, ToJson } from "./json/json.ts";

/** Survives two copies of this package in one bundle. */
const BRAND = Symbol.for("downpour.function");

/** A function that callers can invoke under the name it is exported with. */
export interface FunctionDefinition<Input = unknown, Output = unknown> {
  readonly description: string | undefined;
  /** Runs it in place, as any other code; nothing is encoded, no limit applies. */
  call(input: Input, context?: Context): Output | Promise<Output>;
}

/** What the runtime needs of a definition. */
export interface RunnableFunction extends FunctionDefinition<never> {
  readonly kind: "json" | "raw";
  readonly parseInput: ((value: unknown) => unknown) | undefined;
  readonly handler: (input: unknown, context: Context) => unknown;
}

/** https://standardschema.dev: how zod, valibot, arktype and others offer themselves. */
export interface StandardSchema<Output> {
  readonly "~standard": {
    readonly version: 1;
    readonly vendor: string;
    readonly validate: (value: unknown) => StandardResult<Output> | Promise<StandardResult<Output>>;
    readonly types?: { readonly input: unknown; readonly output: Output } | undefined;
  };
}

type StandardResult<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | { readonly issues: readonly StandardIssue[] };

interface StandardIssue {
  readonly message: string;
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
}

/** The input is not what the function takes. Thrown by a parser; the caller gets the message. */
export class InvalidInputError extends Error {
  override readonly name = "InvalidInputError";
}

export interface FunctionOptions {
  /** For people and tools that list functions; at most 1000 characters. */
  readonly description?: string;
}

export interface ParsedFunctionOptions<Input> extends FunctionOptions {
  /**
   * Checks the input and gives the value that the function takes: a schema of a validation library,
   * or a function that throws where the input is wrong. Without it the input is not checked.
   */
  readonly input: StandardSchema<Input> | ((value: unknown) => Input);
}

/** What a raw function gets: the bytes as the caller sent them. */
export interface RawInput {
  readonly mediaType: string;
  readonly body: Uint8Array;
}

/** What a raw function gives. A string is `text/plain`, bytes are `application/octet-stream`. */
export type RawOutput =
  | string
  | Uint8Array
  | { readonly mediaType: string; readonly body: string | Uint8Array };

type Handler<Input, Output> = (input: Input, context: Context) => Output | Promise<Output>;

/** Nothing to add where both are JSON; else a type that no handler has, whose name is the reason. */
type CheckedHandler<Input, Output> = [Input] extends [Json<Input>]
  ? CheckedOutput<Output>
  : { readonly "The input of a function is JSON: this type never comes out of it": Input };

type CheckedOutput<Output> = [Output] extends [ToJson<Output> | Uint8Array]
  ? unknown
  : { readonly "The result of a function is JSON or a Uint8Array: this type is neither": Output };

interface FnConstructor {
  /** As below, with an input that is checked first. */
  <Input, Output>(
    handler: Handler<NoInfer<Input>, Output> & CheckedOutput<Output>,
    options: ParsedFunctionOptions<Input>,
  ): FunctionDefinition<Input, Output>;
  /**
   * Makes a function of JSON: its input is decoded, what it returns is encoded. It may be async.
   * A `Uint8Array` goes back as bytes; undefined as null.
   */
  <Input = undefined, Output = null>(
    handler: Handler<Input, Output> & CheckedHandler<Input, Output>,
    options?: FunctionOptions,
  ): FunctionDefinition<Input, Output>;
  /** Makes a function of bytes: any media type in, any media type out. */
  raw(
    handler: (input: RawInput, context: Context) => RawOutput | Promise<RawOutput>,
    options?: FunctionOptions,
  ): FunctionDefinition<RawInput, RawOutput>;
}

const DESCRIPTION_CHARACTERS_MAX = 1000;

// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- The types that `define` cannot state.
export const fn = Object.assign(
  (handler: unknown, options?: FunctionOptions & Partial<ParsedFunctionOptions<unknown>>) =>
    define("json", handler, options),
  {
    raw: (handler: unknown, options?: FunctionOptions) => define("raw", handler, options),
  },
) as FnConstructor;

function define(
  kind: RunnableFunction["kind"],
  handler: unknown,
  options: FunctionOptions & Partial<ParsedFunctionOptions<unknown>> = {},
): RunnableFunction {
  if (!isHandler(handler)) {
    throw new TypeError(`fn takes a function, not ${handler === null ? "null" : typeof handler}`);
  }
  const { description, input } = options;
  if (description !== undefined && description.length > DESCRIPTION_CHARACTERS_MAX) {
    throw new RangeError(`A description has at most ${DESCRIPTION_CHARACTERS_MAX} characters`);
  }
  const definition: RunnableFunction = {
    kind,
    description,
    handler,
    parseInput: input === undefined ? undefined : parserOf(input),
    call: (value, given = context) => handler(value, given),
  };
  return Object.freeze(Object.defineProperty(definition, BRAND, { value: true }));
}

function isHandler(value: unknown): value is RunnableFunction["handler"] {
  return typeof value === "function";
}

/** Whether an export of the author's entry is a function that callers can invoke. */
export function isFunctionDefinition(value: unknown): value is RunnableFunction {
  return typeof value === "object" && value !== null && Object.hasOwn(value, BRAND);
}

function parserOf(
  input: StandardSchema<unknown> | ((value: unknown) => unknown),
): (value: unknown) => unknown {
  // Some schemas are functions too, so the standard's marker decides.
  if (!("~standard" in input)) return input;
  const { validate } = input["~standard"];
  return (value) => {
    const result = validate(value);
    return result instanceof Promise ? result.then(valueOf) : valueOf(result);
  };
}

const ISSUES_MAX = 10;

function valueOf(result: StandardResult<unknown>): unknown {
  if (result.issues === undefined) return result.value;
  throw new InvalidInputError(
    result.issues
      .slice(0, ISSUES_MAX)
      .map((issue) => `${pathOf(issue)}: ${issue.message}`)
      .join("; "),
  );
}

function pathOf(issue: StandardIssue): string {
  const keys = (issue.path ?? []).map((part) => (typeof part === "object" ? part.key : part));
  return ["$", ...keys.map(String)].join(".");
}
