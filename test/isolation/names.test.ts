import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { behaviours } from "../e2e/testing/components.ts";
import { at, HostUnderTest } from "../e2e/testing/host-under-test.ts";
import type { TenantClient } from "../e2e/testing/host-under-test.ts";
import { ask, probe } from "./testing/probe.ts";

// Names that every JavaScript object has: a host that looks things up in plain objects finds
// something under each of them.

let host: HostUnderTest;
let tenant: TenantClient;

beforeAll(async () => {
  host = await HostUnderTest.start();
  tenant = await host.tenant("acme");
  await tenant.deploy("app", await behaviours());
  await tenant.deploy("probe", await probe());
});

afterAll(async () => {
  await host[Symbol.asyncDispose]();
});

/** Those that are names of tenants and apps, too. */
const PLAIN = ["constructor", "prototype", "valueof"];
const NEVER = ["__proto__", "__defineGetter__", "toString", "hasOwnProperty"];

describe("a tenant", () => {
  test.each(PLAIN)("may be called %s, and is not there before it is made", async (name) => {
    expect((await host.admin("GET", `/v1/tenants/${name}`)).code).toBe("TENANT_NOT_FOUND");
    const forged = await host.api("GET", "/v1/apps", { token: `dp_${name}_${"A".repeat(43)}` });
    expect(forged.code).toBe("UNAUTHENTICATED");
    const created = await host.tenant(name);
    expect((await created.api("GET", "/v1/whoami")).json()).toEqual({
      role: "tenant",
      tenant: name,
    });
    expect((await created.api("GET", "/v1/apps")).json()).toEqual({ apps: [] });
    expect((await created.api("GET", "/v1/state")).json()).toEqual({ entries: [] });
    expect(at((await created.api("GET", "/v1/usage")).json(), "total", "invocations")).toBe(0);
    await created.api("PUT", "/v1/state/k", { body: "v" });
    expect((await host.admin("DELETE", `/v1/tenants/${name}`)).status).toBe(204);
    expect((await host.admin("GET", `/v1/tenants/${name}`)).code).toBe("TENANT_NOT_FOUND");
  });

  test.each(NEVER)("is never called %s", async (name) => {
    const created = await host.admin("POST", "/v1/tenants", { tenant: name });
    expect(created.code).toBe("REQUEST_INVALID");
    for (const method of ["GET", "DELETE"]) {
      const answer = await host.admin(method, `/v1/tenants/${name}`);
      expect([400, 404]).toContain(answer.status);
    }
    expect((await tenant.api("GET", "/v1/apps")).status).toBe(200);
  });
});

describe("an app", () => {
  test.each(PLAIN)("may be called %s, and is not there before it is deployed", async (name) => {
    const nothing = [
      await tenant.api("GET", `/v1/apps/${name}`),
      await tenant.api("DELETE", `/v1/apps/${name}`),
      await tenant.api("POST", `/v1/apps/${name}/rollback`),
      await tenant.api("GET", `/v1/apps/${name}/logs`),
      await tenant.invoke(`${name}/greet`, "x"),
    ];
    expect(new Set(nothing.map(({ code }) => code))).toEqual(new Set(["APP_NOT_FOUND"]));
    await tenant.deploy(name, await behaviours());
    expect((await tenant.invoke(`${name}/greet`, name)).json()).toBe(`Hello, ${name}!`);
    const usage = at((await tenant.api("GET", "/v1/usage")).json(), "apps");
    expect(usage).toContainEqual(expect.objectContaining({ app: name, invocations: 1 }));
    expect((await tenant.api("DELETE", `/v1/apps/${name}`)).status).toBe(204);
    expect((await tenant.invoke(`${name}/greet`, "x")).code).toBe("APP_NOT_FOUND");
  });

  test.each(NEVER)("is never called %s", async (name) => {
    expect((await tenant.upload(name, await behaviours())).code).toBe("REQUEST_INVALID");
    expect([400, 404]).toContain((await tenant.api("GET", `/v1/apps/${name}`)).status);
    const called = await tenant.invoke(`${name}/greet`, "x");
    expect([400, 404]).toContain(called.status);
  });
});

