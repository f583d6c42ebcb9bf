// Runs the tests of the component model's own repository: what it says of a component or of a call has to
// hold here. They lie in a checkout beside the project (https://github.com/WebAssembly/component-model):
//
//   node bench/component-spec-tests.ts ../component-model/test [part of a file's name]
//
// For each script: how many of its statements hold, and which differ. Three kinds are counted apart, with their
// reasons: a component that the engine refuses by name, with all that is said of it; an invalid one that it takes;
// and text that is another than that of the assembler, which says nothing of the engine.

import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { buildPlan } from "../host/engine/component/build-plan.ts";
import { decodeComponent } from "../host/engine/component/decode.ts";
import { writePlan } from "../host/engine/component/plan.ts";
import type { FuncType, ValueType } from "../host/engine/component/types.ts";
import { createEngine } from "../host/engine/create-engine.ts";
import { ComponentError, Trap } from "../host/engine/engine.ts";
import type { CompiledComponent, Instance } from "../host/engine/engine.ts";
import { UsedModules } from "../host/engine/link/compile-modules.ts";
import { ModuleCache } from "../host/engine/link/module-cache.ts";
import { assemble } from "../host/engine/testing/assemble.ts";
import { testLimits } from "../host/engine/testing/limits.ts";
import { toBigInt, toFloat, topLevel, unquote } from "./wast.ts";
import type { Form } from "./wast.ts";

/** Longer than any script computes: what does not end by itself is a difference. */
const CALL_MS = 5000;

const limits = { ...testLimits, componentBytesMax: 2 ** 24, definitionsMax: 100_000 };
const engine = createEngine();
const cache = new ModuleCache();

interface Planned {
  readonly component: CompiledComponent;
  readonly exports: ReadonlyMap<string, FuncType>;
}

/** What a component makes is unknown here: any type of an export will do. */
class AnyType extends Array<FuncType> {
  override some(): boolean {
    return true;
  }
}

async function compile(source: string): Promise<Planned> {
  const bytes = await assembled(source);
  const { root, modules, sections } = decodeComponent(bytes, limits);
  const names = root.definitions.flatMap((definition) =>
    definition.kind === "export" && definition.sort === "func" ? [definition.name] : [],
  );
  const world = {
    imports: [],
    exports: Object.fromEntries(names.map((name) => [name, new AnyType()])),
  };
  const used = new UsedModules({ modules, sections }, cache, limits);
  const { plan } = buildPlan(root, used, world, limits);
  used.requireRestValid();
  const component = { plan: writePlan(plan), imports: [], modules: used.list() };
  const exports = plan.exports.flatMap(({ name, lift }) => {
    const type = plan.lifts[lift]?.type;
    return type === undefined ? [] : [[name, type] as const];
  });
  return { component, exports: new Map(exports) };
}

class UnassembledError extends Error {}

async function assembled(source: string): Promise<Uint8Array> {
  try {
    return await assemble(source);
  } catch (error) {
    throw new UnassembledError(/Custom\("(.*?)"\)/u.exec(String(error))?.[1] ?? String(error));
  }
}

/** Why there is nothing to run. */
type Refusal = ComponentError | UnassembledError;

function isRefusal(error: unknown): error is Refusal {
  if (error instanceof UnassembledError) return true;
  return error instanceof ComponentError && error.kind !== "malformed";
}

interface Running {
  readonly planned: Planned;
  readonly instance: Instance;
}

class TakenError extends Error {}

/** How often for which reason. */
class Reasons {
  count = 0;
  readonly #counts = new Map<string, number>();

  add(reason: string): void {
    this.count += 1;
    this.#counts.set(reason, (this.#counts.get(reason) ?? 0) + 1);
  }

  print(what: string): void {
    for (const [reason, count] of this.#counts) console.log(`  ${what} ${count}: ${reason}`);
  }
}

/** What holds of one script; what the engine refused is not held against it. */
class Script {
  held = 0;
  readonly differences: string[] = [];
  readonly refused = new Reasons();
  readonly taken = new Reasons();
  readonly unassembled = new Reasons();
  readonly #definitions = new Map<string, Planned | Refusal>();
  readonly #instances = new Map<string, Running | Refusal>();
  #current: Running | Refusal | undefined;

  async run(text: string): Promise<void> {
    for (const { source, form, line } of topLevel(text)) {
      try {
        await this.#statement(form, source);
      } catch (error) {
        if (error instanceof TakenError) this.taken.add(`line ${line}: ${error.message}`);
        else if (error instanceof UnassembledError) this.unassembled.add(error.message);
        else if (isRefusal(error)) {
          this.refused.add(error.message.replace(/ \(at byte .*\)$/u, ""));
        } else this.differences.push(`line ${line}: ${describe(error)}`);
      }
    }
  }

