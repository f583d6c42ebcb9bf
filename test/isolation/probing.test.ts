import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { behaviours } from "../e2e/testing/components.ts";
import { at, HostUnderTest } from "../e2e/testing/host-under-test.ts";
import type { Answer, ApiRequest, TenantClient } from "../e2e/testing/host-under-test.ts";

// Every route of the host, asked by a tenant for what a victim has and for what nobody has: both answers must be
// one. A route that is new must be in the table, and what its path names among the names.

/** What a path may name. */
type Names = Readonly<Record<string, string>>;

const NOBODYS: Names = {
  tenant: "nobody",
  app: "nowhere",
  function: "greet",
  key: "no-such-key",
  tokenId: "000000000000",
};

interface Route {
  readonly on: string;
  readonly query?: string;
  readonly request?: (names: Names) => ApiRequest | Promise<ApiRequest>;
}

const ROUTES: readonly Route[] = [
  { on: "POST /v1/invoke/{app}/{function}", request: () => ({ json: "you" }) },
  { on: "GET /v1/state" },
  { on: "GET /v1/state", query: "?prefix=sec" },
  { on: "GET /v1/state", query: "?after=secre" },
  { on: "GET /v1/state/{key}" },
  { on: "PUT /v1/state/{key}", request: () => ({ body: "of the attacker" }) },
  { on: "DELETE /v1/state/{key}" },
  {
    on: "PUT /v1/state/{key}",
    query: "?kind=counter",
    request: () => ({ json: { add: 1 } }),
  },
  { on: "DELETE /v1/state/{key}" },
  { on: "GET /v1/apps" },
  { on: "GET /v1/apps/{app}" },
  { on: "PATCH /v1/apps/{app}", request: () => ({ json: { deadlineMs: 1 } }) },
  { on: "DELETE /v1/apps/{app}" },
  { on: "POST /v1/apps/{app}/rollback", request: () => ({ json: {} }) },
  { on: "GET /v1/apps/{app}/logs" },
  { on: "GET /v1/apps/{app}/logs", query: "?follow=true" },
  {
    on: "PUT /v1/apps/{app}",
    request: async () => ({
      headers: { "content-type": "application/wasm" },
      body: await behaviours(),
    }),
  },
  { on: "DELETE /v1/apps/{app}" },
  { on: "GET /v1/usage" },
  { on: "GET /v1/usage/{app}" },
  // A name that is taken is told from a free one by nobody but the admin.
  { on: "POST /v1/tenants", request: ({ tenant }) => ({ json: { tenant } }) },
  { on: "GET /v1/tenants" },
  { on: "GET /v1/tenants/{tenant}" },
  { on: "PATCH /v1/tenants/{tenant}", request: () => ({ json: { suspended: true } }) },
  { on: "DELETE /v1/tenants/{tenant}" },
  { on: "GET /v1/tenants/{tenant}/tokens" },
  { on: "POST /v1/tenants/{tenant}/tokens", request: () => ({ json: {} }) },
  { on: "POST /v1/tenants/{tenant}/tokens/{tokenId}/rotate" },
  { on: "DELETE /v1/tenants/{tenant}/tokens/{tokenId}" },
  { on: "GET /v1/tenants/{tenant}/export" },
  { on: "GET /v1/whoami" },
  { on: "GET /healthz" },
  { on: "GET /readyz" },
  { on: "GET /metrics" },
];

let host: HostUnderTest;
let attacker: TenantClient;
let victim: TenantClient;
let victims: Names;

beforeAll(async () => {
  host = await HostUnderTest.start();
  // Its tokens have every scope: what is refused is refused for whose it is.
  attacker = await host.tenant("be");
  victim = await host.tenant("beta");
  await victim.deploy("vault", await behaviours());
  await victim.api("PUT", "/v1/state/secret", { body: "of the victim" });
  const tokens = (await host.admin("GET", "/v1/tenants/beta/tokens")).json();
  const tokenId = String(at(tokens, "tokens", 0, "tokenId"));
  victims = { tenant: "beta", app: "vault", function: "greet", key: "secret", tokenId };
});

