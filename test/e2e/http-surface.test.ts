import { once } from "node:events";
import { connect } from "node:net";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { behaviours } from "./testing/components.ts";
import { at, HostUnderTest } from "./testing/host-under-test.ts";
import type { TenantClient } from "./testing/host-under-test.ts";

let host: HostUnderTest;
let tenant: TenantClient;

beforeAll(async () => {
  host = await HostUnderTest.start();
  tenant = await host.tenant("acme");
});

afterAll(async () => {
  await host[Symbol.asyncDispose]();
});

/** Sends bytes that no HTTP client would send. */
async function raw(bytes: string): Promise<string> {
  const socket = connect(Number(new URL(host.url).port), "127.0.0.1");
  socket.write(bytes);
  return text(socket);
}

describe("who asks", () => {
  test.each([
    ["nobody", {}],
    ["a wrong token", { authorization: `Bearer dp_acme_${"A".repeat(43)}` }],
    ["another scheme", { authorization: "Basic YTpi" }],
    ["garbage", { authorization: "\u00ff\u00fe" }],
  ])("%s is unauthenticated", async (_, headers: Record<string, string>) => {
    const answer = await host.api("GET", "/v1/apps", { headers });
    expect(answer.status).toBe(401);
    expect(answer.code).toBe("UNAUTHENTICATED");
    expect(answer.headers.get("www-authenticate")).toContain("Bearer");
  });

  test("a tenant may not use the admin's routes, nor the admin a tenant's", async () => {
    expect((await tenant.api("GET", "/v1/tenants")).code).toBe("FORBIDDEN");
    expect((await host.admin("GET", "/v1/apps")).code).toBe("FORBIDDEN");
  });

  test("each can ask who it is", async () => {
    expect((await tenant.api("GET", "/v1/whoami")).json()).toEqual({
      role: "tenant",
      tenant: "acme",
    });
    expect((await host.admin("GET", "/v1/whoami")).json()).toEqual({ role: "admin" });
  });

  test("no token is in anything the host has written", async () => {
    expect(host.output).not.toContain(host.adminToken);
    expect(host.output).not.toContain(tenant.token);
  });
});

