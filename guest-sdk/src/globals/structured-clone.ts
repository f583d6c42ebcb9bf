// `structuredClone` for QuickJS, which lacks it. The one of `core-js-pure` is 126 kB, and gives back
// Maps and Sets of its own instead of the engine's.

type Seen = Map<object, object>;

/** As the HTML standard's, without a transfer list: nothing here can be transferred to. */
export function cloneStructured<T>(value: T): T {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- A copy has its original's type.
  return clone(value, new Map()) as T;
}

function clone(value: unknown, seen: Seen): unknown {
  if (typeof value === "function" || typeof value === "symbol") throw uncloneable(typeof value);
  if (typeof value !== "object" || value === null) return value;
  return seen.get(value) ?? cloneObject(value, seen);
}

function uncloneable(what: string): DOMException {
  return new DOMException(`A ${what} cannot be cloned`, "DataCloneError");
}

function cloneObject(value: object, seen: Seen): object {
  const remember = <C extends object>(copy: C): C => {
    seen.set(value, copy);
    return copy;
  };
  if (Array.isArray(value)) return cloneProperties(value, remember(newArray(value.length)), seen);
  if (value instanceof Date) return remember(new Date(value.getTime()));
  if (value instanceof RegExp) return remember(new RegExp(value.source, value.flags));
  if (value instanceof Map) {
    const copy = remember(new Map<unknown, unknown>());
    for (const [key, item] of value) copy.set(clone(key, seen), clone(item, seen));
    return copy;
  }
  if (value instanceof Set) {
    const copy = remember(new Set<unknown>());
    for (const item of value) copy.add(clone(item, seen));
    return copy;
  }
  if (value instanceof ArrayBuffer) return remember(value.slice());
  if (ArrayBuffer.isView(value)) return remember(cloneView(value));
  if (value instanceof Error) return cloneError(value, remember, seen);
  if (value instanceof WeakMap || value instanceof WeakSet || value instanceof Promise) {
    throw uncloneable(value.constructor.name);
  }
  return cloneProperties(value, remember({}), seen);
}

function newArray(length: number): unknown[] {
  const array: unknown[] = [];
  array.length = length;
  return array;
}

/** Own enumerable properties with string keys: prototypes and accessors do not survive. */
function cloneProperties(value: object, copy: object, seen: Seen): object {
  for (const [key, item] of Object.entries(value)) {
    const property = { value: clone(item, seen), writable: true };
    Object.defineProperty(copy, key, { ...property, enumerable: true, configurable: true });
  }
  return copy;
}

/** The bytes that the view shows, and no others of its buffer. */
function cloneView(view: ArrayBufferView): ArrayBufferView {
  const { buffer, byteOffset, byteLength } = view;
  const bytes = new Uint8Array(byteLength);
  bytes.set(new Uint8Array(buffer, byteOffset, byteLength));
  if (view instanceof Uint8Array) return bytes;
  for (const View of VIEWS) {
    if (view instanceof View) return new View(bytes.buffer);
  }
  throw uncloneable("view of this kind");
}

const VIEWS: readonly (new (buffer: ArrayBuffer) => ArrayBufferView)[] = [
  DataView,
  Int8Array,
  Uint8ClampedArray,
  Int16Array,
  Uint16Array,
  Int32Array,
  Uint32Array,
  Float32Array,
  Float64Array,
  BigInt64Array,
  BigUint64Array,
];

const ERRORS = [EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError] as const;

function cloneError(error: Error, remember: <C extends object>(copy: C) => C, seen: Seen): Error {
  const Class = ERRORS.find(({ name }) => name === error.name) ?? Error;
  const copy = remember(new Class(error.message));
  const { stack } = error;
  Object.defineProperty(copy, "stack", { value: stack, writable: true, configurable: true });
  if (Object.hasOwn(error, "cause")) {
    const cause = clone(error.cause, seen);
    Object.defineProperty(copy, "cause", { value: cause, writable: true, configurable: true });
  }
  return copy;
}
