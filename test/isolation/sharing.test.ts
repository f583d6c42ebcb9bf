import { globSync } from "node:fs";
import { basename, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { SHARED_RUNTIMES } from "../../host/artifacts/shared-runtimes.ts";
import { behaviours } from "../e2e/testing/components.ts";
import { at, HostUnderTest } from "../e2e/testing/host-under-test.ts";
import { coreGuest } from "./testing/core-guest.ts";

// Whoever uploads what a victim has must not learn that the victim has it. What the host does once for both
// would be done sooner for the second: so it does nothing once, but for the runtimes that the SDK ships.

let host: HostUnderTest;

beforeAll(async () => {
  host = await HostUnderTest.start();
});

afterAll(async () => {
  await host[Symbol.asyncDispose]();
});

/** The names of the files in a folder of artifacts, which are the hashes of what is in them. */
function artifacts(folder: string): ReadonlySet<string> {
  const files = globSync(join(host.dataDirectory, "artifacts", folder, "??", "*"));
  return new Set(files.map((file) => basename(file)));
}

describe("a component that another tenant has", () => {
  test("is a new one: checked, compiled and stored for whoever uploads it", async () => {
    const component = await behaviours();
    const stored: ReadonlySet<string>[] = [];
    for (const name of ["victim", "prober"]) {
      const uploaded = (await (await host.tenant(name)).upload("app", component)).json();
      expect(at(uploaded, "outcome")).toBe("created");
      stored.push(artifacts(`tenants/${name}`));
    }
    const [victims = new Set(), probers = new Set()] = stored;
    expect(probers.size).toBe(victims.size);
    // In common are what the tenant has sent itself, and the plan; code is each one's own, but for the runtimes.
    expect(victims.difference(probers).size).toBeGreaterThan(0);
    expect(artifacts("runtimes").size).toBe(SHARED_RUNTIMES.size);
  });

  test("shares nothing at all where no SDK made it", async () => {
    const before = artifacts("runtimes");
    const component = await coreGuest({});
    for (const name of ["by-hand", "by-hand-too"]) {
      await (await host.tenant(name)).deploy("app", component);
    }
    expect(artifacts("runtimes")).toEqual(before);
    expect(artifacts("tenants/by-hand").size).toBe(artifacts("tenants/by-hand-too").size);
  });

  test("stays whole when that tenant is deleted, also after a restart", async () => {
    await using first = await HostUnderTest.start();
    const [leaving, staying] = [await first.tenant("leaving"), await first.tenant("staying")];
    for (const tenant of [leaving, staying]) await tenant.deploy("app", await behaviours());
    expect((await first.admin("DELETE", "/v1/tenants/leaving")).status).toBe(204);
    expect((await staying.invoke("app/version", null)).json()).toBe("one");
    await first.stop();
    await using second = await first.restart();
    const again = await second.api("POST", "/v1/invoke/app/version", { token: staying.token });
    expect(again.json()).toBe("one");
  });
});

test("whoever takes the name of a deleted tenant finds none of its components", async () => {
  const old = await host.tenant("passed-on");
  await old.deploy("app", await behaviours());
  expect(artifacts("tenants/passed-on").size).toBeGreaterThan(0);
  await host.admin("DELETE", "/v1/tenants/passed-on");
  await host.tenant("passed-on");
  expect(artifacts("tenants/passed-on").size).toBe(0);
});
