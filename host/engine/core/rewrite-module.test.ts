import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { decodeComponent } from "../component/decode.ts";
import { ComponentError } from "../engine.ts";
import { assemble } from "../testing/assemble.ts";
import { section } from "../testing/binary.ts";
import { testLimits } from "../testing/limits.ts";
import { buildStoreGuest } from "../testing/store-guest.ts";
import { rewriteModule } from "./rewrite-module.ts";
import { arbitraryLongModule, arbitraryModule } from "./testing/arbitrary-module.ts";
import { countInstructions } from "./testing/count-instructions.ts";
import { GRANT, instantiateRewritten } from "./testing/run-rewritten.ts";
import type { RewrittenInstance } from "./testing/run-rewritten.ts";

// `FUZZ_CASES=1000000` is the full size of what is random.
const CASES = Number(process.env["FUZZ_CASES"] ?? 1000);
const SEED = 20_261_121;
const UNPAID_AT_ENTRY = 64;

function rewrite(bytes: Uint8Array): Uint8Array {
  return rewriteModule(bytes, testLimits).bytes;
}

/** What a call gives, or how it ended, in a form that can be compared. */
function outcomeOf(
  exports: RewrittenInstance["exports"],
  name: string,
  ...args: unknown[]
): unknown {
  const exported = exports[name];
  if (typeof exported !== "function") throw new Error(`there is no function ${name}`);
  try {
    return Reflect.apply(exported, undefined, args);
  } catch (error) {
    if (error instanceof WebAssembly.Exception) return "an exception";
    if (error instanceof RangeError) return "the stack is exhausted";
    if (error instanceof WebAssembly.RuntimeError) return error.message;
    throw error;
  }
}

function memoryOf(exports: RewrittenInstance["exports"]): Buffer {
  const { memory } = exports;
  if (!(memory instanceof WebAssembly.Memory)) throw new Error("there is no memory");
  return Buffer.from(memory.buffer);
}

async function run(
  text: string,
  ...args: unknown[]
): Promise<RewrittenInstance & { out: unknown }> {
  const instance = instantiateRewritten(await assemble(`(module ${text})`), {
    fuelMax: 1_000_000,
    pagesMax: 2,
  });
  return { ...instance, out: outcomeOf(instance.exports, "run", ...args) };
}

/** What V8 takes may be refused by name, but no byte of it is not understood. */
function agreement(bytes: Uint8Array): "valid" | "refused by name" | "invalid" {
  const isValid = WebAssembly.validate(bytes);
  try {
    const isStillValid = WebAssembly.validate(rewrite(bytes));
    if (isValid && isStillValid) return "valid";
    throw new Error(`it was ${isValid ? "" : "in"}valid, and is not as it was`);
  } catch (error) {
    if (!(error instanceof ComponentError)) throw error;
    if (error.kind !== (isValid ? "unsupported" : "malformed")) throw error;
    return isValid ? "refused by name" : "invalid";
  }
}

function changed(bytes: Uint8Array, list: readonly (readonly [number, number])[]): Uint8Array {
  const copy = bytes.slice();
  for (const [at, value] of list) copy[at % copy.length] = value;
  return copy;
}

async function refusal(text: string): Promise<ComponentError> {
  const bytes = await assemble(`(module ${text})`);
  try {
    rewrite(bytes);
  } catch (error) {
    if (error instanceof ComponentError) return error;
    throw error;
  }
  throw new Error("it was taken");
}

/** One function of () -> (). */
function withCode(...code: number[]): Uint8Array {
  const preamble = [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00];
  const body = section(10, [code.length + 2, 0, ...code, 0x0b]);
  return Uint8Array.from([...preamble, ...section(1, [0x60, 0, 0]), ...section(3, [0]), ...body]);
}

