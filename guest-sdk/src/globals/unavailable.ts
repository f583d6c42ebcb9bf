import { defineGlobal } from "./define-global.ts";

/** Web functions that authors reach for and that are not there yet: a reason instead of "not defined". */
const REASONS: Readonly<Record<string, string>> = {
  setTimeout: "a function cannot wait yet. Invoke it again later from outside",
  setInterval: "a function cannot wait yet. Invoke it again later from outside",
  setImmediate: "use queueMicrotask or an await",
  fetch: "a function has no network yet. Let the caller pass in what it needs",
};

/** Defines each of them as a function that throws. */
export function installUnavailable(): void {
  for (const [name, reason] of Object.entries(REASONS)) {
    defineGlobal(name, (): never => {
      throw new Error(`${name} is not available yet: ${reason}.`);
    });
  }
}
