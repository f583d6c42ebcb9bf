import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** What decides over the form and the acceptance of a plan. */
const SOURCES = ["../engine", "../world"];

/**
 * Names this build of the engine: the hash of its sources. A plan of another build is compiled anew
 * and never loaded, so that nobody has to remember to raise a number.
 */
export function engineTag(): string {
  const tag = createHash("sha256");
  for (const source of SOURCES) {
    const directory = join(import.meta.dirname, source);
    const names = readdirSync(directory, { recursive: true, encoding: "utf8" })
      .filter((name) => name.endsWith(".ts") && !name.endsWith(".test.ts"))
      .filter((name) => !name.includes("testing"));
    for (const name of names.toSorted((a, b) => (a < b ? -1 : 1))) {
      tag.update(`${name}\n`).update(readFileSync(join(directory, name)));
    }
  }
  return tag.digest("hex").slice(0, 16);
}
