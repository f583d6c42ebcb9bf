// The globals that QuickJS lacks. The generated entry imports this before the author's module. What
// is heavy (URL, structuredClone) is not here: the build adds it to a bundle that names it.

import { getRandomBytes } from "wasi:random/random@0.2.12";
import { functionConsole } from "../console/console.ts";
import { instancePerformance } from "./clock.ts";
import { defineGlobal } from "./define-global.ts";
import { createRandom } from "./random.ts";
import { Utf8Decoder, Utf8Encoder } from "./text-codec.ts";
import { installUnavailable } from "./unavailable.ts";
import { webCrypto } from "./web-crypto.ts";

defineGlobal("console", functionConsole);
defineGlobal("performance", instancePerformance);
defineGlobal("TextEncoder", Utf8Encoder);
defineGlobal("TextDecoder", Utf8Decoder);
defineGlobal("crypto", webCrypto);
Math.random = createRandom(getRandomBytes);
installUnavailable();