describe("a module at random", () => {
  test("computes the same when it is rewritten, or is stopped", () => {
    const ends = { stopped: 0, same: 0 };
    fc.assert(
      fc.property(arbitraryModule, fc.nat(20), (bytes, input) => {
        const rewritten = instantiateRewritten(bytes, { fuelMax: 300_000 });
        const outcome = outcomeOf(rewritten.exports, "run", input);
        if (rewritten.isOutOfFuel()) {
          ends.stopped += 1;
          return;
        }
        const original = new WebAssembly.Instance(new WebAssembly.Module(bytes));
        expect(outcome).toBe(outcomeOf(original.exports, "run", input));
        expect(memoryOf(rewritten.exports).equals(memoryOf(original.exports))).toBe(true);
        ends.same += 1;
      }),
      { numRuns: CASES, seed: SEED },
    );
    expect(ends.same).toBeGreaterThan(CASES / 4);
    expect(ends.stopped).toBeGreaterThan(CASES / 100);
  });

  test("pays for at least as many instructions as it runs", () => {
    let counted = 0;
    fc.assert(
      fc.property(arbitraryLongModule, fc.nat(20), (bytes, input) => {
        const rewritten = instantiateRewritten(bytes, { fuelMax: 300_000 });
        outcomeOf(rewritten.exports, "run", input);
        if (rewritten.isOutOfFuel()) return;
        const counting = new WebAssembly.Module(countInstructions(bytes));
        const { exports } = new WebAssembly.Instance(counting);
        outcomeOf(exports, "run", input);
        const { count } = exports;
        if (!(count instanceof WebAssembly.Global)) throw new Error("nothing counts");
        // Who calls a function pays for its first instructions, and here that is nobody.
        expect(rewritten.fuel() + UNPAID_AT_ENTRY).toBeGreaterThanOrEqual(Number(count.value));
        if (Number(count.value) > UNPAID_AT_ENTRY) counted += 1;
      }),
      { numRuns: CASES, seed: SEED },
    );
    expect(counted).toBeGreaterThan(CASES / 20);
  });
});

describe("a module with bytes changed at random", () => {
  let modules: readonly Uint8Array[];
  beforeAll(async () => {
    modules = decodeComponent(await buildStoreGuest("async"), testLimits).modules;
  });

  const changes = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 3 });

  test("is refused, or as valid as before", () => {
    let stillValid = 0;
    fc.assert(
      fc.property(arbitraryModule, changes, (bytes, list) => {
        if (agreement(changed(bytes, list)) === "valid") stillValid += 1;
      }),
      { numRuns: CASES, seed: SEED },
    );
    expect(stillValid).toBeGreaterThan(CASES / 20);
  });

  test("of a real component, too", () => {
    const small = modules.filter((module) => module.length < 10_000);
    expect(small.length).toBeGreaterThan(3);
    fc.assert(
      fc.property(fc.constantFrom(...small), changes, (bytes, list) => {
        agreement(changed(bytes, list));
      }),
      { numRuns: CASES, seed: SEED },
    );
  });

  test("of a real component stays as valid where nothing was changed", () => {
    for (const module of modules) {
      expect(WebAssembly.validate(rewrite(module))).toBe(true);
    }
  });

  test("that ends anywhere is refused, or valid as it is", () => {
    const whole = modules.find((module) => module.length < 1000 && module.length > 300);
    if (whole === undefined) throw new Error("there is no small module");
    const cut = Array.from(whole, (_, length) => agreement(whole.subarray(0, length)));
    expect(new Set(cut)).toEqual(new Set(["valid", "invalid"]));
  });
});

describe("an endless", () => {
  test.each([
    ["loop", "(func $f (loop (br 0)))"],
    ["loop of nothing in a block", "(func $f (block (loop (br_table 0 1 (i32.const 0)))))"],
    [
      "loop that begins again by an exception",
      `(tag $t) (func $f (loop $l (block $b
      (try_table (catch $t $b) (throw $t))) (br $l)))`,
    ],
    ["recursion that ends in tail calls", "(func $f (return_call $f))"],
    [
      "recursion through a table",
      `(table 1 1 funcref) (elem (i32.const 0) $f)
      (func $f (return_call_indirect (i32.const 0)))`,
    ],
    [
      "recursion through a reference",
      `(type $t (func)) (elem declare func $f)
      (func $f (type $t) (return_call_ref $t (ref.func $f)))`,
    ],
    ["recursion of two", "(func $f (return_call $g)) (func $g (return_call $f))"],
  ])("%s is stopped", async (_what, fields) => {
    const instance = await run(`${fields} (func (export "run") (call $f))`);
    expect(instance.isOutOfFuel()).toBe(true);
  });

  test("start function is stopped", async () => {
    const bytes = await assemble("(module (func $f (loop (br 0))) (start $f))");
    expect(() => instantiateRewritten(bytes, { fuelMax: 100_000 })).toThrow(
      WebAssembly.RuntimeError,
    );
  });

  test("loop is not kept going by handlers of all exceptions", async () => {
    const instance = await run(`(func (export "run")
      (loop $l (block $b (try_table (catch_all $b) (loop (br 0)))) (br $l)))`);
    expect(instance.isOutOfFuel()).toBe(true);
  });

  test("recursion is ended by the stack, or stopped", async () => {
    const instance = await run('(func $f (export "run") (call $f))');
    expect(instance.isOutOfFuel() || instance.out === "the stack is exhausted").toBe(true);
  });
});