afterAll(async () => {
  await host[Symbol.asyncDispose]();
});

async function ask({ on, query = "", request }: Route, names: Names): Promise<Answer> {
  const [method = "", path = ""] = on.split(" ");
  const named = path.replaceAll(/\{(\w+)\}/gu, (_, name: string) => {
    const value = names[name];
    if (value === undefined) throw new Error(`say what a victim's ${name} is`);
    return value;
  });
  return attacker.api(method, named + query, (await request?.(names)) ?? {});
}

const VOLATILE =
  /"(requestId|createdAt|updatedAt|deployedAt|uptimeMs|timings)":("[^"]*"|\d+|\{[^}]*\})/gu;

/** An answer with the names that were asked for, and without what differs between any two. */
function comparable({ status, headers, body }: Answer, names: Names): unknown {
  let text = body.toString().replaceAll(VOLATILE, '"$1":0');
  for (const [name, value] of Object.entries(names)) text = text.replaceAll(value, `{${name}}`);
  const kept = [...headers].filter(([name]) => !["date", "content-length"].includes(name));
  return { status, headers: kept, text };
}

/** What there is of the victim, but for what its own calls change. */
async function stateOfVictim(): Promise<unknown> {
  const [app, value, tokens, greeting] = [
    await victim.api("GET", "/v1/apps/vault"),
    await victim.api("GET", "/v1/state/secret"),
    await host.admin("GET", "/v1/tenants/beta"),
    await victim.invoke("vault/greet", "you"),
  ];
  return [app, value, tokens, greeting].map(({ status, body }) => [status, body.toString()]);
}

test("every route of the host is asked here", async () => {
  const paths = Object.entries(
    Object(at((await host.api("GET", "/openapi.json")).json(), "paths")),
  );
  const routes = paths.flatMap(([path, operations]) =>
    Object.keys(Object(operations)).map((method) => `${method.toUpperCase()} ${path}`),
  );
  expect(routes.toSorted()).toEqual([...new Set(ROUTES.map(({ on }) => on))].toSorted());
});

describe("what another tenant has is answered as what nobody has, and stays as it is:", () => {
  test.each(ROUTES.map((route) => [`${route.on}${route.query ?? ""}`, route] as const))(
    "%s",
    async (_, route) => {
      const before = await stateOfVictim();
      const theirs = comparable(await ask(route, victims), victims);
      expect(theirs).toEqual(comparable(await ask(route, NOBODYS), NOBODYS));
      expect(await stateOfVictim()).toEqual(before);
    },
  );
});

describe("what is told without a name tells nothing of others:", () => {
  test.each(ROUTES.filter(({ on }) => !on.includes("{")).map(({ on }) => [on]))(
    "%s",
    async (on) => {
      const text = (await ask({ on }, victims)).body.toString();
      expect(text).not.toMatch(/beta|vault|secret/u);
    },
  );

  test("a host says to its admin alone what is under way", async () => {
    const ready = { status: "ready", executors: 2 };
    const told = (await host.admin("GET", "/readyz")).json();
    expect(told).toEqual({ ...ready, queued: 0, inFlight: 0 });
    expect((await host.api("GET", "/readyz")).json()).toEqual(ready);
    expect((await attacker.api("GET", "/readyz")).json()).toEqual(ready);
  });

  test("no number in an answer counts what others do", async () => {
    const refused = [1, 2].map(() => attacker.api("GET", "/v1/apps/nowhere"));
    const [one, other] = (await Promise.all(refused)).map((answer) =>
      at(answer.json(), "requestId"),
    );
    // Random: a version 4 UUID.
    for (const id of [one, other]) expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-/u);
    expect(one).not.toBe(other);
  });
});
