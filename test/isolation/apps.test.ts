import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { behaviours } from "../e2e/testing/components.ts";
import { at, HostUnderTest } from "../e2e/testing/host-under-test.ts";
import type { Answer, ApiRequest, TenantClient } from "../e2e/testing/host-under-test.ts";
import { ask, comparable, probe } from "./testing/probe.ts";

// The victim has an app `vault` with two revisions, and both have an app `probe`. To the attacker,
// `vault` must be what `nowhere` is: an app that nobody has.

let host: HostUnderTest;
let attacker: TenantClient;
let victim: TenantClient;

/** The victim's revisions of `vault`: the active one and the one before. */
const revisions: string[] = [];

beforeAll(async () => {
  host = await HostUnderTest.start();
  attacker = await host.tenant("be");
  victim = await host.tenant("beta");
  for (const version of ["one", "two"]) {
    const deployed = await victim.upload("vault", await behaviours(version));
    revisions.unshift(String(at(deployed.json(), "revision")));
  }
  for (const tenant of [attacker, victim]) await tenant.deploy("probe", await probe());
});

afterAll(async () => {
  await host[Symbol.asyncDispose]();
});

async function log(tenant: TenantClient): Promise<string> {
  return (await tenant.api("GET", "/v1/apps/probe/logs")).body.toString();
}

/** All that can be seen of the victim's app, but for what calls of it change. */
async function vault(): Promise<unknown> {
  const app = await victim.api("GET", "/v1/apps/vault");
  const version = await victim.invoke("vault/version", null);
  const logs = await victim.api("GET", "/v1/apps/vault/logs");
  return [app.json(), version.json(), logs.json()];
}

interface Attempt {
  readonly what: string;
  readonly method: string;
  readonly path: (app: string) => string;
  readonly request?: () => ApiRequest;
}

const ATTEMPTS: readonly Attempt[] = [
  { what: "showing it", method: "GET", path: (app) => `/v1/apps/${app}` },
  {
    what: "changing its settings",
    method: "PATCH",
    path: (app) => `/v1/apps/${app}`,
    request: () => ({ json: { deadlineMs: 1, environment: { A: "b" } } }),
  },
  { what: "deleting it", method: "DELETE", path: (app) => `/v1/apps/${app}` },
  { what: "rolling it back", method: "POST", path: (app) => `/v1/apps/${app}/rollback` },
  {
    what: "rolling it back to a revision that it has",
    method: "POST",
    path: (app) => `/v1/apps/${app}/rollback`,
    request: () => ({ json: { revision: revisions[1] ?? "" } }),
  },
  {
    what: "calling a function that it has",
    method: "POST",
    path: (app) => `/v1/invoke/${app}/version`,
  },
  {
    what: "calling a function that it has not",
    method: "POST",
    path: (app) => `/v1/invoke/${app}/nothing`,
  },
  { what: "reading its log", method: "GET", path: (app) => `/v1/apps/${app}/logs` },
  { what: "following its log", method: "GET", path: (app) => `/v1/apps/${app}/logs?follow=true` },
  {
    what: "following its log from an entry on",
    method: "GET",
    path: (app) => `/v1/apps/${app}/logs?follow=true`,
    request: () => ({ headers: { "last-event-id": "1" } }),
  },
];

describe("another tenant's app is answered as one that nobody has, and is as it was:", () => {
  test.each(ATTEMPTS)("$what", async ({ method, path, request }) => {
    const before = await vault();
    const attempt = (app: string): Promise<Answer> =>
      attacker.api(method, path(app), request?.() ?? {});
    const refused = await attempt("vault");
    expect(refused.code).toBe("APP_NOT_FOUND");
    const text = JSON.stringify(comparable(refused)).replaceAll("vault", "nowhere");
    expect(JSON.parse(text)).toEqual(comparable(await attempt("nowhere")));
    expect(await vault()).toEqual(before);
  });

  test.each([
    "/v1/apps/vault?tenant=beta",
    "/v1/apps/beta%2Fvault",
    "/v1/apps/..%2Fbeta%2Fvault",
    "/v1/apps/%2e%2e%2f%2e%2e%2fbeta%2fvault",
    "/v1/apps/vault%00",
    "/v1/tenants/beta/apps/vault",
    "/v1/invoke/beta%2Fvault/version",
    "/v1/invoke/beta/vault/version",
  ])("the path %s leads nowhere else", async (path) => {
    const method = path.includes("invoke") ? "POST" : "GET";
    const answer = await attacker.api(method, path);
    expect(answer.status).toBeGreaterThanOrEqual(400);
    expect(answer.body.toString()).not.toContain(revisions[0]);
  });

  test.each(["downpour-tenant", "x-tenant", "x-tenant-id", "x-original-url", "x-forwarded-user"])(
    "the header %s names nobody else",
    async (name) => {
      const headers = { [name]: name === "x-original-url" ? "/v1/tenants" : "beta" };
      const answer = await attacker.api("GET", "/v1/whoami", { headers });
      expect(answer.json()).toEqual({ role: "tenant", tenant: "be" });
      const app = await attacker.api("GET", "/v1/apps/vault", { headers });
      expect(app.code).toBe("APP_NOT_FOUND");
    },
  );
});

