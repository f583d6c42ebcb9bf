import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { buildGuest } from "../../../host/engine/testing/build-guest.ts";
import { built } from "../testing/components.ts";
import { HostUnderTest } from "../testing/host-under-test.ts";

// Components that the SDK's default does not make, and that the host takes all the same.

let host: HostUnderTest;

beforeAll(async () => {
  host = await HostUnderTest.start();
});

afterAll(async () => {
  await host[Symbol.asyncDispose]();
});

test("a component with synchronous exports, as other toolchains make them, is deployed and keeps state", async () => {
  const tenant = await host.tenant("sync");
  const component = await buildGuest({
    world: "function-sync",
    sync: true,
    source: `
      import state from "downpour:faas/state@0.1.0";
      export function describe() {
        return JSON.stringify({ sdk: "other 1.0", functions: [{ name: "count" }] });
      }
      export function handle(name, input) {
        const key = String.fromCharCode(...input.body);
        const count = Number(state.counterAdd(key, 1, "durable"));
        const body = Uint8Array.from(String(count), (digit) => digit.charCodeAt(0));
        return { mediaType: "application/json", body };
      }`,
  });
  await tenant.deploy("app", new Uint8Array(component));
  expect((await tenant.invoke("app/count", "k")).json()).toBe(1);
  expect((await tenant.invoke("app/count", "k")).json()).toBe(2);
  const many = Array.from({ length: 100 }, () => tenant.invoke("app/count", "many"));
  const counts = (await Promise.all(many)).map((answer) => answer.json());
  expect(new Set(counts).size).toBe(100);
});

test("a component on StarlingMonkey is deployed within the default limits, and answers", async () => {
  const hello = join(import.meta.dirname, "../../../examples/hello/src/index.ts");
  const component = await built(readFileSync(hello, "utf8"), "starlingmonkey");
  const tenant = await host.tenant("starling");
  await tenant.deploy("hello", component);
  expect((await tenant.invoke("hello/hello", "world")).json()).toBe("Hello, world!");
  expect((await tenant.invoke("hello/hello", "again")).json()).toBe("Hello, again!");
});