describe("a request that is wrong", () => {
  test.each([
    ["malformed JSON", "{", "JSON_MALFORMED"],
    ["JSON of another shape", "[]", "REQUEST_INVALID"],
    ["a missing key", "{}", "REQUEST_INVALID"],
    ["an empty body", "", "REQUEST_INVALID"],
    ["an unknown key", '{"tenant":"x","admin":true}', "REQUEST_INVALID"],
    ["__proto__", '{"tenant":"x","__proto__":{"admin":true}}', "REQUEST_INVALID"],
    ["constructor", '{"tenant":"x","constructor":{"prototype":{}}}', "REQUEST_INVALID"],
    ["a number for a name", '{"tenant":5}', "REQUEST_INVALID"],
    ["a name with a slash", '{"tenant":"a/b"}', "REQUEST_INVALID"],
    ["a name in capitals", '{"tenant":"ACME"}', "REQUEST_INVALID"],
    ["an unknown quota", '{"tenant":"x","quotas":{"appMax":1}}', "REQUEST_INVALID"],
    ["a quota of nothing", '{"tenant":"x","quotas":{"appsMax":0}}', "REQUEST_INVALID"],
  ])("with %s is 400 and its code", async (_, body, code) => {
    const answer = await host.api("POST", "/v1/tenants", {
      token: host.adminToken,
      headers: { "content-type": "application/json" },
      body,
    });
    expect(answer.status).toBe(400);
    expect(answer.code).toBe(code);
  });

  test("an unknown key is named", async () => {
    const answer = await host.admin("POST", "/v1/tenants", { tenant: "x", tenat: "y" });
    expect(at(answer.json(), "detail")).toContain("tenat");
  });

  test("of another media type is 415 and says what is taken", async () => {
    const answer = await host.api("POST", "/v1/tenants", {
      token: host.adminToken,
      headers: { "content-type": "text/plain" },
      body: "tenant=x",
    });
    expect(answer.status).toBe(415);
    expect(answer.code).toBe("MEDIA_TYPE_UNSUPPORTED");
    expect(at(answer.json(), "details", "accepts")).toBe("application/json");
  });

  test("above the limit is 413", async () => {
    const answer = await host.admin("POST", "/v1/tenants", { tenant: "x".repeat(2_000_000) });
    expect(answer.status).toBe(413);
    expect(answer.code).toBe("BODY_TOO_LARGE");
  });

  test("to a route that is not there is 404, with its own code", async () => {
    const answer = await tenant.api("GET", "/v2/apps");
    expect(answer.status).toBe(404);
    expect(answer.code).toBe("ROUTE_NOT_FOUND");
  });

  test("in a way that the path does not take is 405", async () => {
    const answer = await tenant.api("POST", "/v1/apps");
    expect(answer.code).toBe("METHOD_NOT_ALLOWED");
    expect(answer.headers.get("allow")).toContain("GET");
  });

  test("with a path that is not percent-encoded right is 400", async () => {
    const answer = await raw("GET /v1/state/%zz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    expect(answer).toMatch(/^HTTP\/1\.1 400/u);
    expect(answer).toContain('"code":"REQUEST_INVALID"');
  });

  test("that is not HTTP is answered as a problem, too", async () => {
    const answer = await raw("HELLO\r\n\r\n");
    expect(answer).toMatch(/^HTTP\/1\.1 400/u);
    expect(answer).toContain('"code":"REQUEST_INVALID"');
  });

  test("that is not HTTP, behind one that runs, gets nothing: it would be taken for the other's answer", async () => {
    await tenant.deploy("app", await behaviours());
    await tenant.invoke("app/version", null);
    const head = [
      "POST /v1/invoke/app/slow HTTP/1.1",
      "Host: x",
      `Authorization: Bearer ${tenant.token}`,
      "Content-Type: application/json",
      "Content-Length: 4",
    ].join("\r\n");
    expect(await raw(`${head}\r\n\r\n1000HELLO\r\n\r\n`)).toBe("");
  });

  test("with a head above 16 KiB is refused", async () => {
    const answer = await raw(`GET / HTTP/1.1\r\nHost: x\r\nA: ${"a".repeat(20_000)}\r\n\r\n`);
    expect(answer).toContain("16 KiB");
  });

  test("has an id that is in the answer", async () => {
    const first = (await host.api("GET", "/nowhere")).json();
    const second = (await host.api("GET", "/nowhere")).json();
    expect(at(first, "requestId")).toEqual(expect.any(String));
    expect(at(first, "requestId")).not.toBe(at(second, "requestId"));
  });
});

describe("connections", () => {
  test("over the limit are closed, and a client that never closes its own does not hold a place for long", async () => {
    await using small = await HostUnderTest.start({ flags: ["--connections-max=1"] });
    const place = { port: Number(new URL(small.url).port), host: "127.0.0.1" };
    const held = connect({ ...place, allowHalfOpen: true });
    held.write("HELLO\r\n\r\n");
    const [refusal] = await once(held, "data");
    expect(String(refusal)).toMatch(/^HTTP\/1\.1 400/u);
    const ask = async (): Promise<string> => {
      const socket = connect(place);
      socket.write("GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
      return text(socket).catch(() => "closed");
    };
    expect(await ask()).toMatch(/^$|^closed$/u);
    await expect.poll(ask, { interval: 100, timeout: 10_000 }).toMatch(/^HTTP\/1\.1 200/u);
    held.destroy();
  });
});

describe("for whoever runs the host", () => {
  test("health and readiness need no token", async () => {
    expect((await host.api("GET", "/healthz")).json()).toMatchObject({ status: "ok" });
    expect((await host.api("GET", "/readyz")).json()).toMatchObject({
      status: "ready",
      executors: 2,
    });
  });

  test("metrics are the admin's, in Prometheus' form", async () => {
    expect((await host.api("GET", "/metrics")).code).toBe("UNAUTHENTICATED");
    expect((await tenant.api("GET", "/metrics")).code).toBe("FORBIDDEN");
    const answer = await host.admin("GET", "/metrics");
    expect(answer.headers.get("content-type")).toContain("text/plain");
    expect(answer.body.toString()).toContain("# TYPE faas_invocations_total counter");
  });

  test("the API describes itself, every route with a summary", async () => {
    const answer = await host.api("GET", "/openapi.json");
    const api = answer.json();
    expect(at(api, "openapi")).toBe("3.1.0");
    const paths = Object(at(api, "paths"));
    expect(Object.keys(paths)).toEqual(
      expect.arrayContaining([
        "/v1/tenants",
        "/v1/tenants/{tenant}",
        "/v1/apps",
        "/v1/apps/{app}",
        "/v1/apps/{app}/rollback",
        "/v1/apps/{app}/logs",
        "/v1/invoke/{app}/{function}",
        "/v1/state",
        "/v1/state/{key}",
        "/v1/usage",
        "/v1/usage/{app}",
        "/healthz",
        "/readyz",
        "/metrics",
      ]),
    );
    for (const methods of Object.values(paths)) {
      for (const operation of Object.values(Object(methods))) {
        expect(at(operation, "summary")).toEqual(expect.any(String));
      }
    }
  });
});
