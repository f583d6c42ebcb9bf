import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { transpile } from "@bytecodealliance/jco";
import fc from "fast-check";
import { afterAll, assert, beforeAll, test } from "vitest";
import type { ComponentValue, ValueType } from "../component/types.ts";
import { createEngine } from "../create-engine.ts";
import type { CompileLimits, Instance } from "../engine.ts";
import { layoutOf } from "./layout.ts";
import { arbitraryType, arbitraryValue } from "./testing/arbitrary-types.ts";
import { ECHO_INTERFACE, buildEchoComponent, echoWorld } from "./testing/echo-component.ts";

// The same components and the same calls, through this engine and through the glue that jco
// generates: both see the same values on their way in and out, or both trap.

/** `FUZZ_TYPES=1000` is the full size: all the glue that is imported stays in memory. */
const TYPES = Number(process.env["FUZZ_TYPES"] ?? 15);
const CALLS_PER_TYPE = 20;

const limits: CompileLimits = {
  componentBytesMax: 1024 * 1024,
  nestingDepthMax: 32,
  sectionsMax: 10_000,
  coreFunctionsMax: 100_000,
  coreModulesMax: 16,
  typeNodesMax: 100_000,
  definitionsMax: 100_000,
  nameBytesMax: 1024,
  tablesMax: 64,
  tableElementsMax: 100_000,
  grownTableElementsMax: 10_000,
  memoriesMax: 16,
};

type Echo = (x: ComponentValue) => readonly [ComponentValue, number];

interface Subject {
  readonly f: (x: ComponentValue) => Promise<ComponentValue>;
  readonly raw: (words: BigUint64Array) => Promise<ComponentValue>;
}

let directory: string;
beforeAll(() => {
  const cache = fileURLToPath(new URL("../../../test/.cache/", import.meta.url));
  mkdirSync(cache, { recursive: true });
  directory = mkdtempSync(join(cache, "oracle-"));
});
afterAll(() => {
  rmSync(directory, { recursive: true });
});

/** A new instance for each call: after a trap there is none to call again. */
function ours(component: Uint8Array, type: ValueType, g: Echo): Subject {
  const engine = createEngine();
  const compiled = engine.compile(component, echoWorld(type), limits).component;
  const instance = (): Instance =>
    engine.instantiate(compiled, { [ECHO_INTERFACE]: { functions: { g } } });
  return {
    f: (x) => instance().call("f", [x]),
    raw: (words) => instance().call("raw", [[...words]]),
  };
}

let generated = 0;

async function jcos(component: Uint8Array, g: Echo): Promise<Subject> {
  generated += 1;
  const folder = join(directory, String(generated));
  const { files } = await transpile(component, {
    name: "echo",
    instantiation: "sync",
    nodejsCompat: false,
  });
  const modules = new Map<string, WebAssembly.Module>();
  for (const [file, contents] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, file)), { recursive: true });
    writeFileSync(join(folder, file), contents);
    if (file.endsWith(".wasm")) modules.set(file, new WebAssembly.Module(contents));
  }
  const { instantiate } = await import(pathToFileURL(join(folder, "echo.js")).href);
  const instance = (): Record<string, (argument: unknown) => unknown> =>
    instantiate((file: string) => modules.get(file), { [ECHO_INTERFACE]: { g } });
  return {
    f: async (x) => instance()["f"]?.(x),
    raw: async (words) => instance()["raw"]?.(words),
  };
}

function isTypedArray(value: unknown): value is Iterable<unknown> {
  return ArrayBuffer.isView(value) && !(value instanceof DataView);
}

/** Typed arrays as arrays: jco has one for each kind of number. */
function plain(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plain);
  if (isTypedArray(value)) return Array.from<unknown>(value);
  if (typeof value !== "object" || value === null) return value;
  // An absent member and an undefined one are the same: jco writes `val: undefined` in results.
  const members = Object.entries(value).filter(([, of]) => of !== undefined);
  return Object.fromEntries(members.map(([key, of]) => [key, plain(of)]));
}

