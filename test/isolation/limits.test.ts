import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { behaviours } from "../e2e/testing/components.ts";
import { at, HostUnderTest } from "../e2e/testing/host-under-test.ts";
import type { TenantClient } from "../e2e/testing/host-under-test.ts";

// What a tenant that asks for too much gets, and what its neighbour does not notice.

let host: HostUnderTest;
let attacker: TenantClient;
let victim: TenantClient;

beforeAll(async () => {
  host = await HostUnderTest.start({
    flags: ["--executor-turn-max-ms=1000", "--tenant-queue-depth-ceiling=5000"],
  });
  attacker = await host.tenant("attacker");
  victim = await host.tenant("victim");
  for (const tenant of [attacker, victim]) {
    await tenant.deploy("app", await behaviours());
    await tenant.invoke("app/version", null);
  }
});

afterAll(async () => {
  await host[Symbol.asyncDispose]();
});

describe("a flood of invocations", () => {
  test("past the tenant's rate is refused with the time to come again, and nobody else's is", async () => {
    await host.admin("PATCH", "/v1/tenants/attacker", { quotas: { requestsPerSecondMax: 1 } });
    const flood = await Promise.all(
      Array.from({ length: 20 }, () => attacker.invoke("app/version", null)),
    );
    const refused = flood.filter(({ status }) => status === 429);
    expect(refused.length).toBeGreaterThan(10);
    expect(refused[0]?.code).toBe("RATE_LIMITED");
    expect(refused[0]?.headers.get("retry-after")).toBe("1");
    expect((await victim.invoke("app/version", null)).json()).toBe("one");
    await host.admin("PATCH", "/v1/tenants/attacker", { quotas: { requestsPerSecondMax: 10_000 } });
    expect((await attacker.invoke("app/version", null)).status).toBe(200);
    const metrics = await host.admin("GET", "/metrics");
    expect(metrics.body.toString()).toContain(
      'downpour_refused_total{tenant="attacker",app="app",code="RATE_LIMITED"}',
    );
  });

  test("past the tenant's queue is refused, also when it is spread over its apps", async () => {
    await attacker.deploy("second", await behaviours());
    await attacker.invoke("second/version", null);
    const quotas = { concurrencyMax: 2, queueDepthMax: 3 };
    await host.admin("PATCH", "/v1/tenants/attacker", { quotas });
    const flood = await Promise.all(
      Array.from({ length: 16 }, (_, index) =>
        attacker.invoke(index % 2 === 0 ? "app/slow" : "second/slow", 500),
      ),
    );
    const refused = flood.filter(({ code }) => code === "QUEUE_FULL");
    expect(flood.map(({ status }) => status)).toContain(200);
    expect(refused.length).toBeGreaterThan(5);
    const usage = (await attacker.api("GET", "/v1/usage")).json();
    expect(at(usage, "quotas")).toMatchObject(quotas);
    expect(at(usage, "load")).toEqual({ inFlight: 0, queued: 0, queuedBytes: 0, uploads: 0 });
  });
});

test("an app's own limits are changed live, within those of its tenant", async () => {
  const path = "/v1/apps/app";
  const json = { requestsPerSecondMax: 1, concurrencyMax: 1_000 };
  await host.admin("PATCH", "/v1/tenants/victim", { quotas: { concurrencyMax: 7 } });
  const changed = (await victim.api("PATCH", path, { json })).json();
  expect(at(changed, "config")).toMatchObject({ requestsPerSecondMax: 1, concurrencyMax: 7 });
  const flood = await Promise.all([1, 2, 3].map(() => victim.invoke("app/version", null)));
  expect(flood.map(({ code }) => code)).toContain("RATE_LIMITED");
  await victim.api("PATCH", path, { json: { requestsPerSecondMax: null } });
  expect((await victim.invoke("app/version", null)).status).toBe(200);
});

test("no tenant is given more than the host's ceiling", async () => {
  const quotas = { queueDepthMax: 5_001 };
  const answer = await host.admin("PATCH", "/v1/tenants/victim", { quotas });
  expect(answer.status).toBe(400);
  expect(answer.code).toBe("REQUEST_INVALID");
  expect(at(answer.json(), "detail")).toBe("queueDepthMax may be at most 5000 on this host");
});

test("an app computes no longer than it says itself, within what the host allows", async () => {
  const json = { cpuMsMax: 50, memoryBytesMax: 1_000_000_000_000 / 250 };
  const changed = (await victim.api("PATCH", "/v1/apps/app", { json })).json();
  expect(at(changed, "config")).toMatchObject({ cpuMsMax: 50, memoryBytesMax: 268_435_456 });
  expect((await victim.invoke("app/spin", null)).code).toBe("CPU_LIMIT_EXCEEDED");
  await victim.api("PATCH", "/v1/apps/app", { json: { cpuMsMax: null } });
  expect((await victim.invoke("app/version", null)).json()).toBe("one");
});

