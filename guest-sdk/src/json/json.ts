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

/**
 * JSON text, or an `UnserializableError` where `JSON.stringify` would lose something in silence.
 * As there, undefined is left out of objects and is null elsewhere.
 */
export function encodeJson(value: unknown): string {
  if (value === undefined) return "null";
  checkCarried(value, "$", []);
  return JSON.stringify(value) ?? "null";
}

function checkCarried(value: unknown, path: string, ancestors: object[]): void {
  switch (typeof value) {
    case "string":
    case "boolean":
    case "undefined":
      return;
    case "number":
      if (Number.isFinite(value)) return;
      throw new UnserializableError(path, `is ${String(value)}, which JSON cannot carry`);
    case "bigint":
      throw new UnserializableError(path, "is a bigint, which JSON cannot carry: use a string");
    case "symbol":
    case "function":
      throw new UnserializableError(path, `is a ${typeof value}, which JSON cannot carry`);
    case "object":
      if (value !== null) checkObject(value, path, ancestors);
      return;
    default:
      throw new UnserializableError(path, `is a ${typeof value}`);
  }
}

function checkObject(value: object, path: string, ancestors: object[]): void {
  if (ancestors.includes(value)) {
    throw new UnserializableError(path, "refers back to a value that contains it");
  }
  if (ancestors.length === DEPTH_MAX) {
    throw new UnserializableError(path, `is more than ${DEPTH_MAX} levels deep`);
  }
  const loss = lossInJson(value);
  if (loss !== undefined) throw new UnserializableError(path, loss);
  ancestors.push(value);
  if (hasToJson(value)) {
    checkCarried(value.toJSON(""), path, ancestors);
  } else if (Array.isArray(value)) {
    for (let index = 0; index < value.length; index += 1) {
      checkCarried(value[index], `${path}[${index}]`, ancestors);
    }
  } else {
    for (const [key, item] of Object.entries(value)) {
      checkCarried(item, pathOfKey(path, key), ancestors);
    }
  }
  ancestors.pop();
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
  if (value instanceof Error) return "is an Error: return what the caller needs of it";
  if (value instanceof WeakMap || value instanceof WeakSet) return "is a weak collection";
  return undefined;
}

const IDENTIFIER = /^[A-Za-z_$][\w$]*$/;
const PATH_CHARACTERS_MAX = 500;

function pathOfKey(path: string, key: string): string {
  if (path.length > PATH_CHARACTERS_MAX) return path.endsWith("…") ? path : `${path}…`;
  return IDENTIFIER.test(key) ? `${path}.${key}` : `${path}[${JSON.stringify(key.slice(0, 100))}]`;
}
