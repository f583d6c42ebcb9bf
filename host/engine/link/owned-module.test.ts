import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { setFlagsFromString } from "node:v8";
import { expect, test } from "vitest";
import { decodeComponent } from "../component/decode.ts";
import { createEngine } from "../create-engine.ts";
import type { Compilation, Ownership } from "../engine.ts";
import { assemble } from "../testing/assemble.ts";
import { testLimits } from "../testing/limits.ts";
import { testWorld } from "../testing/world.ts";
import { ownModule } from "./owned-module.ts";

const component = await assemble(`(component
  (core module $runtime (func (export "answer") (result i32) (i32.const 42)))
  (core module $app (func (export "run") (param i32) (result i32) (local.get 0)))
  (core instance $runtime (instantiate $runtime))
  (core instance $app (instantiate $app))
  (func $run (param "x" u32) (result u32) (canon lift (core func $app "run")))
  (export "run" (func $run)))`);
const [runtime = new Uint8Array()] = decodeComponent(component, testLimits).modules;
const runtimeSha256 = createHash("sha256").update(runtime).digest("hex");

const isShared: Ownership["isShared"] = (sha256) => sha256 === runtimeSha256;

/** As a thread of its own does, for one owner. The first module is the shared one. */
function compile(owner: string): Compilation {
  return createEngine().compile(component, testWorld, testLimits, { owner, isShared });
}

function hashes({ stored }: Compilation): string[] {
  return stored.modules.map(({ sha256 }) => sha256);
}

function functionOf({ component: { modules } }: Compilation, index: number): CallableFunction {
  const code = modules[index]?.code;
  assert(code instanceof WebAssembly.Module);
  const { answer, run } = new WebAssembly.Instance(code).exports;
  const exported = answer ?? run;
  assert(typeof exported === "function");
  return exported;
}

/** A function is compiled by its first call: who calls it later could measure that somebody did before. */
function isCompiled(exported: CallableFunction): boolean {
  setFlagsFromString("--allow-natives-syntax");
  // oxlint-disable-next-line typescript/no-implied-eval -- No parser of files knows this syntax.
  const isUncompiled = new Function("f", "return %IsUncompiledWasmFunction(f)");
  return isUncompiled(exported) === false;
}

test("what is not shared has other bytes for each owner, and the same for one", () => {
  const [one, two] = [compile("a"), compile("b")];
  expect(one.stored.modules.map((module) => module.isShared)).toEqual([true, false]);
  expect(hashes(one)[0]).toBe(hashes(two)[0]);
  expect(hashes(one)[1]).not.toBe(hashes(two)[1]);
  expect(hashes(compile("a"))).toEqual(hashes(one));
});

test("machine code of one owner is none of another's, also where both have equal modules", () => {
  const [mine, theirs] = [compile("a"), compile("b")];
  functionOf(theirs, 1)();
  expect(isCompiled(functionOf(theirs, 1))).toBe(true);
  expect(isCompiled(functionOf(mine, 1))).toBe(false);
  // What is shared shows that this can be seen at all.
  functionOf(theirs, 0)();
  expect(isCompiled(functionOf(mine, 0))).toBe(true);
});

test("a module is as long for each owner", () => {
  const lengths = ["a", "a-longer-name"].map((owner) =>
    compile(owner).stored.modules.map(({ bytes }) => bytes.byteLength),
  );
  expect(lengths[0]).toEqual(lengths[1]);
});

test("no owner's module is another's with a mark in it", () => {
  const module = Uint8Array.from([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]);
  const forged = ownModule(ownModule(module, "victim"), "attacker");
  expect(forged).not.toEqual(ownModule(module, "victim"));
  expect(WebAssembly.validate(forged.slice())).toBe(true);
});

test("what is shared is rewritten once for each thread, and holds nothing of the upload", () => {
  const engine = createEngine();
  const [one, two] = ["a", "b"].map((owner) =>
    engine
      .compile(component, testWorld, testLimits, { owner, isShared })
      .stored.modules.map(({ bytes }) => bytes),
  );
  expect(two?.[0]).toBe(one?.[0]);
  expect(two?.[1]).not.toBe(one?.[1]);
  expect(one?.[0]?.buffer.byteLength).toBe(one?.[0]?.byteLength);
});

test("what is not shared is not kept for the next upload, whose time would tell of others'", () => {
  const engine = createEngine();
  const ownership = { owner: "a", isShared };
  const { stored } = engine.compile(component, testWorld, testLimits, ownership);
  expect(stored.modules.map(({ sha256 }) => engine.hasModule(sha256))).toEqual([true, false]);
  const loading = createEngine();
  loading.load(stored);
  expect(stored.modules.map(({ sha256 }) => loading.hasModule(sha256))).toEqual([true, false]);
});
