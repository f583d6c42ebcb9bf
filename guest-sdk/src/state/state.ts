import * as host from "downpour:faas/state@0.1.0";
import { fromBytes, fromInt64, toInt64 } from "../engine.ts";
import { encodeJson } from "../json/json.ts";
import type { Json, JsonValue } from "../json/json.ts";
import { decodeUtf8, encodeUtf8 } from "../utf8.ts";
import { callState } from "./state-error.ts";

/**
 * What an acknowledged write survives: `memory` nothing, `async` the end of the executor (written
 * within the store's batch window), `durable` power loss.
 */
export type Durability = "memory" | "async" | "durable";

export interface StateOptions {
  /** Of the handle's writes; `durable` where nothing is said. */
  readonly durability?: Durability;
}

/** One value under one key. The last writer wins; there is no read-modify-write. */
export interface Register<T> {
  readonly key: string;
  /** Undefined where nothing was written, or it was deleted. */
  get(): T | undefined;
  put(value: T): void;
  delete(): void;
}

/** A number to which every invocation may add at the same time: no addition gets lost. */
export interface Counter {
  readonly key: string;
  /** 0 where nothing was added. */
  value(): number;
  /** Adds a whole number, which may be negative, and gives the counter's value right after. */
  add(delta?: number): number;
  /** Adds 1. */
  increment(): number;
  delete(): void;
}

export interface ListOptions {
  /** Begins after this key. */
  readonly after?: string;
  /** How many keys to ask the host for at a time: 1 to 1000, and 256 where nothing is said. */
  readonly pageSize?: number;
}

/** A string where `T` is JSON; else a type that no key has, whose name is the reason. */
type KeyOfJson<T> = [T] extends [Json<T>]
  ? string
  : { readonly "A register holds JSON: this type does not come back from it": T };

const PAGE_KEYS_DEFAULT = 256;
const PAGE_KEYS_MAX = 1000;
const GET_MANY_KEYS_MAX = 256;

/** The tenant's state, shared by all its apps. Calls may be awaited, and need not be. */
export const state = Object.freeze({
  /** A register that holds JSON. */
  register<T = JsonValue>(key: KeyOfJson<T>, options?: StateOptions): Register<T> {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- `KeyOfJson` is a string here.
    const name = key as string;
    return register<T>(name, options, toJsonBytes, (bytes) => fromJsonBytes<T>(name, bytes));
  },

  /** A register that holds bytes as they are. */
  bytes(key: string, options?: StateOptions): Register<Uint8Array> {
    return register<Uint8Array>(key, options, identity, identity);
  },

  counter(key: string, options?: StateOptions): Counter {
    const level = options?.durability ?? "durable";
    const add = (delta: number): number => {
      if (!Number.isSafeInteger(delta)) {
        throw new RangeError(`A counter takes whole numbers, not ${String(delta)}`);
      }
      return fromInt64(callState([key], () => host.counterAdd(key, toInt64(delta), level)));
    };
    return {
      key,
      value: () => fromInt64(callState([key], () => host.counterValue(key))),
      add: (delta = 1) => add(delta),
      increment: () => add(1),
      delete: () => callState([key], () => host.delete(key, level)),
    };
  },

  /** The JSON registers under these keys, in order; undefined where there is none. */
  getMany<T = JsonValue>(keys: readonly KeyOfJson<T>[]): (T | undefined)[] {
    const values: (T | undefined)[] = [];
    for (let start = 0; start < keys.length; start += GET_MANY_KEYS_MAX) {
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- `KeyOfJson` is a string here.
      const batch = keys.slice(start, start + GET_MANY_KEYS_MAX) as string[];
      const found = callState(batch, () => host.getMany(batch));
      for (const [index, bytes] of found.entries()) {
        values.push(isNone(bytes) ? undefined : fromJsonBytes<T>(batch[index] ?? "", bytes));
      }
    }
    return values;
  },

  /** The keys that start with `prefix`, in byte order, page by page as they are asked for. */
  list(prefix: string, options: ListOptions = {}): Generator<string, void, undefined> {
    const { after, pageSize = PAGE_KEYS_DEFAULT } = options;
    if (!Number.isInteger(pageSize) || pageSize < 1 || pageSize > PAGE_KEYS_MAX) {
      throw new RangeError(`A page has 1 to ${PAGE_KEYS_MAX} keys, not ${String(pageSize)}`);
    }
    return listKeys(prefix, after, pageSize);
  },

  /** Removes a key of any kind; removing what is not there succeeds. */
  delete(key: string, options?: StateOptions): void {
    callState([key], () => host.delete(key, options?.durability ?? "durable"));
  },
});

function register<T>(
  key: string,
  options: StateOptions | undefined,
  encode: (value: T) => Uint8Array,
  decode: (bytes: Uint8Array) => T,
): Register<T> {
  const level = options?.durability ?? "durable";
  return {
    key,
    get() {
      const bytes = callState([key], () => host.get(key));
      return isNone(bytes) ? undefined : decode(fromBytes(bytes));
    },
    put(value) {
      const bytes = encode(value);
      callState([key], () => host.put(key, bytes, level));
    },
    delete: () => callState([key], () => host.delete(key, level)),
  };
}

function* listKeys(
  prefix: string,
  first: string | undefined,
  pageSize: number,
): Generator<string, void, undefined> {
  let after = first;
  do {
    const position = after;
    const keys = position === undefined ? [prefix] : [prefix, position];
    const page = callState(keys, () => host.listKeys(prefix, position, pageSize));
    yield* page.keys;
    after = page.next ?? undefined;
  } while (after !== undefined);
}

function toJsonBytes(value: unknown): Uint8Array {
  // JSON has no undefined: a register without a value is a deleted one.
  if (value === undefined) throw new TypeError("A register cannot hold undefined: delete it");
  return encodeUtf8(encodeJson(value));
}

// oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- The author states the type.
function fromJsonBytes<T>(key: string, bytes: Uint8Array): T {
  const text = decodeUtf8(bytes);
  try {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- As the author states it.
    if (text !== undefined) return JSON.parse(text) as T;
  } catch {
    // Reported below, with the key, which the parser does not know.
  }
  throw new TypeError(
    `The register ${JSON.stringify(key)} holds no JSON: read it with state.bytes`,
  );
}

function identity(bytes: Uint8Array): Uint8Array {
  return bytes;
}

function isNone(bytes: Uint8Array | null | undefined): bytes is null | undefined {
  return bytes === null || bytes === undefined;
}
