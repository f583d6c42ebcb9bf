// The interfaces of `wit/` as the JavaScript toolchains show them: names in camel case, `option` as
// null or undefined, an `err` thrown as an error with `payload`. QuickJS gives 64-bit integers as
// numbers, StarlingMonkey as bigints. `build/wit.test.ts` compares the names with `wit/`.

declare module "downpour:faas/state@0.1.0" {
  type WitDurability = "memory" | "async" | "durable";

  type WitStateError =
    | { readonly tag: "invalid-key"; readonly val: string }
    | { readonly tag: "wrong-kind"; readonly val: "register" | "counter" }
    | { readonly tag: "value-too-large"; readonly val: number }
    | { readonly tag: "counter-overflow" }
    | { readonly tag: "too-many-keys"; readonly val: number }
    | { readonly tag: "unavailable"; readonly val: string }
    | { readonly tag: "not-text" }
    | { readonly tag: "quota-exceeded"; readonly val: string };

  interface WitKeyPage {
    readonly keys: readonly string[];
    readonly next: string | null | undefined;
  }

  function get(key: string): Uint8Array | null | undefined;
  function getText(key: string): string | null | undefined;
  function getMany(keys: readonly string[]): readonly (Uint8Array | null | undefined)[];
  function put(key: string, value: Uint8Array, level: WitDurability): void;
  function putText(key: string, value: string, level: WitDurability): void;
  function listKeys(prefix: string, after: string | undefined, limit: number): WitKeyPage;
  function counterValue(key: string): number | bigint;
  function counterAdd(key: string, delta: number | bigint, level: WitDurability): number | bigint;
  function deleteKey(key: string, level: WitDurability): void;
  export {
    get,
    getText,
    getMany,
    put,
    putText,
    listKeys,
    counterValue,
    counterAdd,
    deleteKey as delete,
    type WitDurability,
    type WitStateError,
    type WitKeyPage,
  };
}

declare module "downpour:faas/log@0.1.0" {
  type WitLogLevel = "trace" | "debug" | "info" | "warn" | "error";
  function write(level: WitLogLevel, message: string): void;
  export { write, type WitLogLevel };
}

declare module "downpour:faas/context@0.1.0" {
  interface WitInvocation {
    readonly id: string;
    readonly tenant: string;
    readonly app: string;
    readonly revision: string;
    readonly function: string;
    readonly deadlineMs: number | bigint;
    readonly idempotencyKey: string | null | undefined;
    readonly metadata: readonly (readonly [name: string, value: string])[];
  }
  function current(): WitInvocation;
  export { current, type WitInvocation };
}

declare module "wasi:random/random@0.2.12" {
  function getRandomBytes(length: number | bigint): Uint8Array;
  export { getRandomBytes };
}

declare module "wasi:cli/environment@0.2.12" {
  function getEnvironment(): readonly (readonly [name: string, value: string])[];
  export { getEnvironment };
}