  async #statement(form: readonly Form[], source: string): Promise<void> {
    const [kind, second, third] = form;
    switch (kind) {
      case "component":
        await this.#component(form, source);
        break;
      case "invoke":
        await this.#invoke(form);
        break;
      case "assert_return": {
        const expected = third === undefined ? undefined : toValue(third);
        const found = await this.#invoke(second);
        if (!isDeepStrictEqual(normal(found), normal(expected))) {
          throw new Error(`${show(second)} gave ${show(found)}, expected ${show(expected)}`);
        }
        break;
      }
      case "assert_trap":
        await this.#expectTrap(toList(second), source, unquote(third));
        break;
      case "assert_invalid":
      case "assert_malformed":
        await expectInvalid(inner(source), unquote(third));
        break;
      default:
        throw new Error(`a statement of an unknown kind: ${show(kind)}`);
    }
    this.held += 1;
  }

  async #component(form: readonly Form[], source: string): Promise<void> {
    const [, second, third, fourth] = form;
    if (second === "definition") {
      const name = typeof third === "string" && third.startsWith("$") ? third : "";
      this.#definitions.set(name, await planned(source.replace(/\bdefinition\b/u, "")));
    } else if (second === "instance") {
      const definition = this.#definitions.get(String(fourth));
      this.#start(String(third), definition ?? new Error(`there is no ${show(fourth)}`));
    } else {
      const name = typeof second === "string" && second.startsWith("$") ? second : "";
      const made = await planned(source);
      this.#definitions.set(name, made);
      this.#start(name, made);
    }
  }

  #start(name: string, definition: Planned | Error): void {
    if (isRefusal(definition)) {
      this.#current = definition;
      this.#instances.set(name, definition);
      throw definition;
    }
    if (definition instanceof Error) throw definition;
    this.#current = undefined;
    const instance = engine.instantiate(definition.component, {});
    this.#current = { planned: definition, instance };
    this.#instances.set(name, this.#current);
  }

  async #invoke(form: Form | undefined): Promise<unknown> {
    const [, first, ...rest] = toList(form);
    const isNamed = typeof first === "string" && first.startsWith("$");
    const running = isNamed ? this.#instances.get(first) : this.#current;
    const [name, ...args] = isNamed ? rest : [first, ...rest];
    if (isRefusal(running)) throw running;
    const type = running?.planned.exports.get(unquote(name));
    if (running === undefined || type === undefined)
      throw new Error(`nothing to call ${show(name)}`);
    if (running.instance.isDead) throw new Trap("the instance is dead");
    const values = args.map((arg, at) => ofType(toValue(arg ?? ""), type.params[at]?.type));
    return await withinTime(running.instance, running.instance.call(unquote(name), values));
  }

  async #expectTrap(form: readonly Form[], source: string, message: string): Promise<void> {
    try {
      if (form[0] === "invoke") await this.#invoke(form);
      else if (form[1] === "instance") await this.#component(form, source);
      else {
        const made = await planned(inner(source));
        if (isRefusal(made)) throw made;
        engine.instantiate(made.component, {});
      }
    } catch (error) {
      if (error instanceof Trap) return;
      throw error;
    }
    throw new Error(`no trap, expected: ${message}`);
  }
}

/** What is refused by name is told where it is used. */
async function planned(source: string): Promise<Planned | Refusal> {
  try {
    return await compile(source);
  } catch (error) {
    if (isRefusal(error)) return error;
    throw error;
  }
}

/** Nothing is offered to a script: an import that is refused for that alone would be taken elsewhere. */
function isOfWorld({ kind }: ComponentError): boolean {
  return kind === "import-not-allowed" || kind === "world-mismatch";
}

async function expectInvalid(source: string, message: string): Promise<void> {
  try {
    await compile(source);
  } catch (error) {
    if (error instanceof ComponentError && error.kind === "malformed") return;
    // What it is refused for has nothing to do with what is invalid.
    if (!(error instanceof ComponentError && isOfWorld(error))) throw error;
  }
  throw new TakenError(message);
}

/** The component inside of a statement about it. */
function inner(source: string): string {
  const start = source.indexOf("(", 1);
  let depth = 0;
  for (const { 0: token, index } of source
    .slice(start)
    .matchAll(/;;[^\n]*|"(?:[^"\\]|\\.)*"|[()]/gu)) {
    if (token === "(") depth += 1;
    else if (token === ")") depth -= 1;
    if (depth === 0) return source.slice(start, start + index + 1);
  }
  return source;
}