describe("two tenants' apps of one name and one component", () => {
  test("are two: each call runs for the tenant whose token came with it", async () => {
    expect(await ask(attacker, "whoami", null)).toEqual({ tenant: "be", app: "probe" });
    expect(await ask(victim, "whoami", null)).toEqual({ tenant: "beta", app: "probe" });
  });

  test("share no instance: what one leaves in its globals the other never sees", async () => {
    await ask(victim, "pollute", null);
    const seen = [];
    // More calls than there are executors, so that every thread is asked.
    for (let call = 0; call < 20; call += 1) seen.push(await ask(attacker, "polluted", null));
    expect(new Set(seen)).toEqual(new Set([null]));
    const counted = [];
    for (let call = 0; call < 20; call += 1) counted.push(await ask(victim, "calls", null));
    expect(await ask(attacker, "calls", null)).toBe(1);
    expect(Math.max(...counted.map(Number))).toBeGreaterThan(1);
  });

  test("have settings and environment of their own, and nothing of the host's", async () => {
    const set = { environment: { SECRET: "of beta" } };
    await victim.api("PATCH", "/v1/apps/probe", { json: set });
    expect(await ask(victim, "environment", null)).toEqual([["SECRET", "of beta"]]);
    expect(await ask(attacker, "environment", null)).toEqual([]);
  });

  test("have logs of their own, also for who follows", async () => {
    const abort = new AbortController();
    const response = await fetch(`${host.url}/v1/apps/probe/logs?follow=true`, {
      headers: { authorization: `Bearer ${attacker.token}` },
      signal: abort.signal,
    });
    const events = response.body?.getReader();
    await ask(victim, "log", "of beta");
    await expect.poll(() => log(victim)).toContain("of beta");
    await ask(attacker, "log", "of be itself");
    let followed = "";
    while (!followed.includes("of be itself")) {
      const chunk = await events?.read();
      if (chunk?.value === undefined) throw new Error(`the stream ended: ${followed}`);
      followed += Buffer.from(chunk.value).toString();
    }
    abort.abort();
    expect(followed).not.toContain("of beta");
    expect(await log(attacker)).not.toContain("of beta");
  });

  test("are answered in the same words, whether or not the host had their parts already", async () => {
    // No one has this component yet; the second tenant uploads what the first one did.
    const component = await behaviours("unseen");
    const seen: unknown[] = [];
    for (const name of ["earlier", "later"]) {
      const tenant = await host.tenant(name);
      const uploaded: object = Object((await tenant.upload("app", component)).json());
      const shown: object = Object((await tenant.api("GET", "/v1/apps/app")).json());
      // What is measured, and when it was: not what this is about.
      Reflect.deleteProperty(uploaded, "timings");
      for (const key of ["createdAt", "updatedAt", "revisions"]) Reflect.deleteProperty(shown, key);
      seen.push([uploaded, shown]);
    }
    expect(seen[1]).toEqual(seen[0]);
  });

  test("are deployed, rolled back and deleted each for itself", async () => {
    const [mine, theirs] = [await host.tenant("mine"), await host.tenant("mine-2")];
    await theirs.deploy("app", await behaviours("one"));
    await theirs.deploy("app", await behaviours("two"));
    const created = await mine.upload("app", await behaviours("two"));
    expect(created.json()).toMatchObject({ outcome: "created" });
    // The revision before is the other tenant's alone, though the host has it.
    const back = await mine.api("POST", "/v1/apps/app/rollback");
    expect(back.code).toBe("REVISION_NOT_FOUND");
    const toTheirs = { revision: revisions[1] ?? "" };
    const named = await mine.api("POST", "/v1/apps/app/rollback", { json: toTheirs });
    expect(named.code).toBe("REVISION_NOT_FOUND");
    expect((await mine.api("DELETE", "/v1/apps/app")).status).toBe(204);
    expect((await theirs.invoke("app/version", null)).json()).toBe("two");
    await theirs.api("POST", "/v1/apps/app/rollback");
    expect((await theirs.invoke("app/version", null)).json()).toBe("one");
  });

  test("are counted and listed each for itself", async () => {
    const mine = await host.tenant("idle");
    await mine.deploy("vault", await behaviours("two"));
    await victim.invoke("vault/version", null);
    expect((await mine.api("GET", "/v1/usage")).json()).toMatchObject({
      tenant: "idle",
      total: { invocations: 0 },
    });
    const apps = at((await mine.api("GET", "/v1/apps")).json(), "apps");
    expect(apps).toEqual([expect.objectContaining({ app: "vault" })]);
    const usage = await attacker.api("GET", "/v1/usage");
    expect(usage.body.toString()).not.toContain("vault");
  });
});

describe("what spans tenants is not a tenant's:", () => {
  test.each([
    ["GET", "/v1/tenants"],
    ["POST", "/v1/tenants"],
    ["GET", "/v1/tenants/beta"],
    ["PATCH", "/v1/tenants/beta"],
    ["DELETE", "/v1/tenants/beta"],
    ["POST", "/v1/tenants/beta/tokens"],
    ["DELETE", "/v1/tenants/beta/tokens/0123456789ab"],
    ["GET", "/metrics"],
  ])("%s %s", async (method, path) => {
    const body = ["POST", "PATCH"].includes(method) ? { json: { quotas: { appsMax: 1 } } } : {};
    const answer = await attacker.api(method, path, body);
    expect(answer.status).toBe(403);
    expect(answer.code).toBe("FORBIDDEN");
    // And the same of a tenant that nobody is.
    const nobody = await attacker.api(method, path.replace("beta", "nobody"), body);
    expect(comparable(nobody)).toEqual(comparable(answer));
    expect((await victim.api("GET", "/v1/whoami")).status).toBe(200);
  });

  test("readiness and health name no tenant and no app", async () => {
    for (const path of ["/healthz", "/readyz", "/openapi.json"]) {
      const text = (await host.api("GET", path)).body.toString();
      expect(text).not.toMatch(/\bbeta\b|\bvault\b/u);
    }
  });
});
