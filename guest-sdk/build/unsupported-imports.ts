// Modules that no function can have, and what to use in their place.

import { builtinModules } from "node:module";

const NO_NETWORK = "A function has no network yet. Let the caller pass in what it needs.";
const NO_PROCESS = "A function runs in a sandbox: it starts no processes and no threads.";

const HINTS: Readonly<Record<string, string>> = {
  fs: 'A function has no files. Keep data in state: import { state } from "@downpour/sdk".',
  http: NO_NETWORK,
  https: NO_NETWORK,
  http2: NO_NETWORK,
  net: NO_NETWORK,
  tls: NO_NETWORK,
  dgram: NO_NETWORK,
  dns: NO_NETWORK,
  child_process: NO_PROCESS,
  cluster: NO_PROCESS,
  worker_threads: NO_PROCESS,
  crypto: "The globals crypto.randomUUID() and crypto.getRandomValues() are there.",
  buffer: "Use Uint8Array, with toBase64(), toHex(), TextEncoder and TextDecoder.",
  url: "URL and URLSearchParams are globals.",
  util: "TextEncoder, TextDecoder and structuredClone are globals.",
  timers: "A function cannot wait yet. Invoke it again later from outside.",
  process:
    'There is no process. Who calls, and until when: import { context } from "@downpour/sdk".',
  os: 'There is no operating system. Who calls: import { context } from "@downpour/sdk".',
  sqlite: 'Keep data in state: import { state } from "@downpour/sdk".',
  perf_hooks: "The global performance.now() is there.",
  console: "console is a global, and goes to the function's log.",
  assert: "Throw an Error, or use a package without Node's modules.",
  events: "Use a package without Node's modules, for example eventemitter3.",
  path: "Use a package without Node's modules, for example pathe.",
};

const BUILTINS: ReadonlySet<string> = new Set(builtinModules);
const FOREIGN_SCHEME = /^(?:https?|npm|jsr|bun|cloudflare|deno):/;

export interface UnsupportedImport {
  readonly message: string;
  readonly hint: string;
}

/** Undefined where nothing speaks against the import. */
export function judgeImport(specifier: string): UnsupportedImport | undefined {
  const name = specifier.replace(/^node:/, "");
  if (specifier.startsWith("node:") || BUILTINS.has(name)) {
    const top = name.split("/")[0] ?? name;
    return {
      message: `"${specifier}" is a module of Node, and a function does not run in Node`,
      hint: HINTS[top] ?? "Use a package that also runs in browsers.",
    };
  }
  if (FOREIGN_SCHEME.test(specifier)) {
    return {
      message: `"${specifier}" is not a file or a package`,
      hint: "Install it with npm, and import it by its package name.",
    };
  }
  if (specifier.endsWith(".node")) {
    return {
      message: `"${specifier}" is native code`,
      hint: "Use a package in JavaScript alone.",
    };
  }
  if (specifier.endsWith(".wasm")) {
    return {
      message: `"${specifier}" is WebAssembly, which a function cannot load from within`,
      hint: "Use a package in JavaScript alone, or compose components.",
    };
  }
  return undefined;
}
