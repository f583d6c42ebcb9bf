// A component through jco as it comes: transpiled with JSPI to a module of its own glue, its WASI
// imports answered by jco's shim. What the host's engine is compared with.

import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { transpile } from "@bytecodealliance/jco";
import { WASIShim } from "@bytecodealliance/preview2-shim/instantiation";

export type JcoFunction = (...args: readonly unknown[]) => unknown;
export type JcoInstance = Readonly<Record<string, JcoFunction>>;
type JcoImports = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

export interface JcoGuest {
  /** Links and starts a new instance, on core modules that were compiled once. */
  readonly instantiate: (imports: JcoImports) => JcoInstance;
}

export interface JcoOptions {
  /** `namespace:package/interface#function` of each import that may return a promise. */
  readonly suspendingImports: readonly string[];
  readonly asyncExports: readonly string[];
  /** Where the glue is written, to be imported. */
  readonly directory: string;
}

export async function transpileWithJco(
  component: Uint8Array,
  options: JcoOptions,
): Promise<JcoGuest> {
  const { files } = await transpile(component, {
    name: "guest",
    instantiation: "sync",
    asyncMode: "jspi",
    asyncImports: [...options.suspendingImports],
    asyncExports: [...options.asyncExports],
    noTypescript: true,
    quiet: true,
  });
  await mkdir(options.directory, { recursive: true });
  const modules = new Map<string, WebAssembly.Module>();
  for (const [name, bytes] of Object.entries(files)) {
    if (name.endsWith(".wasm")) modules.set(name, new WebAssembly.Module(Uint8Array.from(bytes)));
  }
  const glue = join(options.directory, "guest.mjs");
  await writeFile(glue, files["guest.js"] ?? "");
  const loaded: unknown = await import(pathToFileURL(glue).href);
  if (!isGlue(loaded)) throw new Error("jco's glue exports no instantiate");
  const wasi: JcoImports = { ...new WASIShim().getImportObject() };
  return {
    instantiate: (imports) =>
      loaded.instantiate((name) => modules.get(name), { ...wasi, ...imports }),
  };
}

interface Glue {
  readonly instantiate: (
    module: (name: string) => WebAssembly.Module | undefined,
    imports: JcoImports,
  ) => JcoInstance;
}

function isGlue(value: unknown): value is Glue {
  return typeof Reflect.get(Object(value), "instantiate") === "function";
}
