import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { componentEmbed, componentNew, preview1AdapterReactorPath } from "@bytecodealliance/jco";

// What every toolchain ends with that makes core modules: the module gets the contract as its WIT, and
// WASI 0.1, where it was compiled against that, becomes 0.2.

const WIT = join(import.meta.dirname, "../../../wit");

interface CoreModule {
  readonly binary: Uint8Array;
  readonly stringEncoding: "utf8" | "utf16" | "compact-utf16";
  /** Of `wit/`. */
  readonly world: "function" | "function-sync";
}

export async function makeComponent(module: CoreModule): Promise<Uint8Array<ArrayBuffer>> {
  const embedded = await componentEmbed({ ...module, witSource: contract() });
  const adapter = readFileSync(preview1AdapterReactorPath());
  return new Uint8Array(await componentNew(embedded, [["wasi_snapshot_preview1", adapter]]));
}

/** All of `wit/` as one text, which the tool takes without a file system. */
function contract(): string {
  const own = witFiles(WIT, false).map((text) => text.replace(PACKAGE, ""));
  const dependencies = witFiles(join(WIT, "deps"), true).map(
    (text) => `${text.replace(PACKAGE, "package $1 {")}}`,
  );
  return ["package downpour:faas@0.1.0;", ...own, ...dependencies].join("\n");
}

const PACKAGE = /^package (.*);$/mu;

function witFiles(folder: string, recursive: boolean): string[] {
  return readdirSync(folder, { recursive, encoding: "utf8" })
    .filter((file) => file.endsWith(".wit"))
    .toSorted()
    .map((file) => readFileSync(join(folder, file), "utf8"));
}
