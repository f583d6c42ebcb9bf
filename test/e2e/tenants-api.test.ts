import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { behaviours } from "./testing/components.ts";
import { at, HostUnderTest, TenantClient } from "./testing/host-under-test.ts";

let host: HostUnderTest;

beforeAll(async () => {
  host = await HostUnderTest.start({ flags: ["--tenant-apps-max=7"] });
});

afterAll(async () => {
  await host[Symbol.asyncDispose]();
});

describe("a tenant", () => {
  test("is created with the host's quotas and a token that is shown once", async () => {
    const created = await host.admin("POST", "/v1/tenants", { tenant: "acme" });
    expect(created.status).toBe(201);
    const token = String(at(created.json(), "token"));
    expect(token).toMatch(/^dp_acme_[\w-]{43}$/u);
    const shown = await host.admin("GET", "/v1/tenants/acme");
    expect(shown.json()).toMatchObject({
      tenant: "acme",
      quotas: { appsMax: 7 },
      tokens: [{ tokenId: expect.stringMatching(/^[0-9a-f]{12}$/u) }],
      deleting: false,
    });
    expect(shown.body.toString()).not.toContain(token.slice(-43));
  });

  test("is there once", async () => {
    await host.tenant("twice");
    const again = await host.admin("POST", "/v1/tenants", { tenant: "twice" });
    expect(again.status).toBe(409);
    expect(again.code).toBe("TENANT_EXISTS");
  });

  test("has the quotas that the admin gives it, from the next request on", async () => {
    const tenant = await host.tenant("growing", { appsMax: 1 });
    await tenant.deploy("one", await behaviours());
    expect((await tenant.upload("two", await behaviours())).code).toBe("QUOTA_EXCEEDED");
    const changed = await host.admin("PATCH", "/v1/tenants/growing", { quotas: { appsMax: 2 } });
    expect(at(changed.json(), "quotas", "appsMax")).toBe(2);
    expect((await tenant.upload("two", await behaviours())).status).toBe(201);
  });

  test("that is not there is named so", async () => {
    for (const [method, json] of [["GET"], ["DELETE"], ["PATCH", { quotas: {} }]] as const) {
      expect((await host.admin(method, "/v1/tenants/nobody", json)).code).toBe("TENANT_NOT_FOUND");
    }
  });

  test("is in the list", async () => {
    await host.tenant("listed");
    const tenants = at((await host.admin("GET", "/v1/tenants")).json(), "tenants");
    expect(tenants).toEqual(
      expect.arrayContaining([expect.objectContaining({ tenant: "listed" })]),
    );
  });
});

describe("a token", () => {
  test("can be added, and revoked: the next request is refused", async () => {
    const tenant = await host.tenant("rotating");
    const shown = await host.admin("GET", "/v1/tenants/rotating");
    const oldId = String(at(shown.json(), "tokens", 0, "tokenId"));
    const added = await host.admin("POST", "/v1/tenants/rotating/tokens");
    expect(added.status).toBe(201);
    const renewed = new TenantClient(host, String(at(added.json(), "token")));
    expect((await renewed.api("GET", "/v1/apps")).status).toBe(200);
    expect((await tenant.api("GET", "/v1/apps")).status).toBe(200);
    const revoked = await host.admin("DELETE", `/v1/tenants/rotating/tokens/${oldId}`);
    expect(revoked.status).toBe(204);
    expect((await tenant.api("GET", "/v1/apps")).code).toBe("UNAUTHENTICATED");
    expect((await renewed.api("GET", "/v1/apps")).status).toBe(200);
    const again = await host.admin("DELETE", `/v1/tenants/rotating/tokens/${oldId}`);
    expect(again.code).toBe("TOKEN_NOT_FOUND");
  });
});

describe("a deleted tenant", () => {
  test("takes its apps, state and usage with it, and its name is free", async () => {
    const tenant = await host.tenant("leaving");
    await tenant.deploy("app", await behaviours());
    await tenant.invoke("app/visit", "home");
    await tenant.api("PUT", "/v1/state/secret", { body: "x" });
    const running = tenant.invoke("app/slow", 60_000);
    expect((await host.admin("DELETE", "/v1/tenants/leaving")).status).toBe(204);
    expect((await running).status).toBeGreaterThanOrEqual(400);
    expect((await tenant.api("GET", "/v1/apps")).code).toBe("UNAUTHENTICATED");
    const next = await host.tenant("leaving");
    expect((await next.api("GET", "/v1/apps")).json()).toEqual({ apps: [] });
    expect((await next.api("GET", "/v1/state")).json()).toEqual({ entries: [] });
    expect((await next.api("GET", "/v1/usage")).json()).toMatchObject({ apps: [] });
    expect((await tenant.api("GET", "/v1/apps")).code).toBe("UNAUTHENTICATED");
  });

  test("does not touch a tenant whose name begins with its own", async () => {
    await host.tenant("pre");
    const longer = await host.tenant("pre-fix");
    await longer.api("PUT", "/v1/state/k", { body: "x" });
    await host.admin("DELETE", "/v1/tenants/pre");
    expect((await longer.api("GET", "/v1/state/k")).body.toString()).toBe("x");
  });
});
