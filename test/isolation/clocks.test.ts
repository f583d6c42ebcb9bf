import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { built } from "../e2e/testing/components.ts";
import { at, HostUnderTest } from "../e2e/testing/host-under-test.ts";
import type { TenantClient } from "../e2e/testing/host-under-test.ts";

// A clock that tells less than a millisecond would let a guest measure what others leave in the processor's caches.

const SOURCE = `
import { fn } from "@downpour/sdk";

const clocks = {
  now: () => performance.now(),
  origin: () => performance.timeOrigin,
  date: () => Date.now(),
  newDate: () => new Date().getTime(),
};

/** Reads a clock without a pause, until it has told twenty different times. */
export const read = fn((name: keyof typeof clocks) => {
  const told = new Set<number>();
  let reads = 0;
  while (told.size < (name === "origin" ? 1 : 20)) { told.add(clocks[name]()); reads += 1; }
  return { told: [...told], reads };
});

/** Writes its own time into its log, before and after each entry is written. */
export const log = fn((entries: number) => {
  let before = Date.now();
  for (let entry = 0; entry < entries; entry += 1) {
    console.log(String(before));
    before = Date.now();
  }
  console.log(String(before));
});
`;

let host: HostUnderTest;

beforeAll(async () => {
  host = await HostUnderTest.start();
});

afterAll(async () => {
  await host[Symbol.asyncDispose]();
});

describe.each(["quickjs", "starlingmonkey"] as const)("a function on %s", (engine) => {
  let tenant: TenantClient;

  beforeAll(async () => {
    tenant = await host.tenant(engine);
    await tenant.deploy("app", await built(SOURCE, engine));
  }, 120_000);

  test.each(["now", "origin", "date", "newDate"])(
    "is told whole milliseconds: %s",
    async (name) => {
      const answer = (await tenant.invoke("app/read", name)).json();
      const told = at(answer, "told");
      expect(told).toEqual(Array.isArray(told) ? told.map(Math.round) : []);
    },
  );

  test("learns from the times in its log no more than from its clock", async () => {
    await tenant.invoke("app/log", 200);
    const page = (await tenant.api("GET", "/v1/apps/app/logs")).json();
    const entries = at(page, "entries");
    const times = Array.isArray(entries)
      ? entries.map((entry) => ({
          before: Number(at(entry, "message")),
          logged: Date.parse(String(at(entry, "at"))),
        }))
      : [];
    expect(times).toHaveLength(201);
    for (const [index, { before, logged }] of times.entries()) {
      const after = times[index + 1]?.before ?? logged;
      expect([before, logged, after]).toEqual([before, logged, after].toSorted((a, b) => a - b));
    }
  });
});
