import { KvsError } from "@downpour/kvs";
import type { Durability, LatticeKind, Mutation, StateClient, WriteResult } from "@downpour/kvs";
import type { InterfaceImplementation } from "../../engine/engine.ts";
import { STATE_KEY_BYTES_MAX, tenantPrefix } from "../../state-keys.ts";
import type { InstanceScope } from "../instance-scope.ts";
import type { WriteGate } from "../write-gate.ts";

const KEYS_AT_ONCE_MAX = 256;
const PAGE_KEYS_MAX = 1000;

type StateError =
  | { readonly tag: "invalid-key"; readonly val: string }
  | { readonly tag: "wrong-kind"; readonly val: LatticeKind }
  | { readonly tag: "value-too-large"; readonly val: number }
  | { readonly tag: "counter-overflow" }
  | { readonly tag: "too-many-keys"; readonly val: number }
  | { readonly tag: "unavailable"; readonly val: string }
  | { readonly tag: "not-text" }
  | { readonly tag: "quota-exceeded"; readonly val: string };

type Result<T> =
  | { readonly tag: "ok"; readonly val: T }
  | { readonly tag: "err"; readonly val: StateError };

/**
 * `downpour:faas/state` for one instance: its own tenant's keys and no others. The prefix is added
 * here, to every key, before anything else sees it.
 */
export function stateCapability(
  scope: InstanceScope,
  state: StateClient,
  gate: WriteGate,
): InterfaceImplementation {
  const { tenantId } = scope.app;
  const prefix = tenantPrefix(tenantId);

  function get(key: string): Result<Uint8Array | undefined> {
    scope.takeStateOperation();
    const invalid = checkKey(key);
    if (invalid !== undefined) return invalid;
    try {
      const value = state.read(prefix + key, scope.gate);
      if (value === undefined) return { tag: "ok", val: undefined };
      if (value.kind !== "register") return wrongKind(value.kind);
      return { tag: "ok", val: value.value };
    } catch (error) {
      return toResult(error);
    }
  }

  function write<T>(
    key: string,
    mutation: Mutation,
    level: Durability,
    toValue: (result: WriteResult) => T,
  ): Result<T> | Promise<Result<T>> {
    scope.takeStateOperation();
    const invalid = checkKey(key);
    if (invalid !== undefined) return invalid;
    try {
      const written = state.write(prefix + key, mutation, level, scope.gate);
      if (!(written instanceof Promise)) return { tag: "ok", val: toValue(written) };
      gate.enter(tenantId);
      return written.then(
        (result) => arrive<T>({ tag: "ok", val: toValue(result) }),
        (error: unknown) => arrive<T>(toResult(error)),
      );
    } catch (error) {
      return toResult(error);
    }
  }

  /** The writer goes on with it when it is its turn. */
  function arrive<T>(result: Result<T>): Result<T> | Promise<Result<T>> {
    gate.leave(tenantId);
    return scope.arrived()?.then(() => result) ?? result;
  }

  function put(
    key: string,
    value: Uint8Array,
    level: Durability,
  ): Result<undefined> | Promise<Result<undefined>> {
    const bytesMax = scope.limits.stateValueBytesMax;
    if (value.byteLength > bytesMax) return failure({ tag: "value-too-large", val: bytesMax });
    return write(key, { kind: "put", value }, level, nothing);
  }

  return {
    functions: {
      get,
      "get-text": (key: string): Result<string | undefined> => {
        const found = get(key);
        if (found.tag === "err") return found;
        if (found.val === undefined) return { tag: "ok", val: undefined };
        const text = decodeText(found.val);
        return text === undefined ? failure({ tag: "not-text" }) : { tag: "ok", val: text };
      },
      "get-many": (keys: readonly string[]): Result<readonly (Uint8Array | undefined)[]> => {
        if (keys.length > KEYS_AT_ONCE_MAX)
          return failure({ tag: "too-many-keys", val: KEYS_AT_ONCE_MAX });
        const values: (Uint8Array | undefined)[] = [];
        for (const key of keys) {
          const value = get(key);
          if (value.tag === "err") return value;
          values.push(value.val);
        }
        return { tag: "ok", val: values };
      },
      put,
      "put-text": (key: string, value: string, level: Durability) =>
        put(key, encoder.encode(value), level),
      delete: (key: string, level: Durability) => write(key, { kind: "delete" }, level, nothing),
      "list-keys": (keyPrefix: string, after: string | undefined, limit: number) => {
        scope.takeStateOperation();
        if (limit > PAGE_KEYS_MAX) return failure({ tag: "too-many-keys", val: PAGE_KEYS_MAX });
        if (Buffer.byteLength(keyPrefix) > STATE_KEY_BYTES_MAX || limit === 0) {
          return { tag: "ok", val: { keys: [], next: undefined } };
        }
        try {
          const page = state.list(
            prefix + keyPrefix,
            after === undefined ? undefined : prefix + after,
            limit,
            scope.gate,
          );
          const keys = page.entries.map((entry) => entry.key.slice(prefix.length));
          return { tag: "ok", val: { keys, next: page.next?.slice(prefix.length) } };
        } catch (error) {
          return toResult(error);
        }
      },
      "counter-value": (key: string): Result<bigint> => {
        scope.takeStateOperation();
        const invalid = checkKey(key);
        if (invalid !== undefined) return invalid;
        try {
          const value = state.read(prefix + key, scope.gate);
          if (value === undefined) return { tag: "ok", val: 0n };
          if (value.kind !== "counter") return wrongKind(value.kind);
          return { tag: "ok", val: value.value };
        } catch (error) {
          return toResult(error);
        }
      },
      "counter-add": (key: string, delta: bigint, level: Durability) =>
        write(key, { kind: "add", delta }, level, (result) => result.counter ?? 0n),
    },
  };
}

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function decodeText(bytes: Uint8Array): string | undefined {
  try {
    return decoder.decode(bytes);
  } catch {
    // Fatal decoding throws one kind of error: the bytes are not UTF-8.
    return undefined;
  }
}

