import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { buildPlan } from "./component/build-plan.ts";
import type { ModuleInterface } from "./component/build-plan.ts";
import { decodeComponent } from "./component/decode.ts";
import { createEngine } from "./create-engine.ts";
import { ComponentError, Trap } from "./engine.ts";
import { UsedModules } from "./link/compile-modules.ts";
import { ModuleCache } from "./link/module-cache.ts";
import { dummyComponent } from "./testing/assemble.ts";
import { testLimits } from "./testing/limits.ts";
import { buildStoreGuest, storeLinks, storeWit, storeWorld } from "./testing/store-guest.ts";

// Real components with bytes changed at random: each is taken or refused as one that an author could
// have made, and never anything else. `FUZZ_CASES=1000000` is the full size.

const CASES = Number(process.env["FUZZ_CASES"] ?? 1500);
const SEED = 20_261_121;

interface Mutation {
  readonly at: number;
  readonly remove: number;
  readonly insert: Uint8Array;
}

/** Positions are fractions, so that one mutation fits every component. */
const mutation: fc.Arbitrary<Mutation> = fc.oneof(
  fc.record({
    at: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
    remove: fc.constant(1),
    insert: fc.uint8Array({ minLength: 1, maxLength: 1 }),
  }),
  fc.record({
    at: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
    remove: fc.nat(8),
    insert: fc.uint8Array({ maxLength: 8 }),
  }),
);

function mutate(bytes: Uint8Array, mutations: readonly Mutation[]): Uint8Array {
  return mutations.reduce((changed, { at, remove, insert }) => {
    const offset = Math.floor(at * changed.length);
    const rest = changed.subarray(Math.min(offset + remove, changed.length));
    const result = new Uint8Array(offset + insert.length + rest.length);
    result.set(changed.subarray(0, offset));
    result.set(insert, offset);
    result.set(rest, offset + insert.length);
    return result;
  }, bytes);
}

/** What is not a `ComponentError` fails the test. */
function taken<T>(compile: () => T): T | undefined {
  try {
    return compile();
  } catch (error) {
    if (error instanceof ComponentError) return undefined;
    throw error;
  }
}

describe("a mutated component", () => {
  let dummy: Uint8Array;
  beforeAll(async () => {
    dummy = await dummyComponent(storeWit, "guest");
  });

  test("compiles or is refused, wherever it was changed", () => {
    const engine = createEngine();
    expect(taken(() => engine.compile(dummy, storeWorld, testLimits))).toBeDefined();
    fc.assert(
      fc.property(fc.array(mutation, { minLength: 1, maxLength: 4 }), (mutations) => {
        taken(() => engine.compile(mutate(dummy, mutations), storeWorld, testLimits));
      }),
      { numRuns: CASES, seed: SEED },
    );
  });
});

describe("a mutated TypeScript guest", () => {
  /** The bytes of the component around its core modules, and what the modules are. */
  let bytes: Uint8Array;
  let open: readonly number[];
  let moduleAt: (index: number) => ModuleInterface;
  let used: UsedModules;

  beforeAll(async () => {
    bytes = await buildStoreGuest("async");
    const { modules } = decodeComponent(bytes, testLimits);
    used = new UsedModules(modules, new ModuleCache(), testLimits);
    const known = modules.map((_, index) => used.at(index));
    moduleAt = (index) => {
      const found = known[index];
      if (found === undefined) throw new ComponentError("malformed", ["a module too many"]);
      return found;
    };
    open = Array.from({ length: bytes.length }, (_, at) => at).filter((at) =>
      modules.every(
        (module) => at < module.byteOffset || at >= module.byteOffset + module.byteLength,
      ),
    );
  });

  test("is planned or refused, and what is planned links or traps", () => {
    const engine = createEngine();
    const modules = used.list().map(({ sha256, code }) => ({ sha256, code }));
    const changes = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 3 });
    let linkedCount = 0;
    fc.assert(
      fc.property(changes, (list) => {
        const changed = bytes.slice();
        for (const [at, value] of list) changed[open[at % open.length] ?? 0] = value;
        const planned = taken(() => {
          const { root } = decodeComponent(changed, testLimits);
          return buildPlan(root, moduleAt, storeWorld, testLimits);
        });
        if (planned === undefined) return;
        try {
          engine.instantiate({ ...planned, modules }, storeLinks());
          linkedCount += 1;
        } catch (error) {
          if (!(error instanceof Trap)) throw error;
        }
      }),
      { numRuns: Math.ceil(CASES / 3), seed: SEED },
    );
    expect(linkedCount).toBeGreaterThan(0);
  });
});
