/* oxlint-disable typescript/triple-slash-reference -- Globals come with a reference, not an import. */
/// <reference path="./globals.d.ts" preserve="true" />
/// <reference path="./wit.d.ts" preserve="true" />

export { fn, InvalidInputError } from "./fn.ts";
export type {
  FunctionDefinition,
  FunctionOptions,
  ParsedFunctionOptions,
  RawInput,
  RawOutput,
  StandardSchema,
} from "./fn.ts";
export { FunctionError } from "./function-error.ts";
export { context } from "./context.ts";
export type { Context } from "./context.ts";
export { state } from "./state/state.ts";
export type { Counter, Durability, ListOptions, Register, StateOptions } from "./state/state.ts";
export {
  CounterOverflowError,
  InvalidKeyError,
  NotTextError,
  QuotaExceededError,
  StateError,
  StateUnavailableError,
  TooManyKeysError,
  ValueTooLargeError,
  WrongKindError,
} from "./state/state-error.ts";
export type { StateErrorKind } from "./state/state-error.ts";
export { UnserializableError } from "./json/json.ts";
export type { Json, JsonValue, ToJson } from "./json/json.ts";
