// Runs the official WebAssembly tests before and after rewriting, and compares what they give. They lie in a
// checkout beside the project (https://github.com/WebAssembly/testsuite):
//
//   node bench/spec-tests.ts ../testsuite
//
// What the specification wants of an answer is V8's matter: here both sides have to give the same. Modules that the
// engine refuses by name, and answers that JavaScript cannot see (vectors), are counted and left out.

import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { ComponentError } from "../host/engine/engine.ts";
import { FUEL_GRANT } from "../host/engine/core/meter.ts";
import { instantiateRewritten } from "../host/engine/core/testing/run-rewritten.ts";
import { assemble } from "../host/engine/testing/assemble.ts";
import { toBigInt, toFloat, topLevel, unquote } from "./wast.ts";
import type { Form } from "./wast.ts";

type Exports = Readonly<Record<string, WebAssembly.ExportValue>>;

const counts = { modules: 0, refused: 0, invalid: 0, compared: 0, unseen: 0 };
const differences: string[] = [];

/** One script on one side: its modules by name, and what others may import. */
class Side {
  readonly named = new Map<string, Exports>();
  readonly registered: WebAssembly.Imports = { spectest: spectest() };
  readonly #isRewritten: boolean;
  current: Exports = {};

  constructor(isRewritten: boolean) {
    this.#isRewritten = isRewritten;
  }

  instantiate(bytes: Uint8Array): void {
    this.current = this.#isRewritten
      ? instantiateRewritten(bytes, { grant: FUEL_GRANT }, this.registered).exports
      : new WebAssembly.Instance(new WebAssembly.Module(bytes), this.registered).exports;
  }

  /** What an action gives, or how it fails, as a text. */
  act(form: Form): string {
    const [kind, ...rest] = Array.isArray(form) ? form : [];
    const first = rest[0];
    const isNamed = typeof first === "string" && first.startsWith("$");
    const exports = isNamed ? this.named.get(first) : this.current;
    const [name, ...args] = isNamed ? rest.slice(1) : rest;
    const found = exports?.[unquote(name)];
    if (kind === "get")
      return found instanceof WebAssembly.Global ? show(readGlobal(found)) : "none";
    if (kind !== "invoke" || typeof found !== "function") return "none";
    try {
      return show(Reflect.apply(found, undefined, args.map(toValue)));
    } catch (error) {
      return error instanceof Error ? `${error.name}: ${error.message}` : "an exception";
    }
  }
}

function print(): void {
  // The scripts do not look at what is printed.
}

function importedGlobal(value: string, initial: number | bigint): WebAssembly.ImportValue {
  return Reflect.construct(WebAssembly.Global, [{ value }, initial]);
}

function spectest(): WebAssembly.ModuleImports {
  return {
    print,
    print_i32: print,
    print_i64: print,
    print_f32: print,
    print_f64: print,
    print_i32_f32: print,
    print_f64_f64: print,
    global_i32: importedGlobal("i32", 666),
    global_i64: importedGlobal("i64", 666n),
    global_f32: importedGlobal("f32", 666.6),
    global_f64: importedGlobal("f64", 666.6),
    table: Reflect.construct(WebAssembly.Table, [{ initial: 10, maximum: 20, element: "anyfunc" }]),
    memory: new WebAssembly.Memory({ initial: 1, maximum: 2 }),
  };
}

function readGlobal(global: WebAssembly.Global): unknown {
  try {
    return global.value;
  } catch {
    return "unseen";
  }
}

function toValue(form: Form): unknown {
  const [type, literal] = Array.isArray(form) ? form : [];
  const text = String(literal ?? "").replaceAll("_", "");
  switch (type) {
    case "i32.const":
      return Number(BigInt.asIntN(32, toBigInt(text)));
    case "i64.const":
      return toBigInt(text);
    case "f32.const":
    case "f64.const":
      return toFloat(text);
    case "ref.null":
      return null;
    default:
      return text;
  }
}

function show(value: unknown): string {
  if (Array.isArray(value)) return value.map(show).join(", ");
  if (Object.is(value, -0)) return "-0";
  return typeof value === "object" && value !== null ? typeof value : String(value);
}

async function runScript(path: string): Promise<void> {
  const sides = [new Side(false), new Side(true)] as const;
  let line = 0;
  for (const { source, form } of topLevel(readFileSync(path, "utf8"))) {
    line += 1;
    const [kind, second, third] = Array.isArray(form) ? form : [];
    if (kind === "module") await instantiate(source, second, sides);
    else if (kind === "register") {
      for (const side of sides) {
        const named = typeof third === "string" ? side.named.get(third) : side.current;
        side.registered[unquote(second)] = { ...named };
      }
    } else if (kind === "invoke") compareActions(form, sides, `${path} form ${line}`);
    else if (/^assert_(?:return|trap|exhaustion|exception)$/u.test(String(kind))) {
      compareActions(second ?? [], sides, `${path} form ${line}`);
    }
  }
}

async function instantiate(
  source: string,
  name: Form | undefined,
  sides: readonly [Side, Side],
): Promise<void> {
  counts.modules += 1;
  for (const side of sides) side.current = {};
  if (name === "definition" || name === "instance") return;
  let bytes: Uint8Array;
  try {
    bytes = await assemble(source);
  } catch {
    counts.invalid += 1;
    return;
  }
  if (!WebAssembly.validate(bytes)) {
    counts.invalid += 1;
    return;
  }
  const outcomes = sides.map((side) => {
    try {
      side.instantiate(bytes);
      return "made";
    } catch (error) {
      if (error instanceof ComponentError) return "refused";
      return error instanceof Error ? error.name : "an exception";
    }
  });
  if (outcomes[1] === "refused") {
    counts.refused += 1;
    for (const side of sides) side.current = {};
  } else if (outcomes[0] !== outcomes[1]) {
    differences.push(`${source.slice(0, 200)}: ${outcomes.join(" became ")}`);
  }
  if (typeof name === "string" && name.startsWith("$")) {
    for (const side of sides) side.named.set(name, side.current);
  }
}

function compareActions(form: Form, [before, after]: readonly [Side, Side], where: string): void {
  const [first, second] = [before.act(form), after.act(form)];
  if (first === "none" || first.startsWith("TypeError")) counts.unseen += 1;
  else counts.compared += 1;
  if (first !== second) differences.push(`${where}: ${first} became ${second}`);
}

const [directory] = process.argv.slice(2);
if (directory === undefined) throw new Error("which directory has the .wast files?");
for (const file of readdirSync(directory).toSorted()) {
  if (file.endsWith(".wast")) await runScript(join(directory, file));
}
console.log(JSON.stringify(counts));
for (const difference of differences) console.log(difference);
if (differences.length > 0) process.exitCode = 1;