/** Of a loop that goes round a hundred times, and each time calls a leaf so often. */
async function fuelOfLeafCalls(calls: number): Promise<number> {
  const bytes = await assemble(`(module
      (func $inner (param i32) (result i32) (i32.add (local.get 0) (i32.const 1)))
      (func $leaf (export "leaf") (param i32) (result i32) (call $inner (local.get 0)))
      (func (export "run") (param $n i32)
        (loop $l
          ${"(drop (call $leaf (local.get $n)))".repeat(calls)}
          (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))))`);
  const { exports, fuel } = instantiateRewritten(bytes);
  outcomeOf(exports, "leaf", 1);
  expect(fuel()).toBe(0);
  outcomeOf(exports, "run", 100);
  return fuel();
}

describe("fuel", () => {
  const COUNTING = `(func (export "run") (param $n i32) (result i32) (local $sum i32)
    (loop $l
      (local.set $sum (i32.add (local.get $sum) (i32.mul (local.get $n) (local.get $n))))
      (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (local.get $sum))`;

  test("pays for each time that a loop goes round", async () => {
    const [once, often] = [await run(COUNTING, 1), await run(COUNTING, 1001)];
    // Eleven instructions.
    expect(often.fuel() - once.fuel()).toBe(11 * 1000);
  });

  test("is at least the number of instructions that run, whatever branches are taken", async () => {
    // Each arm has 300 instructions, and is skipped or not by a bit of the argument.
    const arm = "(local.set $x (i32.add (local.get $x) (i32.const 1)))".repeat(75);
    const arms = Array.from(
      { length: 8 },
      (_, bit) => `
      (if (i32.and (local.get $n) (i32.const ${1 << bit})) (then ${arm}))
      (block $b (br_if $b (i32.and (local.get $n) (i32.const ${1 << bit}))) ${arm})`,
    );
    const text = `(func (export "run") (param $n i32) (result i32) (local $x i32)
      ${arms.join("\n")} (local.get $x))`;
    const used = await Promise.all([0, 1, 0x55, 0xff].map(async (n) => await run(text, n)));
    for (const { fuel, out } of used) {
      expect(out).toBe(8 * 75);
      expect(fuel()).toBeGreaterThanOrEqual(8 * 300);
      // And not for all of what does not run.
      expect(fuel()).toBeLessThan(16 * 300);
    }
  });

  test("is paid by an interpreter for the case that it takes, not for all of them", async () => {
    const cases = 200;
    const work = "(local.set $x (i32.add (local.get $x) (i32.const 1)))".repeat(100);
    const text = `(func (export "run") (param $n i32) (result i32) (local $x i32)
      (loop $next
        ${"(block ".repeat(cases + 1)}
        (br_table ${Array.from({ length: cases + 1 }, (_, i) => i).join(" ")} (i32.const 7))
        ${`) ${work} (br_if $next (local.tee $n (i32.sub (local.get $n) (i32.const 1))))
          (return (local.get $x))`.repeat(cases)}
        ) (unreachable)) (local.get $x))`;
    const { fuel, out } = await run(text, 100);
    expect(out).toBe(100 * 100);
    expect(fuel()).toBeGreaterThanOrEqual(100 * 400);
    expect(fuel()).toBeLessThan(100 * 1_500);
  });

  test("is checked in a long function without loops, too", async () => {
    const work = "(local.set $x (i32.add (local.get $x) (i32.const 1)))".repeat(100_000);
    const instance = await run(`(func (export "run") (result i32) (local $x i32) ${work}
      (local.get $x))`);
    expect(instance.out).toBe(100_000);
    expect(instance.asked().length).toBeGreaterThan(3);
  });

  test("is not paid by leaves: who calls one pays what it costs", async () => {
    // The argument, two calls for four each, and four more instructions in the two.
    expect((await fuelOfLeafCalls(3)) - (await fuelOfLeafCalls(1))).toBe(
      2 * 100 * (1 + 4 + 1 + 4 + 3),
    );
  });

  test("is not paid by a function that comes back at once, and is by its callers", async () => {
    const { exports, fuel, asked } = await run(`
      (func $again (export "quick") (param i32) (result i32)
        (if (i32.eqz (local.get 0)) (then (return (i32.const 7))))
        (call $again (i32.sub (local.get 0) (i32.const 1))))
      (func (export "run"))`);
    outcomeOf(exports, "quick", 0);
    expect(asked()).toEqual([]);
    outcomeOf(exports, "quick", 1000);
    expect(fuel()).toBeGreaterThan(64 * 1000);
  });

  test("that is missing is taken from what comes next", async () => {
    const fill = "(memory.fill (i32.const 0) (i32.const 1) (i32.const 10000))";
    const { asked, fuel } = await run(`(memory 16) (func (export "run") ${fill.repeat(10)})`);
    expect(fuel()).toBeGreaterThanOrEqual((10 * 10_000) / 2);
    expect(asked().length).toBe(Math.ceil(fuel() / GRANT));
  });
});

