import { expect, test } from "vitest";
import { addUsage, noUsage, UsageLedger } from "./usage.ts";

const SAMPLE = {
  tenantId: "acme",
  app: "hello",
  functionName: "greet",
  isError: false,
  isColdStart: true,
  cpuUs: 10,
  fuelThousands: 3,
  wallUs: 20,
  bytesIn: 1,
  bytesOut: 2,
  stateOperations: 4,
  logBytes: 5,
  logEntriesDropped: 6,
};

test("samples of one app add up, and apps stay apart", () => {
  const ledger = new UsageLedger();
  ledger.record(SAMPLE);
  ledger.record({ ...SAMPLE, isError: true, isColdStart: false });
  ledger.record({ ...SAMPLE, app: "other" });
  ledger.record({ ...SAMPLE, tenantId: "rival" });
  expect(ledger.pending("acme")).toEqual([
    {
      tenantId: "acme",
      app: "hello",
      counts: {
        invocations: 2,
        errors: 1,
        coldStarts: 1,
        cpuUs: 20,
        fuelThousands: 6,
        wallUs: 40,
        bytesIn: 2,
        bytesOut: 4,
        stateOperations: 8,
        logBytes: 10,
        logEntriesDropped: 12,
      },
      functions: new Map([["greet", { invocations: 2, errors: 1, cpuUs: 20 }]]),
    },
    expect.objectContaining({ app: "other" }),
  ]);
});

test("functions of one app add up and stay apart, and are given back with it", () => {
  const ledger = new UsageLedger();
  ledger.record(SAMPLE);
  ledger.record({ ...SAMPLE, functionName: "__proto__", isError: true });
  const taken = ledger.take();
  ledger.record(SAMPLE);
  for (const usage of taken) ledger.restore(usage);
  expect(ledger.pending("acme")[0]?.functions).toEqual(
    new Map([
      ["greet", { invocations: 2, errors: 0, cpuUs: 20 }],
      ["__proto__", { invocations: 1, errors: 1, cpuUs: 10 }],
    ]),
  );
});

test("what is taken is taken once, and can be given back", () => {
  const ledger = new UsageLedger();
  ledger.record(SAMPLE);
  const taken = ledger.take();
  expect(ledger.take()).toEqual([]);
  ledger.record(SAMPLE);
  for (const usage of taken) ledger.restore(usage);
  expect(ledger.pending("acme")[0]?.counts.invocations).toBe(2);
});

test("what is forgotten is not taken", () => {
  const ledger = new UsageLedger();
  ledger.record(SAMPLE);
  ledger.record({ ...SAMPLE, app: "other" });
  ledger.forget("acme", "hello");
  expect(ledger.pending("acme").map(({ app }) => app)).toEqual(["other"]);
  ledger.forget("acme");
  expect(ledger.take()).toEqual([]);
});

test("no usage is the identity of adding", () => {
  const ledger = new UsageLedger();
  ledger.record(SAMPLE);
  const counts = ledger.take()[0]?.counts ?? noUsage();
  expect(addUsage(counts, noUsage())).toEqual(counts);
});
