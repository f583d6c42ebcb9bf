import { readdirSync, statSync } from "node:fs";
import { request } from "node:http";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { behaviours } from "./testing/components.ts";
import { at, HostUnderTest } from "./testing/host-under-test.ts";
import type { Answer, TenantClient } from "./testing/host-under-test.ts";

let host: HostUnderTest;

beforeAll(async () => {
  host = await HostUnderTest.start();
});

afterAll(async () => {
  await host[Symbol.asyncDispose]();
});

async function versionOf(tenant: TenantClient): Promise<unknown> {
  return (await tenant.invoke("app/version", null)).json();
}

async function inFlight(): Promise<unknown> {
  return at((await host.admin("GET", "/readyz")).json(), "inFlight");
}

function revisionOf(answer: Answer): unknown {
  return at(answer.json(), "revision");
}

/** A body that waits in the middle until it is let go on. */
function halfSent(component: Uint8Array<ArrayBuffer>): {
  readonly body: ReadableStream;
  readonly finish: () => void;
} {
  const { promise, resolve } = Promise.withResolvers<void>();
  const half = Math.floor(component.byteLength / 2);
  async function* parts(): AsyncGenerator<Uint8Array> {
    yield component.subarray(0, half);
    await promise;
    yield component.subarray(half);
  }
  return { body: ReadableStream.from(parts()), finish: resolve };
}

/** All that is kept under a hash: components, plans and core modules. */
function artifactBytes(): number {
  const directory = join(host.dataDirectory, "artifacts");
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .reduce((sum, { parentPath, name }) => sum + statSync(join(parentPath, name)).size, 0);
}

function stagedFiles(): readonly string[] {
  return readdirSync(join(host.dataDirectory, "artifacts", "staging"));
}

describe("an upload", () => {
  test("answers what it found, and is callable at once", async () => {
    const tenant = await host.tenant("first");
    const answer = await tenant.upload("app", await behaviours());
    expect(answer.status).toBe(201);
    expect(answer.json()).toMatchObject({
      app: "app",
      outcome: "created",
      revision: expect.stringMatching(/^[0-9a-f]{64}$/u),
      functions: expect.arrayContaining([
        { name: "version", description: "Which build this is" },
        { name: "greet" },
      ]),
      imports: expect.arrayContaining(["downpour:faas/state@0.1.0"]),
      sizes: { componentBytes: (await behaviours()).byteLength },
    });
    expect(await versionOf(tenant)).toBe("one");
  });

  test("of the same bytes changes nothing", async () => {
    const tenant = await host.tenant("same");
    await tenant.deploy("app", await behaviours());
    const again = await tenant.upload("app", await behaviours());
    expect(again.status).toBe(200);
    expect(again.json()).toMatchObject({ outcome: "unchanged" });
    const app = await tenant.api("GET", "/v1/apps/app");
    expect(at(app.json(), "revisions", 1)).toBeUndefined();
  });

  test("shares the runtime with other apps on disk", async () => {
    const tenant = await host.tenant("sharing");
    await tenant.deploy("app", await behaviours());
    const before = artifactBytes();
    const sizes = at((await tenant.upload("app", await behaviours("shared"))).json(), "sizes");
    // A component that the host has not seen yet, and its modules but for the runtime.
    const added = artifactBytes() - before - Number(at(sizes, "componentBytes"));
    expect(added / Number(at(sizes, "coreModuleBytes"))).toBeLessThan(0.5);
  });

  test("that the client abandons leaves nothing", async () => {
    const tenant = await host.tenant("abandoning");
    const upload = request(`${host.url}/v1/apps/app`, {
      method: "PUT",
      headers: { authorization: `Bearer ${tenant.token}`, "content-type": "application/wasm" },
    });
    upload.on("error", () => undefined);
    upload.write(Buffer.alloc(200_000));
    await expect.poll(() => stagedFiles().length).toBe(1);
    upload.destroy();
    await expect.poll(() => stagedFiles().length).toBe(0);
    expect((await tenant.api("GET", "/v1/apps/app")).code).toBe("APP_NOT_FOUND");
    // A client that leaves is nothing for an operator to look at.
    expect(host.output).not.toContain("request failed");
  });

  test("past the number of apps is refused before its body", async () => {
    const tenant = await host.tenant("few", { appsMax: 1 });
    await tenant.deploy("app", await behaviours());
    const answer = await tenant.upload("other", await behaviours());
    expect(answer.status).toBe(403);
    expect(answer.code).toBe("QUOTA_EXCEEDED");
    expect((await tenant.upload("app", await behaviours("two"))).status).toBe(200);
  });
});

