import { isFunctionDefinition } from "../fn.ts";
import type { RunnableFunction } from "../fn.ts";
import type { Manifest } from "./manifest-format.ts";

const SDK_VERSION = "0.1.0";

const NAME = /^[A-Za-z_][A-Za-z0-9_-]{0,63}$/;
const FUNCTIONS_MAX = 256;
const MANIFEST_BYTES_MAX = 65_536;

/** The functions among the exports of the author's entry. Other exports are the author's business. */
export function collectFunctions(
  exported: Readonly<Record<string, unknown>>,
): ReadonlyMap<string, RunnableFunction> {
  const functions = new Map<string, RunnableFunction>();
  const problems: string[] = [];
  for (const [name, value] of Object.entries(exported)) {
    if (!isFunctionDefinition(value)) continue;
    if (name === "default") {
      problems.push("A function needs a name: export it as `export const name = fn(…)`");
    } else if (!NAME.test(name)) {
      problems.push(
        `${JSON.stringify(name)} cannot name a function: a letter of a-z or A-Z or "_", then up to 63 letters, digits, "_" or "-". Export it under another name`,
      );
    } else {
      functions.set(name, value);
      nameHandler(value.handler, name);
    }
  }
  if (functions.size === 0 && problems.length === 0) {
    problems.push(withoutFn(exported));
  }
  if (functions.size > FUNCTIONS_MAX) {
    problems.push(`The entry exports ${functions.size} functions; the limit is ${FUNCTIONS_MAX}`);
  }
  if (problems.length > 0) throw new ManifestProblem(problems);
  return functions;
}

/** What a newcomer forgets is `fn`. */
function withoutFn(exported: Readonly<Record<string, unknown>>): string {
  const plain = Object.entries(exported).find(([, value]) => typeof value === "function");
  if (plain === undefined) {
    return "The entry exports no function: write for example `export const hello = fn(() => …)`";
  }
  const name = plain[0] === "default" ? "hello" : plain[0];
  return `The entry exports plain functions, and none that callers can invoke: write \`export const ${name} = fn(…)\``;
}

/** So that a stack shows the export's name where the author wrote an arrow function. */
function nameHandler(handler: RunnableFunction["handler"], name: string): void {
  if (handler.name === "") Object.defineProperty(handler, "name", { value: name });
}

/** Ends the build. Its message is what the build reads. */
class ManifestProblem extends Error {
  constructor(problems: readonly string[]) {
    super(asciiJson({ "downpour-build-problem": problems }));
  }
}

export function manifestJson(functions: ReadonlyMap<string, RunnableFunction>): string {
  const manifest: Manifest = {
    manifest: "downpour.1",
    sdk: SDK_VERSION,
    functions: [...functions].map(([name, { description }]) => {
      return { name, description: description?.toWellFormed() };
    }),
  };
  const text = asciiJson(manifest);
  if (text.length > MANIFEST_BYTES_MAX) {
    throw new ManifestProblem([
      `The manifest has ${text.length} bytes; the limit is ${MANIFEST_BYTES_MAX}: shorten descriptions`,
    ]);
  }
  return text;
}

/** JSON in ASCII, which an engine can keep as one byte for each character, as the build reads it. */
export function asciiJson(value: unknown): string {
  const text = JSON.stringify(value).replaceAll(/[\u007f-\uffff]/g, (character) => {
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
  });
  // StarlingMonkey keeps two bytes for each character of a text that was made from such a one.
  return atob(btoa(text));
}
