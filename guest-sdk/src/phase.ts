// Whether module code runs at build time, to be kept in the snapshot, or an invocation runs.
//
// P1. While building there is no host: a host call would end the build with a text about wasm.
// P2. Whatever must differ between instances (randomness, clocks' origins) is reset by `onServing`.

/** To be read, not called: an interpreter takes a tenth of a microsecond for a call. */
export let isServing = false;
const listeners: (() => void)[] = [];

/** Ends module evaluation: everything after this runs in an instance made from the snapshot. */
export function startServing(): void {
  isServing = true;
  for (const listener of listeners) listener();
}

/** Registers what to reset in the snapshot, once module code has run. */
export function onServing(listener: () => void): void {
  listeners.push(listener);
}

/** Fails where a host call is made by module code, outside any function. */
export function requireServing(what: string): void {
  if (isServing) return;
  throw new Error(
    `${what} is not available while the module is loaded: that happens once, at build time. ` +
      "Call it inside a function.",
  );
}