function nothing(): undefined {
  return undefined;
}

function failure(error: StateError): { readonly tag: "err"; readonly val: StateError } {
  return { tag: "err", val: error };
}

function wrongKind(kind: LatticeKind): { readonly tag: "err"; readonly val: StateError } {
  return failure({ tag: "wrong-kind", val: kind });
}

function checkKey(key: string): { readonly tag: "err"; readonly val: StateError } | undefined {
  if (key === "") return failure({ tag: "invalid-key", val: "a key must not be empty" });
  // A UTF-16 unit takes at most three bytes: short keys need no exact count.
  if (key.length * 3 <= STATE_KEY_BYTES_MAX) return undefined;
  const bytes = Buffer.byteLength(key);
  if (bytes <= STATE_KEY_BYTES_MAX) return undefined;
  return failure({
    tag: "invalid-key",
    val: `the key has ${bytes} bytes; the limit is ${STATE_KEY_BYTES_MAX}`,
  });
}

/** What the guest can act on is a value; everything else is a bug of ours and ends the thread. */
function toResult(error: unknown): { readonly tag: "err"; readonly val: StateError } {
  if (!(error instanceof KvsError)) throw error;
  switch (error.code) {
    case "WRONG_KIND":
      return wrongKind(error.details["kind"] === "counter" ? "counter" : "register");
    case "COUNTER_OVERFLOW":
      return failure({ tag: "counter-overflow" });
    case "KEY_INVALID":
      return failure({ tag: "invalid-key", val: error.message });
    case "SPACE_FULL":
      return failure({ tag: "quota-exceeded", val: error.message });
    default:
      return failure({ tag: "unavailable", val: error.message });
  }
}
