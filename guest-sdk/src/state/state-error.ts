import type { WitStateError } from "downpour:faas/state@0.1.0";
import { isServing, requireServing } from "../phase.ts";

export type StateErrorKind = WitStateError["tag"];

/** A state call that was refused; nothing was written. `kind`, or the class, says why. */
export class StateError extends Error {
  override readonly name: string = "StateError";
  readonly kind: StateErrorKind;

  constructor(kind: StateErrorKind, message: string) {
    super(message);
    this.kind = kind;
  }
}

/** The key is empty, longer than 512 bytes of UTF-8, or holds half a character. */
export class InvalidKeyError extends StateError {
  override readonly name = "InvalidKeyError";

  constructor(reason: string) {
    super("invalid-key", `The key is invalid: ${reason}`);
  }
}

/** The key holds a value of another kind. A key keeps its kind until it is deleted. */
export class WrongKindError extends StateError {
  override readonly name = "WrongKindError";
  readonly actual: "register" | "counter";

  constructor(actual: "register" | "counter", key?: string) {
    super("wrong-kind", `There is a ${actual} ${under(key)}`);
    this.actual = actual;
  }
}

export class ValueTooLargeError extends StateError {
  override readonly name = "ValueTooLargeError";
  readonly valueBytesMax: number;

  constructor(valueBytesMax: number, key?: string) {
    super("value-too-large", `The value ${under(key)} is larger than ${valueBytesMax} bytes`);
    this.valueBytesMax = valueBytesMax;
  }
}

/** The counter would leave the integers that a number holds exactly. */
export class CounterOverflowError extends StateError {
  override readonly name = "CounterOverflowError";

  constructor(key?: string) {
    const counter = `The counter ${under(key)}`;
    super("counter-overflow", `${counter} would leave the integers that a number holds exactly`);
  }
}

export class TooManyKeysError extends StateError {
  override readonly name = "TooManyKeysError";
  readonly keysMax: number;

  constructor(keysMax: number) {
    super("too-many-keys", `More than ${keysMax} keys in one call`);
    this.keysMax = keysMax;
  }
}

/** The store cannot take the write now. The same call may succeed later. */
export class StateUnavailableError extends StateError {
  override readonly name = "StateUnavailableError";

  constructor(reason: string) {
    super("unavailable", `State is unavailable: ${reason}`);
  }
}

/** The register holds bytes that are not UTF-8, and so no JSON: `state.bytes` reads them. */
export class NotTextError extends StateError {
  override readonly name = "NotTextError";

  constructor(key?: string) {
    const register = `The register ${under(key)}`;
    super("not-text", `${register} holds bytes that are no text: read it with state.bytes`);
  }
}

/** The tenant has as many keys, or bytes in them, as it may have. Deleting makes room. */
export class QuotaExceededError extends StateError {
  override readonly name = "QuotaExceededError";

  constructor(reason: string) {
    super("quota-exceeded", `The tenant's state is full: ${reason}`);
  }
}

/**
 * To be called before each host call that passes a key. What UTF-8 cannot carry never gets to the host:
 * QuickJS's bindings would end the instance, StarlingMonkey's would make one key of many.
 */
export function requireKey(key: string): void {
  if (!isServing) requireServing("state");
  if (key.isWellFormed()) return;
  throw new InvalidKeyError("it holds half a character (a lone surrogate), which is not in UTF-8");
}

/** Where it is; a call with many keys does not say under which one. */
function under(key: string | undefined): string {
  return key === undefined ? "under one of the keys" : `under ${JSON.stringify(key)}`;
}

/** What a host call threw: a refusal as the class that it has in this SDK, anything else as it is. */
export function refused(cause: unknown, key?: string): unknown {
  return isRefusal(cause) ? toStateError(cause.payload, key) : cause;
}

interface Refusal {
  readonly payload: WitStateError;
}

/** Both engines throw what a `result` holds as `payload` of an error. */
function isRefusal(cause: unknown): cause is Refusal {
  return (
    typeof cause === "object" &&
    cause !== null &&
    "payload" in cause &&
    typeof cause.payload === "object" &&
    cause.payload !== null &&
    "tag" in cause.payload
  );
}

function toStateError(refusal: WitStateError, key: string | undefined): StateError {
  switch (refusal.tag) {
    case "invalid-key":
      return new InvalidKeyError(refusal.val);
    case "wrong-kind":
      return new WrongKindError(refusal.val, key);
    case "value-too-large":
      return new ValueTooLargeError(refusal.val, key);
    case "counter-overflow":
      return new CounterOverflowError(key);
    case "too-many-keys":
      return new TooManyKeysError(refusal.val);
    case "quota-exceeded":
      return new QuotaExceededError(refusal.val);
    case "unavailable":
      return new StateUnavailableError(refusal.val);
    case "not-text":
      return new NotTextError(key);
    default: {
      const unknown: { readonly tag: string } = refusal;
      throw new Error(`The host refused a state call for an unknown reason: ${unknown.tag}`);
    }
  }
}
