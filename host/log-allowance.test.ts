import { Worker } from "node:worker_threads";
import fc from "fast-check";
import { expect, test } from "vitest";
import { LogAllowance } from "./log-allowance.ts";

const SECOND_NS = 1_000_000_000n;

/** How many entries of so many bytes pass at one time. */
function passing(allowance: LogAllowance, bytes: number, nowNs: bigint): number {
  let count = 0;
  while (allowance.take(bytes, nowNs)) count += 1;
  return count;
}

test("lets a second's worth through at once, and then what time brings", () => {
  const allowance = LogAllowance.of(1_000);
  const startNs = 5n * SECOND_NS;
  expect(passing(allowance, 100, startNs)).toBe(10);
  expect(passing(allowance, 100, startNs + SECOND_NS / 2n)).toBe(5);
  expect(passing(allowance, 100, startNs + 100n * SECOND_NS)).toBe(10);
});

test("lets one entry through that is larger than a second's worth, and has it paid for", () => {
  const allowance = LogAllowance.of(1_000);
  const startNs = 5n * SECOND_NS;
  expect(passing(allowance, 5_000, startNs)).toBe(1);
  expect(passing(allowance, 1, startNs + 4n * SECOND_NS - 1n)).toBe(0);
  expect(passing(allowance, 500, startNs + 4n * SECOND_NS + SECOND_NS / 2n)).toBe(1);
});

test("what is logged without asking is paid for, and puts off the rest for a second at most", () => {
  const allowance = LogAllowance.of(1_000);
  const startNs = 5n * SECOND_NS;
  allowance.charge(500, startNs);
  expect(passing(allowance, 100, startNs)).toBe(5);
  for (let count = 0; count < 100; count += 1) allowance.charge(500, startNs);
  expect(passing(allowance, 100, startNs + SECOND_NS)).toBe(0);
  expect(passing(allowance, 100, startNs + SECOND_NS + SECOND_NS / 2n)).toBe(5);
});

test("what is charged takes nothing from what is owed already", () => {
  const allowance = LogAllowance.of(1_000);
  const startNs = 5n * SECOND_NS;
  passing(allowance, 10_000, startNs);
  allowance.charge(1, startNs);
  expect(passing(allowance, 100, startNs + 9n * SECOND_NS)).toBe(0);
});

test("what may be owed passes until two seconds' worth are", () => {
  const allowance = LogAllowance.of(1_000);
  const startNs = 5n * SECOND_NS;
  expect(passing(allowance, 100, startNs)).toBe(10);
  let owing = 0;
  while (allowance.takeOwing(100, startNs)) owing += 1;
  expect(owing).toBe(10);
});

test("a new rate holds from the next entry on, also for whoever shares it", () => {
  const allowance = LogAllowance.of(1_000);
  const shared = LogAllowance.from(allowance.shared);
  const startNs = 5n * SECOND_NS;
  // It takes ten seconds to pay for, and one at the new rate.
  passing(allowance, 10_000, startNs);
  allowance.setRate(10_000, startNs);
  expect(shared.bytesPerSecondMax).toBe(10_000);
  expect(passing(shared, 100, startNs)).toBe(0);
  expect(passing(shared, 100, startNs + SECOND_NS)).toBe(100);
});

test("never lets more through than time brings, a second's worth and one entry, whatever is asked when", () => {
  const asks = fc.array(
    fc.record({ bytes: fc.integer({ min: 1, max: 3_000 }), afterMs: fc.nat(400) }),
  );
  fc.assert(
    fc.property(asks, fc.integer({ min: 1, max: 5_000 }), (given, rate) => {
      const allowance = LogAllowance.of(rate);
      let nowMs = 1_000_000;
      let passed = 0;
      let largest = 0;
      for (const { bytes, afterMs } of given) {
        nowMs += afterMs;
        if (!allowance.take(bytes, BigInt(nowMs) * 1_000_000n)) continue;
        passed += bytes;
        largest = Math.max(largest, bytes);
      }
      const brought = ((nowMs - 1_000_000) / 1_000) * rate;
      expect(passed).toBeLessThanOrEqual(brought + rate + largest + 1);
    }),
  );
});

test("is one for several threads that take at once", async () => {
  const allowance = LogAllowance.of(1_000_000);
  const nowNs = 5n * SECOND_NS;
  const source = `
    const { workerData, parentPort } = require("node:worker_threads");
    import(workerData.url).then(({ LogAllowance }) => {
      const allowance = LogAllowance.from(workerData.shared);
      let count = 0;
      while (allowance.take(10, workerData.nowNs)) count += 1;
      parentPort.postMessage(count);
    });`;
  const url = new URL("./log-allowance.ts", import.meta.url).href;
  const counts = await Promise.all(
    [1, 2, 3].map(async () => {
      const worker = new Worker(source, {
        eval: true,
        workerData: { url, shared: allowance.shared, nowNs },
      });
      return new Promise<number>((resolve, reject) => {
        worker.once("message", resolve);
        worker.once("error", reject);
      });
    }),
  );
  expect(counts.reduce((sum, count) => sum + count, 0)).toBe(100_000);
});
