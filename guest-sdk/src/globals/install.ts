// Puts the globals in place that the engine lacks. The generated entry imports this before the
// author's module. What is heavy (URL, structuredClone) is not here: the build adds it to a bundle
// that names it.

import { functionConsole } from "../console/console.ts";
import { isQuickJs } from "../engine.ts";
import { instancePerformance } from "./clock.ts";
import { random, webCrypto } from "./random.ts";
import { Utf8Decoder, Utf8Encoder } from "./text-codec.ts";
import { installUnavailable } from "./unavailable.ts";

function define(name: string, value: unknown): void {
  Object.defineProperty(globalThis, name, { value, writable: true, configurable: true });
}

define("console", functionConsole);
installUnavailable(globalThis);
if (isQuickJs) {
  define("TextEncoder", Utf8Encoder);
  define("TextDecoder", Utf8Decoder);
  define("crypto", webCrypto);
  define("performance", instancePerformance);
  Math.random = random;
}
