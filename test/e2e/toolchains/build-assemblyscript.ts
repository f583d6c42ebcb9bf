import { readFileSync } from "node:fs";
import { join } from "node:path";
import { main } from "assemblyscript/asc";
import { makeComponent } from "./make-component.ts";

const SOURCES = join(import.meta.dirname, "assemblyscript");
const ENTRY = "functions.ts";

/** The sources are `.as` here: they are not TypeScript that our own tools could check. */
function readSource(file: string): string | null {
  if (!/^\w+\.ts$/u.test(file)) return null;
  return readFileSync(join(SOURCES, file.replace(/\.ts$/u, ".as")), "utf8");
}

export async function buildAssemblyScript(): Promise<Uint8Array<ArrayBuffer>> {
  const written = new Map<string, string | Uint8Array>();
  const output = "functions.wasm";
  let problems = "";
  const { error } = await main(
    [ENTRY, "--outFile", output, "-O", "--runtime", "incremental", "--use", "abort=faas/abort"],
    {
      readFile: readSource,
      writeFile: (file: string, contents: string | Uint8Array) => void written.set(file, contents),
      listFiles: () => [],
      stderr: { write: (text: string | Uint8Array) => void (problems += String(text)) },
    },
  );
  const binary = written.get(output);
  if (error !== null || !(binary instanceof Uint8Array)) throw new Error(problems);
  return await makeComponent({ binary, stringEncoding: "utf16", world: "function-sync" });
}
