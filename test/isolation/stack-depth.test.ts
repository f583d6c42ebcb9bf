import { afterAll, beforeAll, expect, test } from "vitest";
import { buildGuest } from "../../host/engine/testing/build-guest.ts";
import { HostUnderTest } from "../e2e/testing/host-under-test.ts";
import type { TenantClient } from "../e2e/testing/host-under-test.ts";

// How deep calls of a guest may be nested: as the operator says, and never into the host.

/** Fits in the usual stack, and not in one of a quarter. */
const DEPTH = 1_000;

let usual: HostUnderTest;
let tight: HostUnderTest;

beforeAll(async () => {
  usual = await HostUnderTest.start();
  tight = await HostUnderTest.start({ flags: ["--guest-stack-kib-max=256"] });
});

afterAll(async () => {
  await usual[Symbol.asyncDispose]();
  await tight[Symbol.asyncDispose]();
});

async function deploy(host: HostUnderTest): Promise<TenantClient> {
  const tenant = await host.tenant("acme");
  const source = `
    const down = (n) => (n === 0 ? 0 : 1 + down(n - 1));
    const depths = { shallow: 10, deep: ${DEPTH}, endless: Infinity };
    export function describe() {
      const functions = Object.keys(depths).map((name) => ({ name }));
      return JSON.stringify({ sdk: "0.1.0", functions });
    }
    export async function handle(name) {
      const digits = String(down(depths[name]));
      return { mediaType: "text/plain", body: Uint8Array.from(digits, (c) => c.charCodeAt(0)) };
    }`;
  const component = await buildGuest({ source, world: "function" });
  await tenant.deploy("app", new Uint8Array(component));
  return tenant;
}

const exhausted = { code: "GUEST_TRAPPED", details: { reason: "stack-exhausted" } };

test("calls that are nested without an end end the invocation by name, and no other", async () => {
  const tenant = await deploy(usual);
  expect((await tenant.invoke("app/endless", null)).json()).toMatchObject(exhausted);
  expect((await tenant.invoke("app/deep", null)).body.toString()).toBe(String(DEPTH));
});

test("a host that gives guests less stack ends their calls sooner", async () => {
  const tenant = await deploy(tight);
  expect((await tenant.invoke("app/deep", null)).json()).toMatchObject(exhausted);
  expect((await tenant.invoke("app/shallow", null)).body.toString()).toBe("10");
});
