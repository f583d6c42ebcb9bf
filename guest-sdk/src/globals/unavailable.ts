import { defineGlobal } from "./define-global.ts";
import { NOT_YET } from "./not-yet.ts";

/** Defines each as a function that throws the reason, in place of "not defined". */
export function installUnavailable(): void {
  for (const [name, reason] of Object.entries(NOT_YET)) {
    defineGlobal(name, (): never => {
      throw new Error(`${name} is not available yet: ${reason}.`);
    });
  }
}