describe("long instructions", () => {
  const MEMORY = `(memory (export "memory") 32)
    (func (export "fill") (param i32 i32 i32) (memory.fill (local.get 0) (local.get 1) (local.get 2)))
    (func (export "run") (param i32 i32 i32) (memory.copy (local.get 0) (local.get 1) (local.get 2)))`;

  const size = 32 * 65_536;
  const place = fc.oneof(fc.integer({ min: 0, max: size }), fc.integer({ min: 0, max: 4_000 }));

  test("copy and fill as before, in pieces, over each other, and up to the end", async () => {
    const bytes = await assemble(`(module ${MEMORY})`);
    const original = new WebAssembly.Instance(new WebAssembly.Module(bytes)).exports;
    const rewritten = instantiateRewritten(bytes).exports;
    const random = Buffer.from(Array.from({ length: size }, (_, i) => (i * 2_654_435_761) >>> 24));
    for (const exports of [original, rewritten]) memoryOf(exports).set(random);
    fc.assert(
      fc.property(
        fc.constantFrom("run", "fill"),
        place,
        place,
        fc.oneof(place, fc.integer({ min: 262_143, max: 262_146 })),
        (name, first, second, length) => {
          const outcome = outcomeOf(rewritten, name, first, second, length);
          expect(outcome).toBe(outcomeOf(original, name, first, second, length));
          expect(memoryOf(rewritten).equals(memoryOf(original))).toBe(true);
        },
      ),
      { numRuns: 200, seed: SEED },
    );
  });

  test.each([
    [
      "a 64-bit memory",
      `(memory (export "memory") i64 16)
      (func (export "run") (result i64)
        (memory.fill (i64.const 8) (i32.const 7) (i64.const 1000000))
        (memory.copy (i64.const 16) (i64.const 8) (i64.const 900000))
        (i64.add (i64.load (i64.const 900000)) (memory.grow (i64.const 1))))`,
    ],
    [
      "memories of both kinds",
      `(memory $a i64 16) (memory $b 16)
      (func (export "run") (result i64)
        (memory.fill $a (i64.const 0) (i32.const 3) (i64.const 1000000))
        (memory.copy $b $a (i32.const 8) (i64.const 0) (i32.const 1000000))
        (memory.copy $a $b (i64.const 9) (i32.const 1) (i32.const 999990))
        (i64.load $a (i64.const 9)))`,
    ],
    [
      "passive segments and tables",
      `(memory 1) (table $t 10 funcref) (data $d "abc") (elem $e func $f)
      (func $f (export "run") (result i64)
        (memory.init $d (i32.const 1) (i32.const 0) (i32.const 3)) (data.drop $d)
        (table.init $e (i32.const 1) (i32.const 0) (i32.const 1))
        (table.copy (i32.const 2) (i32.const 0) (i32.const 5))
        (table.fill (i32.const 7) (ref.func $f) (i32.const 2))
        (drop (table.grow (ref.null func) (i32.const 3)))
        (i64.add (i64.load (i32.const 0)) (i64.extend_i32_u (table.size $t))))`,
    ],
  ])("work as before on %s", async (_what, text) => {
    const bytes = await assemble(`(module ${text})`);
    const original = new WebAssembly.Instance(new WebAssembly.Module(bytes));
    const { out, fuel } = await run(text);
    expect(out).toBe(outcomeOf(original.exports, "run"));
    expect(fuel()).toBeGreaterThan(0);
  });
});

