import { join } from "node:path";
import { buildComponent } from "@downpour/sdk/build";

/** Builds `examples/<name>` the way an author does. */
export function buildExample(name: string): Promise<Uint8Array<ArrayBuffer>> {
  return build(join(import.meta.dirname, "..", "examples", name, "src", "index.ts"));
}

/** Builds `bench/guests/<name>.ts`: a function that only a bench has a use for. */
export function buildGuest(name: string): Promise<Uint8Array<ArrayBuffer>> {
  return build(join(import.meta.dirname, "guests", `${name}.ts`));
}

const builds = new Map<string, Promise<Uint8Array<ArrayBuffer>>>();

/** Built once for all suites of a run, which only read it. */
function build(entry: string): Promise<Uint8Array<ArrayBuffer>> {
  const known = builds.get(entry);
  if (known !== undefined) return known;
  const building = buildComponent({ entry, engine: "quickjs" }).then(({ component }) => {
    return Uint8Array.from(component);
  });
  builds.set(entry, building);
  return building;
}

const GREETING = "Hello, ";

export interface Variant {
  readonly component: Uint8Array<ArrayBuffer>;
  /** What the function `hello` of this variant answers to `name`. */
  readonly answerTo: (name: string) => string;
}

/**
 * Another app, made from the component of `examples/hello` by another greeting of the same length:
 * its own bytes, its own revision and its own core module, without a second of build for each.
 */
export function helloVariant(hello: Uint8Array, index: number): Variant {
  const greeting = `H${index.toString(36).padStart(4, "0")}, `;
  if (greeting.length !== GREETING.length) throw new RangeError(`no variant ${String(index)}`);
  const component = Buffer.from(hello);
  let found = component.indexOf(GREETING);
  if (found < 0) throw new Error(`the component does not hold the text "${GREETING}"`);
  for (; found >= 0; found = component.indexOf(GREETING, found)) component.write(greeting, found);
  return {
    component: Uint8Array.from(component),
    answerTo: (name) => `${greeting}${name}!`,
  };
}
