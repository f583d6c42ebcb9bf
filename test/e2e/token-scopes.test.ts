import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { behaviours } from "./testing/components.ts";
import { at, HostUnderTest, TenantClient } from "./testing/host-under-test.ts";

let host: HostUnderTest;
let owner: TenantClient;

beforeAll(async () => {
  host = await HostUnderTest.start();
  owner = await host.tenant("acme");
  await owner.deploy("app", await behaviours());
  await host.tenant("beta");
});

afterAll(async () => {
  await host[Symbol.asyncDispose]();
});

async function scoped(...scopes: readonly string[]): Promise<TenantClient> {
  const added = await host.admin("POST", "/v1/tenants/acme/tokens", { scopes });
  expect(added.json()).toMatchObject({ scopes });
  return new TenantClient(host, String(at(added.json(), "token")));
}

describe("a token is good for its scopes and nothing else:", () => {
  const asked = {
    invoke: (client: TenantClient) => client.invoke("app/version", null),
    deploy: (client: TenantClient) => client.api("GET", "/v1/apps/app"),
    state: (client: TenantClient) => client.api("GET", "/v1/state"),
    admin: (client: TenantClient) => client.api("GET", "/v1/tenants/acme/tokens"),
  };

  test.each(["invoke", "deploy", "state", "admin"])("%s", async (scope) => {
    const client = await scoped(scope);
    const codes = await Promise.all(
      Object.entries(asked).map(async ([name, ask]) => [name, (await ask(client)).code]),
    );
    expect(codes).toEqual(
      Object.keys(asked).map((name) => [name, name === scope ? undefined : "FORBIDDEN"]),
    );
    expect((await client.api("GET", "/v1/usage")).status).toBe(200);
    expect((await client.api("GET", "/v1/whoami")).status).toBe(200);
  });

  test("an upload is refused before its body, a rollback and a deletion too", async () => {
    const client = await scoped("invoke", "state");
    expect((await client.upload("app", await behaviours())).code).toBe("FORBIDDEN");
    expect((await client.api("DELETE", "/v1/apps/app")).code).toBe("FORBIDDEN");
    expect((await client.api("GET", "/v1/apps/app/logs")).code).toBe("FORBIDDEN");
    expect((await owner.invoke("app/version", null)).json()).toBe("one");
  });

  test.each([[["root"]], [[]], [["invoke", "invoke"]], ["invoke"]])(
    "there is no scope %j",
    async (scopes) => {
      const answer = await host.admin("POST", "/v1/tenants/acme/tokens", { scopes });
      expect(answer.code).toBe("REQUEST_INVALID");
    },
  );
});

describe("a tenant manages its own tokens with the scope admin", () => {
  test("lists, adds, rotates and revokes them", async () => {
    const path = "/v1/tenants/acme/tokens";
    const added = await owner.api("POST", path, { json: { scopes: ["invoke"] } });
    const oldId = String(at(added.json(), "tokenId"));
    const old = new TenantClient(host, String(at(added.json(), "token")));
    const rotated = await owner.api("POST", `${path}/${oldId}/rotate`);
    expect(rotated.status).toBe(201);
    expect(at(rotated.json(), "scopes")).toEqual(["invoke"]);
    const renewed = new TenantClient(host, String(at(rotated.json(), "token")));
    expect((await old.invoke("app/version", null)).code).toBe("UNAUTHENTICATED");
    expect((await renewed.invoke("app/version", null)).status).toBe(200);
    expect((await renewed.api("GET", "/v1/apps")).code).toBe("FORBIDDEN");
    const listed = await owner.api("GET", path);
    const newId = at(rotated.json(), "tokenId");
    expect(at(listed.json(), "tokens")).toContainEqual(
      expect.objectContaining({ tokenId: newId, scopes: ["invoke"] }),
    );
    expect(listed.body.toString()).not.toContain(oldId);
    expect((await owner.api("DELETE", `${path}/${String(newId)}`)).status).toBe(204);
    expect((await renewed.invoke("app/version", null)).code).toBe("UNAUTHENTICATED");
    expect((await owner.api("POST", `${path}/${oldId}/rotate`)).code).toBe("TOKEN_NOT_FOUND");
  });

  test("and nobody else's, there or not", async () => {
    for (const tenant of ["beta", "nobody"]) {
      const path = `/v1/tenants/${tenant}`;
      for (const [method, end] of [
        ["GET", "/tokens"],
        ["POST", "/tokens"],
        ["POST", "/tokens/0123456789ab/rotate"],
        ["GET", "/export"],
      ] as const) {
        expect((await owner.api(method, path + end)).code).toBe("FORBIDDEN");
      }
    }
  });
});

test("a suspended tenant is refused everything, keeps everything, and goes on where it was", async () => {
  const tenant = await host.tenant("late");
  await tenant.deploy("app", await behaviours());
  await tenant.api("PUT", "/v1/state/k", { body: "x" });
  const stream = tenant.api("GET", "/v1/apps/app/logs?follow=true");
  const suspended = await host.admin("PATCH", "/v1/tenants/late", { suspended: true });
  expect(suspended.json()).toMatchObject({ suspended: true });
  expect((await stream).body.toString()).toContain("token-revoked");
  expect((await tenant.invoke("app/version", null)).code).toBe("TENANT_SUSPENDED");
  expect((await tenant.upload("app", await behaviours())).code).toBe("TENANT_SUSPENDED");
  expect((await tenant.api("GET", "/v1/state/k")).code).toBe("TENANT_SUSPENDED");
  expect((await tenant.api("GET", "/v1/tenants/late/tokens")).code).toBe("TENANT_SUSPENDED");
  await host.admin("PATCH", "/v1/tenants/late", { suspended: false });
  expect((await tenant.invoke("app/version", null)).json()).toBe("one");
  expect((await tenant.api("GET", "/v1/state/k")).body.toString()).toBe("x");
});

test("an export holds what is the tenant's, and no token", async () => {
  await owner.api("PUT", "/v1/state/note", { body: "ä" });
  await owner.invoke("app/visit", "home");
  const exported = await host.admin("GET", "/v1/tenants/acme/export");
  expect(exported.headers.get("content-type")).toBe("application/x-ndjson");
  const lines = exported.body.toString().trimEnd().split("\n");
  const records = lines.map((line): unknown => JSON.parse(line));
  expect(records).toEqual(
    expect.arrayContaining([
      expect.objectContaining({ kind: "tenant", tenant: "acme" }),
      expect.objectContaining({ kind: "app", app: "app" }),
      expect.objectContaining({
        kind: "usage",
        app: "app",
        functions: expect.arrayContaining([expect.objectContaining({ function: "visit" })]),
      }),
      { kind: "counter", key: "home", value: 1 },
      { kind: "register", key: "note", base64: Buffer.from("ä").toString("base64") },
    ]),
  );
  expect(exported.body.toString()).not.toMatch(/dp_acme|sha256|tokenId/u);
});

test("requests that are no invocations have a rate of their own", async () => {
  const tenant = await host.tenant("chatty");
  await host.admin("PATCH", "/v1/tenants/chatty", { quotas: { apiRequestsPerSecondMax: 5 } });
  const answers = await Promise.all(
    Array.from({ length: 20 }, () => tenant.api("GET", "/v1/state")),
  );
  const refused = answers.find(({ status }) => status === 429);
  expect(refused?.code).toBe("RATE_LIMITED");
  expect(refused?.headers.get("retry-after")).toBe("1");
  expect((await owner.api("GET", "/v1/state")).status).toBe(200);
});
