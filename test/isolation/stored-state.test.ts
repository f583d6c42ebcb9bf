import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { at, HostUnderTest } from "../e2e/testing/host-under-test.ts";
import type { Answer, TenantClient } from "../e2e/testing/host-under-test.ts";
import { ask, probe } from "./testing/probe.ts";

// How much a tenant may store: so many keys, and so many bytes in them. Nobody else notices.

let host: HostUnderTest;
let tenants = 0;

beforeAll(async () => {
  host = await HostUnderTest.start({
    flags: ["--tenant-state-keys-ceiling=1000", "--tenant-state-keys-max=1000"],
  });
});

afterAll(async () => {
  await host[Symbol.asyncDispose]();
});

/** With a name of eight letters: each of its keys has 11 bytes beside its own. */
async function newTenant(quotas: Readonly<Record<string, number>>): Promise<TenantClient> {
  tenants += 1;
  return host.tenant(`storer-${tenants}`, quotas);
}

function put(tenant: TenantClient, key: string, value: string): Promise<Answer> {
  return tenant.api("PUT", `/v1/state/${key}`, { body: value });
}

async function storedBy(tenant: TenantClient): Promise<unknown> {
  return at((await tenant.api("GET", "/v1/usage")).json(), "stored");
}

test("keys beyond the quota are refused over HTTP by name, and what is there can be changed and deleted", async () => {
  const tenant = await newTenant({ stateKeysMax: 2 });
  expect((await put(tenant, "a", "1")).status).toBe(204);
  expect((await put(tenant, "b", "1")).status).toBe(204);
  const refused = await put(tenant, "c", "1");
  expect(refused.status).toBe(403);
  expect(refused.json()).toMatchObject({
    code: "QUOTA_EXCEEDED",
    retryable: false,
    detail: "at most 2 keys may be stored",
    details: { stateKeysMax: 2 },
  });
  const added = await tenant.api("PUT", "/v1/state/c?kind=counter", { body: '{"add":1}' });
  expect(added.code).toBe("QUOTA_EXCEEDED");
  expect((await put(tenant, "a", "22")).status).toBe(204);
  expect((await tenant.api("DELETE", "/v1/state/a")).status).toBe(204);
  expect((await put(tenant, "c", "1")).status).toBe(204);
  expect(await storedBy(tenant)).toEqual({
    apps: 0,
    revisions: 0,
    stateKeys: 2,
    stateBytes: 2 * 12 + 2,
  });
});

test("bytes beyond the quota are refused, as the difference that a write makes", async () => {
  const tenant = await newTenant({ stateBytesMax: 100 });
  expect((await put(tenant, "a", "x".repeat(80))).status).toBe(204);
  const refused = await put(tenant, "a", "x".repeat(89));
  expect(refused.json()).toMatchObject({
    code: "QUOTA_EXCEEDED",
    details: { stateBytesMax: 100 },
  });
  expect((await put(tenant, "a", "x".repeat(88))).status).toBe(204);
  expect(await storedBy(tenant)).toEqual({ apps: 0, revisions: 0, stateKeys: 1, stateBytes: 100 });
});

describe("a function that stores too much", () => {
  test("gets a refusal of its own, in an add at once, and in a put as soon as it is known", async () => {
    const tenant = await newTenant({ stateKeysMax: 1 });
    await tenant.deploy("probe", await probe());
    expect(await ask(tenant, "add", { key: "counter" })).toBe(1);
    const refused = { refused: "quota-exceeded" };
    expect(await ask(tenant, "add", { key: "second" })).toEqual(refused);
    expect(await ask(tenant, "add", { key: "counter" })).toBe(2);
    // It is known for a while: a machine that is busy may take longer between the two.
    await expect
      .poll(() => ask(tenant, "addAndPut", { key: "later", value: "x" }).catch(String))
      .toEqual(["quota-exceeded", "quota-exceeded"]);
    expect(await ask(tenant, "get", { key: "later" })).toBeNull();
  });

  test("that was answered before it was known fails as a whole", async () => {
    const tenant = await newTenant({ stateKeysMax: 1 });
    await tenant.deploy("probe", await probe());
    await put(tenant, "first", "x");
    const answer = await tenant.invoke("probe/put", { key: "second", value: "x" });
    expect(answer.json()).toMatchObject({
      code: "QUOTA_EXCEEDED",
      details: { stateKeysMax: 1 },
    });
    expect((await tenant.api("GET", "/v1/state/second")).status).toBe(404);
  });
});

test("quotas are changed live, up to the host's ceiling, and a neighbour has its own", async () => {
  const [tenant, neighbour] = [
    await newTenant({ stateKeysMax: 1 }),
    await newTenant({ stateKeysMax: 1 }),
  ];
  await put(tenant, "a", "1");
  expect((await put(neighbour, "a", "1")).status).toBe(204);
  expect((await put(tenant, "b", "1")).status).toBe(403);
  const path = `/v1/tenants/storer-${tenants - 1}`;
  expect((await host.admin("PATCH", path, { quotas: { stateKeysMax: 2 } })).status).toBe(200);
  expect((await put(tenant, "b", "1")).status).toBe(204);
  expect((await put(neighbour, "b", "1")).status).toBe(403);
  const tooHigh = await host.admin("PATCH", path, { quotas: { stateKeysMax: 1_001 } });
  expect(at(tooHigh.json(), "detail")).toBe("stateKeysMax may be at most 1000 on this host");
  const metrics = (await host.admin("GET", "/metrics")).body.toString();
  expect(metrics).toContain(`downpour_tenant_state_keys{tenant="storer-${tenants - 1}"} 2`);
  expect(metrics).toContain(`downpour_tenant_state_bytes{tenant="storer-${tenants}"} 13`);
});

test("a flood of keys ends at the quota, at every level, and costs nobody else a key", async () => {
  const [tenant, neighbour] = [await newTenant({ stateKeysMax: 50 }), await newTenant({})];
  await tenant.deploy("probe", await probe());
  for (const level of ["memory", "async", "durable"]) {
    const answer = await tenant.invoke("probe/flood", { level, count: 500 });
    expect([200, 403]).toContain(answer.status);
  }
  // Those of level memory were answered before they were stored.
  await expect.poll(() => storedBy(tenant)).toMatchObject({ stateKeys: 50 });
  expect((await put(neighbour, "mine", "1")).status).toBe(204);
});

test("what is stored is counted the same after a kill, and is nothing for the next owner of a name", async () => {
  await using first = await HostUnderTest.start();
  const tenant = await first.tenant("acme", { stateKeysMax: 3 });
  for (const key of ["a", "b", "c"]) await put(tenant, key, "value");
  const before = await storedBy(tenant);
  expect(before).toEqual({ apps: 0, revisions: 0, stateKeys: 3, stateBytes: 3 * 13 });
  await first.kill();

  await using second = await first.restart();
  const again = tenant.on(second);
  expect(await storedBy(again)).toEqual(before);
  expect((await put(again, "d", "value")).code).toBe("QUOTA_EXCEEDED");
  await second.admin("DELETE", "/v1/tenants/acme");
  const next = await second.tenant("acme", { stateKeysMax: 1 });
  expect(await storedBy(next)).toEqual({ apps: 0, revisions: 0, stateKeys: 0, stateBytes: 0 });
  expect((await put(next, "a", "value")).status).toBe(204);
});
