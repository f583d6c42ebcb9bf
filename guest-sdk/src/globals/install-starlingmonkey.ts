// The globals for StarlingMonkey, which has most of the web's. The generated entry imports this
// before the author's module.

import { functionConsole } from "../console/console.ts";
import { instancePerformance } from "./clock.ts";
import { defineGlobal } from "./define-global.ts";
import { requireServing } from "../phase.ts";
import { createRandom } from "./random.ts";
import { installUnavailable } from "./unavailable.ts";

defineGlobal("console", functionConsole);
defineGlobal("performance", instancePerformance);
guardCrypto();
Math.random = createRandom((length) => crypto.getRandomValues(new Uint8Array(length)));
installUnavailable();

/** A secret in a snapshot would be shared by all instances, and asking for one ends the build in a trap. */
function guardCrypto(): void {
  const getRandomValues = crypto.getRandomValues.bind(crypto);
  const randomUUID = crypto.randomUUID.bind(crypto);
  const guarded: Crypto = {
    getRandomValues(array) {
      requireServing("crypto.getRandomValues");
      return getRandomValues(array);
    },
    randomUUID() {
      requireServing("crypto.randomUUID");
      return randomUUID();
    },
  };
  for (const [name, value] of Object.entries(guarded)) {
    Object.defineProperty(crypto, name, { value, writable: true, configurable: true });
  }
}