test("a tenant's quotas for time and memory hold for its apps, whatever they set, and are changed live", async () => {
  const json = { cpuMsMax: 5_000, deadlineMs: 5_000, memoryBytesMax: 100_000_000 };
  await victim.api("PATCH", "/v1/apps/app", { json });
  const quotas = { cpuMsMax: 40, deadlineMsMax: 3_000, memoryBytesMax: 50_000_000 };
  await host.admin("PATCH", "/v1/tenants/victim", { quotas });
  const config = { cpuMsMax: 40, deadlineMs: 3_000, memoryBytesMax: 50_000_000 };
  expect(at((await victim.api("GET", "/v1/apps/app")).json(), "config")).toMatchObject(config);
  const ended = (await victim.invoke("app/spin", null)).json();
  expect(ended).toMatchObject({ code: "CPU_LIMIT_EXCEEDED", details: { cpuMsMax: 40 } });
  const short = { quotas: { cpuMsMax: 5_000, deadlineMsMax: 300 } };
  await host.admin("PATCH", "/v1/tenants/victim", short);
  const late = await victim.invoke("app/slow", 60_000);
  expect(late.json()).toMatchObject({ code: "DEADLINE_EXCEEDED", details: { deadlineMs: 300 } });
  const above = { quotas: { memoryBytesMax: 268_435_457 } };
  const refused = await host.admin("PATCH", "/v1/tenants/victim", above);
  expect(refused.code).toBe("REQUEST_INVALID");
  const usual = { cpuMsMax: 10_000, deadlineMsMax: 300_000, memoryBytesMax: 268_435_456 };
  await host.admin("PATCH", "/v1/tenants/victim", { quotas: usual });
  expect(at((await victim.api("GET", "/v1/apps/app")).json(), "config")).toMatchObject(json);
});

test("a tenant's quotas for what one invocation gets, answers and asks are changed live", async () => {
  const quotas = { inputBytesMax: 10, resultBytesMax: 10, stateOperationsMax: 1 };
  await host.admin("PATCH", "/v1/tenants/victim", { quotas });
  const large = await victim.invoke("app/greet", "x".repeat(9));
  expect(large.status).toBe(413);
  expect(large.json()).toMatchObject({ code: "BODY_TOO_LARGE", details: { bytesMax: 10 } });
  const long = await victim.invoke("app/greet", "x".repeat(8));
  expect(long.json()).toMatchObject({ code: "RESULT_TOO_LARGE", details: { resultBytesMax: 10 } });
  const often = await victim.invoke("app/slow", 100);
  expect(often.json()).toMatchObject({
    code: "STATE_OPERATIONS_EXCEEDED",
    details: { stateOperationsMax: 1 },
  });
  const usual = { inputBytesMax: 1_000, resultBytesMax: 1_000, stateOperationsMax: 100_000 };
  await host.admin("PATCH", "/v1/tenants/victim", { quotas: usual });
  expect((await victim.invoke("app/greet", "x".repeat(9))).status).toBe(200);
});

test("usage and metrics show the instances that a tenant has, and their memory", async () => {
  await victim.invoke("app/version", null);
  await expect
    .poll(async () => at((await victim.api("GET", "/v1/usage")).json(), "held", "memoryBytes"), {
      timeout: 60_000,
    })
    .toBeGreaterThan(100_000);
  const metrics = (await host.admin("GET", "/metrics")).body.toString();
  expect(metrics).toMatch(/downpour_tenant_instances\{tenant="victim"\} [1-9]/u);
  expect(metrics).toMatch(/downpour_tenant_memory_bytes\{tenant="victim"\} [1-9]/u);
});

test("no more instances of a tenant run at once than it may have, and the others wait", async () => {
  await host.admin("PATCH", "/v1/tenants/victim", { quotas: { instancesMax: 1 } });
  const calls = Promise.all(Array.from({ length: 4 }, () => victim.invoke("app/slow", 50)));
  await expect
    .poll(async () => at((await victim.api("GET", "/v1/usage")).json(), "load"))
    .toMatchObject({ inFlight: 1 });
  expect((await calls).map(({ status }) => status)).toEqual([200, 200, 200, 200]);
  await host.admin("PATCH", "/v1/tenants/victim", { quotas: { instancesMax: 2_500 } });
});

test("an app that is never reused has an instance for each invocation", async () => {
  const json = { reuse: "never" };
  const changed = (await victim.api("PATCH", "/v1/apps/app", { json })).json();
  expect(at(changed, "config", "reuse")).toBe("never");
  const before = (await victim.api("GET", "/v1/usage")).json();
  for (let call = 0; call < 3; call += 1) await victim.invoke("app/version", null);
  const after = (await victim.api("GET", "/v1/usage")).json();
  expect(coldStarts(after) - coldStarts(before)).toBe(3);
});

function coldStarts(usage: unknown): number {
  return Number(at(usage, "total", "coldStarts"));
}