describe("memory.grow", () => {
  const GROW = `(memory (export "memory") 1 4)
    (func (export "run") (param i32) (result i32) (memory.grow (local.get 0)))`;

  test("answers -1 past the limit, and the size before otherwise", async () => {
    const { exports, out } = await run(GROW, 1);
    expect(out).toBe(1);
    expect(outcomeOf(exports, "run", 2)).toBe(-1);
    expect(outcomeOf(exports, "run", 1)).toBe(2);
    expect(outcomeOf(exports, "run", 1)).toBe(-1);
    expect(outcomeOf(exports, "run", 0)).toBe(3);
    expect(outcomeOf(exports, "run", -1)).toBe(-1);
    expect(memoryOf(exports).length).toBe(3 * 65_536);
  });

  test("gives back what was asked for where the memory's own maximum is passed", async () => {
    const bytes = await assemble(`(module ${GROW})`);
    const { exports, asked } = instantiateRewritten(bytes);
    expect(outcomeOf(exports, "run", 9)).toBe(-1);
    expect(asked().filter((pages) => pages !== 0)).toEqual([9, -9]);
  });
});

describe("a module", () => {
  test.each([
    ["a shared memory", "(memory 1 1 shared)"],
    ["a shared memory", `(import "a" "b" (memory 1 1 shared))`],
    ["a table with 64-bit indices", `(import "a" "b" (table i64 1 funcref))`],
    ["a table of exceptions", "(table 1 exnref)"],
    ["a global variable with an exception", "(global (mut exnref) (ref.null exn))"],
    ["an exception of more than 16 values", `(tag (param ${"i32 ".repeat(17)}))`],
    [
      "an instruction that allocates garbage-collected objects",
      "(type $s (struct)) (func (drop (struct.new $s)))",
    ],
    [
      "an instruction that allocates garbage-collected objects",
      "(type $a (array i32)) (global (ref $a) (array.new $a (i32.const 1) (i32.const 1000000)))",
    ],
    [
      "an export of a core module whose name begins with downpour:",
      `(func (export "downpour:fuel"))`,
    ],
  ])("is refused for %s: %s", async (what, text) => {
    expect(await refusal(text)).toMatchObject({
      kind: "unsupported",
      message: `${what} is not supported`,
    });
  });

  test("is refused for instructions that V8 does not have, in its words", () => {
    expect(() => rewrite(withCode(0xc7))).toThrow("0xc7");
    expect(() => rewrite(withCode(0xe0, 0))).toThrow("opcode");
    expect(() => rewrite(withCode(0xfb, 0x80, 0x01, 0))).toThrow("opcode");
  });

  test("may have garbage-collected types, references to functions, SIMD, atomics and many results", async () => {
    const { out } =
      await run(`(type $s (struct (field i32))) (rec (type $f (func (result i32 i64))))
      (memory 1) (global $g (mut anyref) (ref.null any))
      (func $two (type $f) (i32.const 1) (i64.const 2))
      (elem declare func $two)
      (func (export "run") (result i32)
        (i32.atomic.store (i32.const 0) (i32.const 5))
        (drop (i32x4.relaxed_laneselect (v128.const i32x4 1 2 3 4) (v128.const i32x4 1 2 3 4)
          (v128.const i32x4 1 2 3 4)))
        (global.set $g (ref.i31 (i32.const 3)))
        (drop (ref.test (ref null $s) (global.get $g)))
        (call_ref $f (ref.func $two)) (drop)
        (i32.add (i32.atomic.load (i32.const 0))))`);
    expect(out).toBe(6);
  });

  test("that does nothing that costs anything stays as it is", async () => {
    const bytes = await assemble(`(module (func (export "f") (result i32) (i32.const 1)))`);
    expect(rewrite(bytes)).toBe(bytes);
  });

  test.each([
    ["sets the fuel", "(func (global.set 0 (i32.const 2000000000)))"],
    ["exports the fuel", `(func $f (call $f)) (export "fuel" (global 0))`],
    ["calls what is added", "(func $f (call 1))"],
  ])("that %s by its number is refused", async (_what, text) => {
    await expect(refusal(text)).resolves.toMatchObject({ kind: "malformed" });
  });

  test("gives the same bytes each time", async () => {
    const bytes = await assemble(`(module (func $f (export "f") (call $f)))`);
    expect(rewrite(bytes)).toEqual(rewrite(bytes.slice()));
  });
});