type Outcome = { readonly value: unknown } | { readonly trap: string };

async function outcome(call: Promise<unknown>): Promise<Outcome> {
  try {
    return { value: plain(await call) };
  } catch (error) {
    return { trap: error instanceof Error ? error.message : String(error) };
  }
}

/** Where the specification traps and jco's glue does not look. */
const JCO_ACCEPTS = /outside memory|is longer than|is not valid UTF-8/u;

/** Where jco's glue is stricter than the specification, which takes any byte and ignores spare bits. */
const JCO_REFUSES = /variant discriminant for bool|extraneous bits/u;

function assertSame(left: Outcome, right: Outcome, label: string): void {
  if ("value" in left && "value" in right) assert.deepEqual(left.value, right.value, label);
  else if ("value" in right) assert("trap" in left && JCO_ACCEPTS.test(left.trap), label);
  else if ("value" in left) assert(JCO_REFUSES.test(right.trap), label);
}

const types = fc
  .sample(arbitraryType, { seed: 7, numRuns: TYPES })
  .filter((type) => !isDeepOption(type));

/** The encodings that jco's glue has. */
const ENCODINGS = ["utf8", "utf16"] as const;

test.each(ENCODINGS)(
  `${String(TYPES)} generated types mean the same to this engine as to jco, with strings in %s`,
  async (stringEncoding) => {
    for (const [index, type] of types.entries()) {
      const seen: { ours: unknown; jcos: unknown } = { ours: undefined, jcos: undefined };
      const component = await buildEchoComponent(type, stringEncoding);
      const engine = ours(component, type, (x) => {
        seen.ours = plain(x);
        return [x, 7];
      });
      const jco = await jcos(component, (x) => {
        seen.jcos = plain(x);
        return [x, 7];
      });
      const label = JSON.stringify(type);
      const seed = { seed: index, numRuns: CALLS_PER_TYPE };
      for (const value of fc.sample(arbitraryValue(type), seed)) {
        const result = plain(await engine.f(value));
        assert.deepEqual(result, [plain(value), 7], label);
        assert.deepEqual(result, plain(await jco.f(value)), label);
        assert.deepEqual(seen.ours, seen.jcos, label);
      }
      for (const words of fc.sample(arbitraryWords(type), seed)) {
        const [left, right] = [await outcome(engine.raw(words)), await outcome(jco.raw(words))];
        assertSame(left, right, `${label} from ${words.join(" ")}`);
      }
    }
  },
  7_200_000,
);

test("values of generated types cross unchanged with strings in latin1+utf16", async () => {
  for (const [index, type] of types.entries()) {
    let seen: unknown;
    const engine = ours(await buildEchoComponent(type, "compact-utf16"), type, (x) => {
      seen = plain(x);
      return [x, 7];
    });
    const label = JSON.stringify(type);
    for (const value of fc.sample(arbitraryValue(type), { seed: index, numRuns: CALLS_PER_TYPE })) {
      assert.deepEqual(plain(await engine.f(value)), [plain(value), 7], label);
      assert.deepEqual(seen, plain(value), label);
    }
  }
}, 1_200_000);

/** Of three nested options, jco writes the outermost as `undefined` or a value, where we tag it. */
function isDeepOption(type: ValueType): boolean {
  return JSON.stringify(type).includes(
    '"option","type":{"kind":"option","type":{"kind":"option","type"',
  );
}

/** Bytes for a value of the type, and more: small numbers most of the time, so that some are valid. */
function arbitraryWords(type: ValueType): fc.Arbitrary<BigUint64Array> {
  const byteLength = (Math.ceil(layoutOf(type).byteLength / 8) + 4) * 8;
  const byte = fc.oneof(
    { weight: 5, arbitrary: fc.constant(0) },
    { weight: 3, arbitrary: fc.nat(3) },
    fc.nat(255),
  );
  return fc
    .array(byte, { minLength: byteLength, maxLength: byteLength })
    .map((bytes) => new BigUint64Array(Uint8Array.from(bytes).buffer));
}
