import * as host from "downpour:faas/state@0.1.0";
import { fromBytes, fromInt64, toInt64 } from "../engine.ts";
import { encodeJson } from "../json/json.ts";
import type { Json, JsonValue } from "../json/json.ts";
import { isServing } from "../phase.ts";
import { decodeUtf8 } from "../utf8.ts";
import { NotTextError, refused, requireKey } from "./state-error.ts";

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

/** Found once: an interpreter looks globals up by name. */
const { parse } = JSON;

const PAGE_KEYS_DEFAULT = 256;
const PAGE_KEYS_MAX = 1000;
const GET_MANY_KEYS_MAX = 256;

/** The tenant's state, shared by all its apps. Calls may be awaited, and need not be. */
export const state = Object.freeze({
  /** A register that holds JSON. */
  register<T = JsonValue>(key: KeyOfJson<T>, options?: StateOptions): Register<T> {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- `KeyOfJson` is a string here.
    return new JsonRegister<T>(key as string, options);
  },

  /** A register that holds bytes as they are. */
  bytes(key: string, options?: StateOptions): Register<Uint8Array> {
    return new BytesRegister(key, options);
  },

  counter(key: string, options?: StateOptions): Counter {
    return new HostCounter(key, options);
  },

  /** The JSON registers under these keys, in order; undefined where there is none. */
  getMany<T = JsonValue>(keys: readonly KeyOfJson<T>[]): (T | undefined)[] {
    const values: (T | undefined)[] = [];
    for (let start = 0; start < keys.length; start += GET_MANY_KEYS_MAX) {
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- `KeyOfJson` is a string here.
      const batch = keys.slice(start, start + GET_MANY_KEYS_MAX) as string[];
      for (const [index, bytes] of getBatch(batch).entries()) {
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
    deleteKey(key, levelOf(options));
  },
});

function levelOf(options: StateOptions | undefined): Durability {
  return options?.durability ?? "durable";
}

// Classes, and each host call written out: an interpreter takes a microsecond to make a handle of
// closures, and another to go through a function that calls a closure. What `requireKey` asks is known
// when a handle is made, but whether module code runs.

class JsonRegister<T> implements Register<T> {
  readonly key: string;
  readonly #isWellFormed: boolean;
  readonly #level: Durability;

  constructor(key: string, options: StateOptions | undefined) {
    this.key = key;
    this.#isWellFormed = key.isWellFormed();
    this.#level = levelOf(options);
  }

  get(): T | undefined {
    const { key } = this;
    if (!isServing || !this.#isWellFormed) requireKey(key);
    let text: string | null | undefined;
    try {
      text = host.getText(key);
    } catch (cause) {
      throw refused(cause, key);
    }
    if (typeof text !== "string") return undefined;
    try {
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- As the author states it.
      return parse(text) as T;
    } catch {
      throw noJson(key);
    }
  }

  put(value: T): void {
    // JSON has no undefined: a register without a value is a deleted one.
    if (value === undefined) throw new TypeError("A register cannot hold undefined: delete it");
    const { key } = this;
    if (!isServing || !this.#isWellFormed) requireKey(key);
    // Well formed in any case: half a character is an escape in JSON.
    const text = encodeJson(value);
    try {
      host.putText(key, text, this.#level);
    } catch (cause) {
      throw refused(cause, key);
    }
  }

  delete(): void {
    deleteKey(this.key, this.#level);
  }
}

class BytesRegister implements Register<Uint8Array> {
  readonly key: string;
  readonly #isWellFormed: boolean;
  readonly #level: Durability;

  constructor(key: string, options: StateOptions | undefined) {
    this.key = key;
    this.#isWellFormed = key.isWellFormed();
    this.#level = levelOf(options);
  }

  get(): Uint8Array | undefined {
    if (!isServing || !this.#isWellFormed) requireKey(this.key);
    try {
      const bytes = host.get(this.key);
      return isNone(bytes) ? undefined : fromBytes(bytes);
    } catch (cause) {
      throw refused(cause, this.key);
    }
  }

  put(value: Uint8Array): void {
    if (!isServing || !this.#isWellFormed) requireKey(this.key);
    try {
      host.put(this.key, value, this.#level);
    } catch (cause) {
      throw refused(cause, this.key);
    }
  }

  delete(): void {
    deleteKey(this.key, this.#level);
  }
}

class HostCounter implements Counter {
  readonly key: string;
  readonly #isWellFormed: boolean;
  readonly #level: Durability;

  constructor(key: string, options: StateOptions | undefined) {
    this.key = key;
    this.#isWellFormed = key.isWellFormed();
    this.#level = levelOf(options);
  }

  value(): number {
    if (!isServing || !this.#isWellFormed) requireKey(this.key);
    try {
      return fromInt64(host.counterValue(this.key));
    } catch (cause) {
      throw refused(cause, this.key);
    }
  }

  add(delta = 1): number {
    if (!Number.isSafeInteger(delta)) {
      throw new RangeError(`A counter takes whole numbers, not ${String(delta)}`);
    }
    if (!isServing || !this.#isWellFormed) requireKey(this.key);
    const added = toInt64(delta);
    try {
      return fromInt64(host.counterAdd(this.key, added, this.#level));
    } catch (cause) {
      throw refused(cause, this.key);
    }
  }

  increment(): number {
    return this.add(1);
  }

  delete(): void {
    deleteKey(this.key, this.#level);
  }
}

function deleteKey(key: string, level: Durability): void {
  requireKey(key);
  try {
    host.delete(key, level);
  } catch (cause) {
    throw refused(cause, key);
  }
}

function getBatch(keys: readonly string[]): readonly (Uint8Array | null | undefined)[] {
  for (const key of keys) requireKey(key);
  try {
    return host.getMany(keys);
  } catch (cause) {
    throw refused(cause);
  }
}

function* listKeys(
  prefix: string,
  first: string | undefined,
  pageSize: number,
): Generator<string, void, undefined> {
  let after = first;
  do {
    const page = listPage(prefix, after, pageSize);
    yield* page.keys;
    after = page.next ?? undefined;
  } while (after !== undefined);
}

function listPage(prefix: string, after: string | undefined, pageSize: number): host.WitKeyPage {
  requireKey(prefix);
  if (after !== undefined) requireKey(after);
  try {
    return host.listKeys(prefix, after, pageSize);
  } catch (cause) {
    throw refused(cause);
  }
}

// oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- As below.
function fromJsonBytes<T>(key: string, bytes: Uint8Array): T {
  const text = decodeUtf8(bytes);
  if (text === undefined) throw new NotTextError(key);
  return fromJson<T>(key, text);
}

// oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- The author states the type.
function fromJson<T>(key: string, text: string): T {
  try {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- As the author states it.
    return parse(text) as T;
  } catch {
    throw noJson(key);
  }
}

/** The parser does not know the key. */
function noJson(key: string): TypeError {
  return new TypeError(
    `The register ${JSON.stringify(key)} holds no JSON: read it with state.bytes`,
  );
}

function isNone(found: unknown): found is null | undefined {
  return found === null || found === undefined;
}