async function withinTime(instance: Instance, call: Promise<unknown>): Promise<unknown> {
  const timer = setTimeout(() => instance.abandon(new Error("the call did not end")), CALL_MS);
  try {
    return await call;
  } finally {
    clearTimeout(timer);
  }
}

function toValue(form: Form): unknown {
  const [type = "", ...rest] = toList(form);
  const [first = "", second] = rest;
  const literal = typeof first === "string" ? first : "";
  switch (type) {
    case "bool.const":
      return literal === "true";
    case "u8.const":
    case "s8.const":
    case "u16.const":
    case "s16.const":
    case "u32.const":
    case "s32.const":
      return Number(toBigInt(literal));
    case "u64.const":
    case "s64.const":
      return toBigInt(literal);
    case "f32.const":
      return Math.fround(toFloat(literal));
    case "f64.const":
      return toFloat(literal);
    case "char.const":
    case "str.const":
    case "enum.const":
      return unquote(literal);
    case "list.const":
    case "tuple.const":
      return rest.map(toValue);
    case "record.const":
      return Object.fromEntries(
        rest.map(([, name, ...value]) => [
          camelCase(unquote(name)),
          // The value may stand without its parentheses.
          toValue(Array.isArray(value[0]) ? value[0] : value),
        ]),
      );
    case "flags.const":
      return { flags: rest.map((name) => camelCase(unquote(name))) };
    case "variant.const":
      return tagged(unquote(literal), second);
    case "option.none":
      return undefined;
    case "option.some":
      return toValue(first);
    case "result.ok":
    case "result.err":
      return tagged(type.slice("result.".length), first === "" ? undefined : first);
    default:
      throw new Error(`a value of an unknown kind: ${show(form)}`);
  }
}

function toList(form: Form | undefined): readonly Form[] {
  return typeof form === "object" ? form : [];
}

function camelCase(name: string): string {
  return name.replaceAll(/-(.)/gu, (_, letter: string) => letter.toUpperCase());
}

function tagged(tag: string, payload: Form | undefined): unknown {
  return payload === undefined ? { tag } : { tag, val: toValue(payload) };
}

/** Arguments in the form that the engine takes. */
function ofType(value: unknown, type: ValueType | undefined): unknown {
  if (type?.kind === "flags" && typeof value === "object" && value !== null && "flags" in value) {
    const set = Array.isArray(value.flags) ? value.flags : [];
    return Object.fromEntries(set.map((name: unknown) => [String(name), true]));
  }
  if (type?.kind === "list" && Array.isArray(value)) {
    if (type.element.kind === "u8") return Uint8Array.from(value);
    return value.map((item) => ofType(item, type.element));
  }
  return value;
}

/** One form for all that is equal: bytes are a list, and set flags a list of names. */
function normal(value: unknown): unknown {
  if (value instanceof Uint8Array) return Array.from(value);
  if (Array.isArray(value)) return value.map(normal);
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value);
  if (entries.length > 0 && entries.every(([, part]) => typeof part === "boolean")) {
    return { flags: entries.filter(([, isSet]) => isSet).map(([name]) => name) };
  }
  return Object.fromEntries(entries.map(([name, part]) => [name, normal(part)]));
}

function show(value: unknown): string {
  return JSON.stringify(value, (_, part: unknown) => (typeof part === "bigint" ? `${part}` : part));
}

function describe(error: unknown): string {
  return error instanceof Error ? `${error.name}: ${error.message.slice(0, 300)}` : show(error);
}

const [directory, part = ""] = process.argv.slice(2);
if (directory === undefined) throw new Error("which directory has the .wast files?");
const total = { held: 0, refused: 0, taken: 0, unassembled: 0, differ: 0 };
const files = readdirSync(directory, { recursive: true, encoding: "utf8" });
const scripts = files.filter((name) => name.endsWith(".wast") && name.includes(part)).toSorted();
for (const file of scripts) {
  const { held, refused, taken, unassembled, differences } = await runScript(join(directory, file));
  total.held += held;
  total.refused += refused.count;
  total.taken += taken.count;
  total.unassembled += unassembled.count;
  total.differ += differences.length;
  console.log(
    `${file}: ${held} hold, ${refused.count} refused, ${taken.count} taken, ${differences.length} differ`,
  );
  refused.print("refused");
  taken.print("taken");
  unassembled.print("not assembled");
  for (const difference of differences) console.log(`  ${difference}`);
}
console.log(JSON.stringify(total));
if (total.differ > 0) process.exitCode = 1;

async function runScript(path: string): Promise<Script> {
  const script = new Script();
  await script.run(readFileSync(path, "utf8"));
  return script;
}
