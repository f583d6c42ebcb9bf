// What an invocation leaves behind in its instance, which the next one must not find: labels of the console, the
// context. Whoever keeps such a thing says so when there is some, so that an invocation that leaves nothing costs nothing.

/** To be read, not called: an interpreter takes a tenth of a microsecond for a call. True in a new instance. */
export let hasTraces = true;
const wipers: (() => void)[] = [];

/** Registers what to do before the first invocation, and before each one that follows one that left traces. */
export function onWipe(wipe: () => void): void {
  wipers.push(wipe);
}

export function leaveTraces(): void {
  hasTraces = true;
}

export function wipeTraces(): void {
  hasTraces = false;
  for (const wipe of wipers) wipe();
}