describe("of two uploads of one app at once", () => {
  test("the one that was begun last holds, and the overtaken one is told", async () => {
    const tenant = await host.tenant("racing");
    const slow = halfSent(await behaviours("slow"));
    const earlier = tenant.upload("app", slow.body);
    await expect.poll(() => stagedFiles().length).toBe(1);
    await tenant.deploy("app", await behaviours("fast"));
    slow.finish();
    const overtaken = await earlier;
    expect(overtaken.status).toBe(409);
    expect(overtaken.code).toBe("UPLOAD_SUPERSEDED");
    expect(await versionOf(tenant)).toBe("fast");
  });

  test("the earlier one holds when the later one is bad", async () => {
    const tenant = await host.tenant("racing-bad");
    const slow = halfSent(await behaviours("slow"));
    const earlier = tenant.upload("app", slow.body);
    await expect.poll(() => stagedFiles().length).toBe(1);
    expect((await tenant.upload("app", new Uint8Array(10))).status).toBe(422);
    slow.finish();
    expect((await earlier).status).toBe(201);
    expect(await versionOf(tenant)).toBe("slow");
  });

  test("many together end with one that was uploaded, and a whole app", async () => {
    const tenant = await host.tenant("crowd");
    const names = ["one", "two", "slow", "fast"];
    const components = await Promise.all(names.map((name) => behaviours(name)));
    const answers = await Promise.all(components.map((bytes) => tenant.upload("app", bytes)));
    const codes = new Set(answers.filter(({ status }) => status >= 400).map(({ code }) => code));
    expect([...codes].filter((code) => code !== "UPLOAD_SUPERSEDED")).toEqual([]);
    expect(names).toContain(await versionOf(tenant));
  });
});

