import fc from "fast-check";
import { expect, test } from "vitest";
import { decodeComponent } from "../component/decode.ts";
import { assemble } from "../testing/assemble.ts";
import { testLimits } from "../testing/limits.ts";
import { buildStoreGuest } from "../testing/store-guest.ts";
import { arbitraryChargedModule } from "./testing/arbitrary-charged-module.ts";
import { checkCharges } from "./testing/charge-oracle.ts";

// `FUZZ_CASES=1000000` is the full size of what is random.
const CASES = Number(process.env["FUZZ_CASES"] ?? 400);
const SEED = 20_261_122;

test("no way through functions at random runs unpaid, or pays for much more than runs", () => {
  const seen = { points: 0, leaves: 0 };
  fc.assert(
    fc.property(arbitraryChargedModule, (bytes) => {
      expect(WebAssembly.validate(bytes)).toBe(true);
      const { problems, points, leaves } = checkCharges(bytes);
      expect(problems).toEqual([]);
      seen.points += points;
      seen.leaves += leaves;
    }),
    { numRuns: CASES, seed: SEED },
  );
  expect(seen.points).toBeGreaterThan(CASES * 10);
  expect(seen.leaves).toBeGreaterThan(CASES);
});

test("no way through a language runtime does", async () => {
  for (const module of decodeComponent(await buildStoreGuest("async"), testLimits).modules) {
    expect(checkCharges(module).problems).toEqual([]);
  }
});

test("no way through a function of many thousand points does", async () => {
  const arm = "(if (memory.size) (then (drop (memory.size)) (br_if $out (memory.size))))";
  const bytes = await assemble(`(module (memory 1)
    (func (block $out ${arm.repeat(100_000)})))`);
  const { problems, points } = checkCharges(bytes);
  expect(problems).toEqual([]);
  expect(points).toBeGreaterThan(1_000);
});
