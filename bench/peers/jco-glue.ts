import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { transpile } from "@bytecodealliance/jco";
import { WASIShim } from "@bytecodealliance/preview2-shim/instantiation";

/** The store guest as jco's generated JavaScript runs it, with its JSPI mode. */
export interface JcoGuest {
  readonly handle: (input: Uint8Array) => Promise<Uint8Array>;
}

export interface JcoStore {
  readonly get: (key: string) => Uint8Array | undefined | Promise<Uint8Array | undefined>;
  readonly put: (key: string, value: Uint8Array) => void;
}

export interface JcoComponent extends AsyncDisposable {
  readonly instantiate: (store: JcoStore) => Promise<JcoGuest>;
}

interface GeneratedModule {
  readonly instantiate: (
    getCoreModule: (file: string) => WebAssembly.Module,
    imports: Readonly<Record<string, unknown>>,
  ) => Promise<JcoGuest>;
}

/** Generates the glue into a directory of its own, and compiles its core modules once. */
export async function transpileGuest(component: Uint8Array): Promise<JcoComponent> {
  // Inside the repository, so that what the glue imports is found.
  const directory = await mkdtemp(join(import.meta.dirname, "..", ".jco-"));
  const { files } = await transpile(component, {
    name: "guest",
    instantiation: "async",
    asyncMode: "jspi",
    asyncImports: ["test:guest/store#get"],
    asyncExports: ["handle"],
    noTypescript: true,
    quiet: true,
  });
  for (const [name, bytes] of Object.entries(files)) {
    const path = join(directory, name);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, bytes);
  }
  const modules = new Map<string, WebAssembly.Module>();
  for (const name of Object.keys(files).filter((file) => file.endsWith(".wasm"))) {
    modules.set(name, new WebAssembly.Module(await readFile(join(directory, name))));
  }
  const generated: unknown = await import(pathToFileURL(join(directory, "guest.js")).href);
  if (!isGenerated(generated)) throw new Error("jco generated another module than expected");
  return {
    instantiate: (store) =>
      generated.instantiate(
        (file) => {
          const module = modules.get(file);
          if (module === undefined) throw new Error(`jco generated no ${file}`);
          return module;
        },
        { ...new WASIShim().getImportObject(), "test:guest/store": store },
      ),
    [Symbol.asyncDispose]: () => rm(directory, { recursive: true, force: true }),
  };
}

function isGenerated(module: unknown): module is GeneratedModule {
  return typeof Reflect.get(Object(module), "instantiate") === "function";
}
