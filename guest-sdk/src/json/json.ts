/** What JSON carries. */
export type JsonValue =
  | string
  | number
  | boolean
  | null
  | readonly JsonValue[]
  | { readonly [key: string]: JsonValue | undefined };

type NeverInJson =
  | bigint
  | symbol
  | ((...args: never[]) => unknown)
  | ReadonlyMap<unknown, unknown>
  | ReadonlySet<unknown>
  | WeakMap<WeakKey, unknown>
  | WeakSet<WeakKey>
  | PromiseLike<unknown>
  | ArrayBufferLike
  | ArrayBufferView
  | RegExp
  | Error;

/** `T` where JSON gives it back as it was, `never` at the place where it does not. */
export type Json<T> = unknown extends T
  ? T
  : T extends JsonValue | undefined
    ? T
    : T extends NeverInJson | Date
      ? never
      : T extends object
        ? { [K in keyof T]: Json<T[K]> }
        : never;

/** As `Json`, for what is only written: an object may say with `toJSON` how. */
export type ToJson<T> = unknown extends T
  ? T
  : T extends JsonValue | undefined | void
    ? T
    : T extends { toJSON(key?: string): unknown }
      ? T
      : T extends NeverInJson
        ? never
        : T extends object
          ? { [K in keyof T]: ToJson<T[K]> }
          : never;

/** A value that JSON cannot carry; the message says where in the value, and why. */
export class UnserializableError extends Error {
  override readonly name = "UnserializableError";
  readonly path: string;

  constructor(path: string, reason: string) {
    super(`${path} ${reason}`);
    this.path = path;
  }
}

const DEPTH_MAX = 500;
const PATH_CHARACTERS_MAX = 500;

/**
 * JSON text, or an `UnserializableError` where `JSON.stringify` would lose something in silence.
 * As there, undefined is left out of objects and is null elsewhere.
 */
export function encodeJson(value: unknown): string {
  // A finite number, as `JSON.stringify` writes it, for less: globals and calls cost an interpreter most.
  if (typeof value === "number" && value - value === 0) return "" + value;
  if (value === undefined) return "null";
  const loss = lossOf(value, []);
  if (loss !== undefined) throw toError(loss);
  return JSON.stringify(value) ?? "null";
}

/** What JSON cannot carry. The path to it is made on the way out: nearly always there is none to make. */
interface Loss {
  readonly path: string;
  readonly reason: string;
}

function toError({ path, reason }: Loss): UnserializableError {
  const whole = `$${path}`;
  const isLong = whole.length > PATH_CHARACTERS_MAX;
  return new UnserializableError(
    isLong ? `${whole.slice(0, PATH_CHARACTERS_MAX)}…` : whole,
    reason,
  );
}

function lossOf(value: unknown, ancestors: object[]): Loss | undefined {
  switch (typeof value) {
    case "string":
    case "boolean":
    case "undefined":
      return undefined;
    case "number":
      return Number.isFinite(value)
        ? undefined
        : here(`is ${String(value)}, which JSON cannot carry`);
    case "object":
      return value === null ? undefined : lossOfObject(value, ancestors);
    case "bigint":
      return here("is a bigint, which JSON cannot carry: use a string");
    case "symbol":
    case "function":
      return here(`is a ${typeof value}, which JSON cannot carry`);
    default:
      return here(`is a ${typeof value}`);
  }
}

function here(reason: string): Loss {
  return { path: "", reason };
}

function lossOfObject(value: object, ancestors: object[]): Loss | undefined {
  if (ancestors.includes(value)) return here("refers back to a value that contains it");
  if (ancestors.length === DEPTH_MAX) return here(`is more than ${DEPTH_MAX} levels deep`);
  const isArray = Array.isArray(value);
  if (!isArray && Object.getPrototypeOf(value) !== Object.prototype) {
    const reason = lossInJson(value);
    if (reason !== undefined) return here(reason);
  }
  ancestors.push(value);
  const loss = hasToJson(value)
    ? lossOf(value.toJSON(""), ancestors)
    : isArray
      ? lossOfItems(value, ancestors)
      : lossOfMembers(value, ancestors);
  ancestors.pop();
  return loss;
}

function lossOfItems(items: readonly unknown[], ancestors: object[]): Loss | undefined {
  for (let index = 0; index < items.length; index += 1) {
    const loss = lossOf(items[index], ancestors);
    if (loss !== undefined) return { ...loss, path: `[${index}]${loss.path}` };
  }
  return undefined;
}

/** By index: an iteration over entries costs an interpreter twice as much. */
function lossOfMembers(value: object, ancestors: object[]): Loss | undefined {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- Any object is one of these.
  const members = value as Readonly<Record<string, unknown>>;
  const keys = Object.keys(members);
  for (let index = 0; index < keys.length; index += 1) {
    const key = keys[index] ?? "";
    const loss = lossOf(members[key], ancestors);
    if (loss !== undefined) return { ...loss, path: `${pathOfKey(key)}${loss.path}` };
  }
  return undefined;
}

function hasToJson(value: object): value is { toJSON(key: string): unknown } {
  return "toJSON" in value && typeof value.toJSON === "function";
}

/** Objects that `JSON.stringify` accepts and turns into something else. */
function lossInJson(value: object): string | undefined {
  if (value instanceof Map) return "is a Map: use Object.fromEntries(map) or [...map]";
  if (value instanceof Set) return "is a Set: use [...set]";
  if (value instanceof Promise) return "is a promise: await it";
  if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) {
    return "is binary data inside JSON: return it alone, or encode it with toBase64()";
  }
  if (value instanceof RegExp) return "is a RegExp";
  if (value instanceof Date && Number.isNaN(value.getTime())) return "is an invalid Date";
  if (value instanceof Error) return "is an Error: return what the caller needs of it";
  if (value instanceof WeakMap || value instanceof WeakSet) return "is a weak collection";
  if (isBareIterable(value)) return "is iterable, and JSON would write {}: use [...it]";
  return undefined;
}

/** A generator, or the keys that a list gives: all that it holds comes out of its iterator. */
function isBareIterable(value: object): boolean {
  const isIterable = Symbol.iterator in value || Symbol.asyncIterator in value;
  return isIterable && !hasToJson(value) && Object.keys(value).length === 0;
}

const IDENTIFIER = /^[A-Za-z_$][\w$]*$/;
const KEY_CHARACTERS_MAX = 100;

function pathOfKey(key: string): string {
  return IDENTIFIER.test(key) ? `.${key}` : `[${JSON.stringify(key.slice(0, KEY_CHARACTERS_MAX))}]`;
}
