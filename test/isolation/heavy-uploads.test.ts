import { readdirSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { behaviours } from "../e2e/testing/components.ts";
import { HostUnderTest } from "../e2e/testing/host-under-test.ts";
import type { TenantClient } from "../e2e/testing/host-under-test.ts";
import { beside } from "./testing/beside.ts";
import { coreGuest, EMPTY_ANSWER } from "./testing/core-guest.ts";

// Components that are large, or large for whoever compiles them. Each is refused, or runs; meanwhile a
// neighbour is served, and of a refused one nothing stays on the disk.

let host: HostUnderTest;
let attacker: TenantClient;
let neighbour: TenantClient;

beforeAll(async () => {
  host = await HostUnderTest.start({ flags: ["--compile-time-max-ms=15000"] });
  attacker = await host.tenant("be");
  neighbour = await host.tenant("beta");
  await neighbour.deploy("app", await behaviours());
  await neighbour.invoke("app/greet", "you");
});

afterAll(async () => {
  await host[Symbol.asyncDispose]();
});

function files(): readonly string[] {
  return readdirSync(host.dataDirectory, { recursive: true, encoding: "utf8" }).toSorted();
}

function locals(count: number): string {
  return `(local ${"i64 ".repeat(count)})`;
}

const IF = "(if (i32.const 0) (then))";
const ADD = "(local.set 0 (i32.add (local.get 0) (i32.const 1)))";

/** Fields of a core module; the function `$run` is called by each invocation. */
const TAKEN: readonly (readonly [what: string, fields: string])[] = [
  ["one function of 3 MB", `(func $run (local i32) ${ADD.repeat(400_000)})`],
  ["100,000 functions", `(func $run) ${"(func)".repeat(100_000)}`],
  ["a nesting of 20,000 blocks", `(func $run ${"block ".repeat(20_000)} ${"end ".repeat(20_000)})`],
  ["a function of 50,000 locals", `(func $run ${locals(49_000)})`],
  [
    "a switch of 60,000 labels",
    `(func $run (block (br_table ${"0 ".repeat(60_000)} (i32.const 0))))`,
  ],
];

test.each(TAKEN)("%s runs, and the neighbour does beside it", async (_, fields) => {
  const component = await coreGuest({
    handle: () => `call $run i32.const ${EMPTY_ANSWER}`,
    fields,
  });
  const uploaded = await beside(neighbour, attacker.upload("heavy", component));
  expect([200, 201]).toContain(uploaded.status);
  const answer = await beside(neighbour, attacker.invoke("heavy/run", null));
  expect(answer.status).toBe(200);
});

const REFUSED: readonly (readonly [what: string, fields: string])[] = [
  ["more functions than V8 takes", `(func $run) ${"(func)".repeat(1_000_001)}`],
  ["more locals than V8 takes", `(func $run ${locals(50_001)})`],
  ["100,000 memories", `(func $run) ${"(memory 0)".repeat(100_000)}`],
  ["100,000 tables", `(func $run) ${"(table 0 funcref)".repeat(100_000)}`],
  ["a type of a function with 2,000 parameters", `(func $run (param ${"i32 ".repeat(2_000)}))`],
];

describe("refused, and nothing left of it:", () => {
  test.each(REFUSED)("%s", async (_, fields) => {
    const before = files();
    const answer = await beside(neighbour, attacker.upload("refused", await coreGuest({ fields })));
    expect(answer.status).toBe(422);
    expect(answer.code).toMatch(/^(?:COMPONENT_|COMPILE_LIMIT|MANIFEST_INVALID)/u);
    expect(files()).toEqual(before);
    expect((await attacker.api("GET", "/v1/apps/refused")).code).toBe("APP_NOT_FOUND");
  });

  // A few kB each, for which V8 would take gigabytes, or minutes, at the first call.
  test.each([
    ["arms", IF.repeat(10_000)],
    ["loops", "(loop)".repeat(10_000)],
    ["branches", "(block br 0)".repeat(10_000)],
    ["nested arms", `${"i32.const 0 if ".repeat(10_000)} ${"end ".repeat(10_000)}`],
  ])("50,000 locals and as many %s as make gigabytes of them", async (_, code) => {
    const fields = `(func $run ${locals(49_000)} ${code})`;
    const component = await coreGuest({
      handle: () => `call $run i32.const ${EMPTY_ANSWER}`,
      fields,
    });
    expect(component.byteLength).toBeLessThan(100_000);
    const before = files();
    const answer = await beside(neighbour, attacker.upload("refused", component));
    expect(answer.code).toBe("COMPONENT_TOO_COMPLEX");
    expect(files()).toEqual(before);
  });
});

test("the host is the one that was there before", async () => {
  expect((await host.api("GET", "/readyz")).status).toBe(200);
  expect(host.child.exitCode).toBeNull();
  expect(host.output).not.toMatch(/"level":"(?:error|fatal)"/u);
});