describe("a function", () => {
  test.each([...PLAIN, ...NEVER, "greet%00", "greet%2F", "%2e%2e", "Greet", "handle", "describe"])(
    "that the manifest does not have is not there, though it is called %s",
    async (name) => {
      const answer = await tenant.invoke(`app/${name}`, null);
      expect(answer.status).toBe(404);
      expect(["FUNCTION_NOT_FOUND", "ROUTE_NOT_FOUND"]).toContain(answer.code);
    },
  );

  test("may be called constructor where the manifest has it", async () => {
    expect(await ask(tenant, "constructor", null)).toBe("the function named constructor");
  });
});

describe("a key of JSON", () => {
  const polluted =
    '{"__proto__":{"polluted":"yes"},"constructor":{"prototype":{"polluted":"yes"}}}';

  test("is passed to a function as it is, and changes no object but its own", async () => {
    const request = { headers: { "content-type": "application/json" }, body: polluted };
    await tenant.api("POST", "/v1/invoke/app/echo", request);
    expect(await ask(tenant, "polluted", null)).toBeNull();
    const answer = await tenant.invoke("app/whoami", null);
    expect(answer.body.toString()).not.toContain("polluted");
    expect((await host.api("GET", "/healthz")).body.toString()).not.toContain("polluted");
  });

  test.each([
    ["settings", "PATCH", "/v1/apps/app"],
    ["a rollback", "POST", "/v1/apps/app/rollback"],
  ])("that is one of every object is an unknown one in %s", async (_, method, path) => {
    for (const body of [polluted, '{"__proto__":{"deadlineMs":5}}', '{"constructor":1}']) {
      const request = { headers: { "content-type": "application/json" }, body };
      const answer = await tenant.api(method, path, request);
      expect([body, answer.code]).toEqual([body, "REQUEST_INVALID"]);
    }
  });

  test("is never __proto__ in an environment", async () => {
    const answer = await tenant.api("PATCH", "/v1/apps/probe", {
      headers: { "content-type": "application/json" },
      body: '{"environment":{"__proto__":"x"}}',
    });
    expect(answer.code).toBe("REQUEST_INVALID");
    await tenant.api("PATCH", "/v1/apps/probe", { json: { environment: { constructor: "c" } } });
    expect(await ask(tenant, "environment", null)).toEqual([["constructor", "c"]]);
  });

  test("names quotas that there are, and no other", async () => {
    for (const quotas of ['{"__proto__":{"appsMax":999}}', '{"constructor":1}']) {
      const answer = await host.api("PATCH", "/v1/tenants/acme", {
        token: host.adminToken,
        headers: { "content-type": "application/json" },
        body: `{"quotas":${quotas}}`,
      });
      expect([quotas, answer.code]).toEqual([quotas, "REQUEST_INVALID"]);
    }
  });
});

test.each(["__proto__", "constructor", "toString"])(
  "the metadata %s of a call is one of its own, and of no other call",
  async (name) => {
    const headers = { [`downpour-meta-${name}`]: "x" };
    const seen = (await tenant.invoke("app/whoami", null, { headers })).json();
    expect(at(seen, "metadata", `downpour-meta-${name.toLowerCase()}`)).toBe("x");
    const next = await tenant.invoke("app/whoami", null);
    expect(next.body.toString()).not.toContain("downpour-meta");
  },
);

test.each(["__proto__", "constructor"])(
  "the parameter %s of a query is refused, or means nothing",
  async (name) => {
    const answer = await tenant.api("GET", `/v1/state?${name}=x&${name}[limit]=5`);
    expect(answer.code).toBe("REQUEST_INVALID");
    expect((await tenant.api("GET", "/v1/state")).status).toBe(200);
  },
);