describe("a deployed app", () => {
  test("serves without a gap while a new revision is activated", async () => {
    const tenant = await host.tenant("gapless");
    await tenant.deploy("app", await behaviours("one"));
    const seen = new Set<unknown>();
    const done = new AbortController();
    const calls = Array.from({ length: 4 }, async () => {
      while (!done.signal.aborted) {
        const answer = await tenant.invoke("app/version", null);
        seen.add(answer.status === 200 ? answer.json() : answer.code);
      }
    });
    for (const version of ["two", "one", "two"]) {
      await tenant.deploy("app", await behaviours(version));
    }
    done.abort();
    await Promise.all(calls);
    expect(seen).toEqual(new Set(["one", "two"]));
  });

  test("rolls back to the revision before, or to a named one", async () => {
    const tenant = await host.tenant("rolling");
    const revisions = [];
    for (const version of ["one", "two", "fast"]) {
      revisions.push(revisionOf(await tenant.upload("app", await behaviours(version))));
    }
    const back = await tenant.api("POST", "/v1/apps/app/rollback");
    expect(revisionOf(back)).toBe(revisions[1]);
    expect(await versionOf(tenant)).toBe("two");
    await tenant.api("POST", "/v1/apps/app/rollback");
    expect(await versionOf(tenant)).toBe("one");
    const end = await tenant.api("POST", "/v1/apps/app/rollback");
    expect(end.code).toBe("REVISION_NOT_FOUND");
    await tenant.api("POST", "/v1/apps/app/rollback", { json: { revision: revisions[2] } });
    expect(await versionOf(tenant)).toBe("fast");
    const unknown = { revision: "0".repeat(64) };
    const nowhere = await tenant.api("POST", "/v1/apps/app/rollback", { json: unknown });
    expect(nowhere.code).toBe("REVISION_NOT_FOUND");
  });

  test("keeps as many revisions as its tenant's quota says", async () => {
    const tenant = await host.tenant("forgetful", { revisionsKeptMax: 2 });
    for (const version of ["one", "two", "fast"]) {
      await tenant.deploy("app", await behaviours(version));
    }
    const app = await tenant.api("GET", "/v1/apps/app");
    expect(at(app.json(), "revisions")).toHaveLength(2);
  });

  test("takes settings, and gives them back", async () => {
    const tenant = await host.tenant("settings", { concurrencyMax: 10 });
    await tenant.deploy("app", await behaviours());
    const set = { deadlineMs: 200, concurrencyMax: 50, environment: { MODE: "x" } };
    const app = await tenant.api("PATCH", "/v1/apps/app", { json: set });
    expect(at(app.json(), "config")).toMatchObject({
      deadlineMs: 200,
      // Capped by the quota.
      concurrencyMax: 10,
      environment: { MODE: "x" },
    });
    const slow = await tenant.invoke("app/slow", 60_000);
    expect(at(slow.json(), "details", "deadlineMs")).toBe(200);
    const reset = await tenant.api("PATCH", "/v1/apps/app", { json: { deadlineMs: null } });
    expect(at(reset.json(), "config")).toMatchObject({
      deadlineMs: 10_000,
      environment: { MODE: "x" },
    });
  });

  test.each([
    ["deadline-zero", { deadlineMs: 0 }],
    ["deadline-long", { deadlineMs: 400_000 }],
    ["key-unknown", { deadline: 5 }],
    ["variable-name", { environment: { "not a name": "x" } }],
    ["variable-type", { environment: { A: 5 } }],
    ["environment-size", { environment: { A: "x".repeat(32_768), B: "x".repeat(32_768) } }],
  ])("refuses wrong settings: %s", async (name, json) => {
    const tenant = await host.tenant(name);
    await tenant.deploy("app", await behaviours());
    const answer = await tenant.api("PATCH", "/v1/apps/app", { json });
    expect(answer.status).toBe(400);
    expect(answer.code).toBe("REQUEST_INVALID");
  });

  test("is gone after its deletion, and can come back", async () => {
    const tenant = await host.tenant("deleting");
    await tenant.deploy("app", await behaviours());
    await expect.poll(inFlight).toBe(0);
    const running = tenant.invoke("app/slow", 60_000);
    await expect.poll(inFlight).toBe(1);
    expect((await tenant.api("DELETE", "/v1/apps/app")).status).toBe(204);
    expect((await running).code).toBe("APP_NOT_FOUND");
    expect((await tenant.invoke("app/version", null)).code).toBe("APP_NOT_FOUND");
    expect((await tenant.api("DELETE", "/v1/apps/app")).code).toBe("APP_NOT_FOUND");
    await tenant.deploy("app", await behaviours());
    expect(await versionOf(tenant)).toBe("one");
  });

  test("is listed for its own tenant only", async () => {
    const [mine, theirs] = [await host.tenant("mine"), await host.tenant("theirs")];
    await mine.deploy("b-app", await behaviours());
    await mine.deploy("a-app", await behaviours("two"));
    const names = at((await mine.api("GET", "/v1/apps")).json(), "apps");
    expect(names).toMatchObject([{ app: "a-app" }, { app: "b-app" }]);
    expect((await theirs.api("GET", "/v1/apps")).json()).toEqual({ apps: [] });
    expect((await theirs.api("GET", "/v1/apps/a-app")).code).toBe("APP_NOT_FOUND");
  });

  test("counts what it used, and how that ended", async () => {
    const tenant = await host.tenant("metered");
    await tenant.deploy("app", await behaviours());
    await tenant.invoke("app/echo", "abc");
    await tenant.invoke("app/explode", null);
    const usage = await tenant.api("GET", "/v1/usage");
    expect(usage.json()).toMatchObject({
      tenant: "metered",
      total: { invocations: 2, errors: 1, bytesIn: 9, bytesOut: 5 },
      apps: [{ app: "app", invocations: 2 }],
    });
  });

  test("counts what each of its functions used, as long as it has them, and nobody else's", async () => {
    const tenant = await host.tenant("by-function");
    const other = await host.tenant("other-function");
    await tenant.deploy("app", await behaviours());
    await tenant.invoke("app/echo", "abc");
    await tenant.invoke("app/echo", "abc");
    await tenant.invoke("app/explode", null);
    expect((await tenant.api("GET", "/v1/usage/app")).json()).toMatchObject({
      app: "app",
      invocations: 3,
      functions: [
        { function: "echo", invocations: 2, errors: 0, cpuMs: expect.any(Number) },
        { function: "explode", invocations: 1, errors: 1 },
      ],
    });
    expect((await other.api("GET", "/v1/usage/app")).code).toBe("APP_NOT_FOUND");
    await tenant.api("DELETE", "/v1/apps/app");
    const deleted = (await tenant.api("GET", "/v1/usage/app")).json();
    expect(at(deleted, "functions", 0)).toMatchObject({ function: "echo", invocations: 2 });
  });

  test("is told how far its largest component and its uploads are from the quotas", async () => {
    const tenant = await host.tenant("measured", { appsMax: 7 });
    const none = (await tenant.api("GET", "/v1/usage")).json();
    expect(at(none, "largest")).toMatchObject({ coreFunctions: 0, tableElements: 0 });
    const deployed = (await tenant.upload("app", await behaviours())).json();
    const usage = (await tenant.api("GET", "/v1/usage")).json();
    const { coreModules, coreModuleBytes, ...sizes } = Object(at(deployed, "sizes"));
    expect(coreModules * coreModuleBytes).toBeGreaterThan(0);
    expect(at(usage, "largest")).toEqual(sizes);
    expect(at(usage, "load", "uploads")).toBe(0);
    for (const count of ["coreFunctions", "sections", "nestingDepth", "tableElements"]) {
      expect(sizes[count]).toBeGreaterThan(0);
    }
    const metrics = (await host.admin("GET", "/metrics")).body.toString();
    for (const [quota, value] of Object.entries(Object(at(usage, "quotas")))) {
      const series =
        quota === "appsMax"
          ? `downpour_tenant_quota{tenant="measured",quota="${quota}"}`
          : `downpour_tenant_quota_default{quota="${quota}"}`;
      expect(metrics).toContain(`${series} ${String(value)}\n`);
    }
    expect(metrics).toContain('downpour_tenant_apps{tenant="measured"} 1');
  });
});
