import { toQuotas } from "@downpour/tenants";
import { expect, test } from "vitest";
import { HostMetrics } from "./metrics.ts";
import type { TenantLists } from "./metrics.ts";

const SAMPLE = {
  tenantId: "acme",
  app: "hello",
  errorCode: undefined,
  isColdStart: false,
  cpuUs: 500_000,
  wallUs: 2_000_000,
  queuedUs: 10,
  memoryBytes: 1_000_000,
  inputBytes: 10,
  outputBytes: 20,
  stateOperations: 7,
  logBytes: 100,
  logEntriesDropped: 2,
};

const QUOTAS = toQuotas(() => 7);

const TENANTS: TenantLists = {
  loads: [
    { tenantId: "quiet", inFlight: 1, queued: 0, queuedBytes: 0 },
    { tenantId: "busy", inFlight: 3, queued: 7, queuedBytes: 70 },
    { tenantId: "quieter", inFlight: 1, queued: 0, queuedBytes: 0 },
  ],
  stored: [
    { tenantId: "acme", keys: 2, bytes: 30 },
    { tenantId: "other-co", keys: 5, bytes: 20 },
  ],
  instances: [{ tenantId: "acme", instances: 4, memoryBytes: 100 }],
  tenancies: [
    { tenantId: "acme", apps: 2, revisions: 5, uploads: 1, quotas: QUOTAS },
    { tenantId: "busy", apps: 1, revisions: 1, uploads: 0, quotas: { ...QUOTAS, appsMax: 20 } },
    { tenantId: "calm", apps: 1, revisions: 1, uploads: 0, quotas: { ...QUOTAS, weight: 9 } },
  ],
};

function metrics(appsMax = 10, tenants = (): TenantLists => TENANTS): HostMetrics {
  return new HostMetrics({
    version: "0.1.0",
    appsMax,
    quotasDefault: QUOTAS,
    scheduler: () => ({ executorsReady: 2, queued: 3, inFlight: 4, loadedRevisions: 5 }),
    tenants,
  });
}

test("invocations are counted by app, errors by code", async () => {
  const host = metrics();
  host.observe({ ...SAMPLE, isColdStart: true });
  host.observe({ ...SAMPLE, errorCode: "DEADLINE_EXCEEDED" });
  host.observe({ ...SAMPLE, errorCode: "FUNCTION_THREW" });
  const text = await host.render();
  expect(text).toContain('faas_invocations_total{tenant="acme",app="hello"} 3');
  expect(text).toContain('faas_coldstarts_total{tenant="acme",app="hello"} 1');
  expect(text).toContain('faas_timeouts_total{tenant="acme",app="hello"} 1');
  expect(text).toContain('faas_cpu_usage_seconds_total{tenant="acme",app="hello"} 1.5');
  expect(text).toContain('faas_errors_total{tenant="acme",app="hello",code="FUNCTION_THREW"} 1');
  expect(text).toContain('downpour_input_bytes_total{tenant="acme",app="hello"} 30');
  expect(text).toContain('downpour_output_bytes_total{tenant="acme",app="hello"} 60');
  expect(text).toContain('downpour_state_operations_total{tenant="acme",app="hello"} 21');
  expect(text).toContain('downpour_log_bytes_total{tenant="acme",app="hello"} 300');
  expect(text).toContain('downpour_log_entries_dropped_total{tenant="acme",app="hello"} 6');
  expect(text).toContain("faas_invoke_duration_seconds_count 3");
  expect(text).toContain("downpour_queue_depth 3");
});

test("a second scrape counts nothing twice", async () => {
  const host = metrics();
  host.observe(SAMPLE);
  await host.render();
  expect(await host.render()).toContain('faas_invocations_total{tenant="acme",app="hello"} 1');
});

test("apps past the limit share one series, however many there are", async () => {
  const host = metrics(1);
  for (let n = 0; n < 50; n += 1) host.observe({ ...SAMPLE, app: `app-${n}` });
  const series = (await host.render()).match(/^faas_invocations_total\{.*$/gmu);
  expect(series).toEqual([
    'faas_invocations_total{tenant="acme",app="app-0"} 1',
    'faas_invocations_total{tenant="other",app="other"} 49',
  ]);
});

test("refusals are counted by app and code, past the limit of series together", async () => {
  const host = metrics(1);
  host.refused({ tenantId: "acme", app: "hello", code: "RATE_LIMITED" });
  for (let n = 0; n < 5; n += 1) {
    host.refused({ tenantId: "acme", app: `app-${n}`, code: "QUEUE_FULL" });
  }
  const text = await host.render();
  expect(text).toContain('downpour_refused_total{tenant="acme",app="hello",code="RATE_LIMITED"} 1');
  expect(text).toContain('downpour_refused_total{tenant="other",app="other",code="QUEUE_FULL"} 5');
});

test("the busiest tenants have gauges of their own, the others share one", async () => {
  const text = await metrics(1).render();
  expect(text).toContain('downpour_tenant_in_flight{tenant="busy"} 3');
  expect(text).toContain('downpour_tenant_in_flight{tenant="other"} 2');
  expect(text).toContain('downpour_tenant_queue_depth{tenant="busy"} 7');
  expect(text).not.toContain("quiet");
});

test("those that store most have gauges of their own too", async () => {
  const text = await metrics(1).render();
  expect(text).toContain('downpour_tenant_state_keys{tenant="other-co"} 5');
  expect(text).toContain('downpour_tenant_state_keys{tenant="other"} 2');
  expect(text).toContain('downpour_tenant_state_bytes{tenant="acme"} 30');
  expect(text).toContain('downpour_tenant_instances{tenant="acme"} 4');
  expect(text).toContain('downpour_tenant_memory_bytes{tenant="acme"} 100');
});

test("quotas stand beside what a tenant has of them, once where all have the same", async () => {
  const text = await metrics().render();
  expect(text).toContain('downpour_tenant_quota_default{quota="appsMax"} 7');
  expect(text.match(/^downpour_tenant_quota\{.*$/gmu)).toEqual([
    'downpour_tenant_quota{tenant="busy",quota="appsMax"} 20',
    'downpour_tenant_quota{tenant="calm",quota="weight"} 9',
  ]);
  expect(text).toContain('downpour_tenant_apps{tenant="acme"} 2');
  expect(text).toContain('downpour_tenant_revisions{tenant="acme"} 5');
  expect(text).toContain('downpour_tenant_uploads{tenant="acme"} 1');
  expect(text).toContain('downpour_tenant_queued_bytes{tenant="busy"} 70');
  const first = await metrics(1).render();
  expect(first).toContain('downpour_tenant_quota{tenant="busy"');
  expect(first).not.toContain('downpour_tenant_quota{tenant="calm"');
});

test("a scrape asks for the tenants once, and the next one sees what has changed", async () => {
  let asked = 0;
  const host = metrics(10, () => {
    asked += 1;
    return asked === 1 ? TENANTS : { ...TENANTS, stored: [] };
  });
  expect(await host.render()).toContain("downpour_tenant_state_keys{");
  expect(await host.render()).not.toContain("downpour_tenant_state_keys{");
  expect(asked).toBe(2);
});

test("uploads are counted by how they ended, refused ones by code", async () => {
  const host = metrics();
  host.deployed("created");
  host.deploymentRefused("COMPONENT_TOO_COMPLEX");
  const text = await host.render();
  expect(text).toContain('downpour_deployments_total{outcome="created"} 1');
  const refused = 'downpour_deployments_total{outcome="refused",code="COMPONENT_TOO_COMPLEX"} 1';
  expect(text).toContain(refused);
});

test("a deleted app leaves its place to another", async () => {
  const host = metrics(1);
  host.observe(SAMPLE);
  host.forget("acme", "hello");
  host.observe({ ...SAMPLE, app: "next" });
  expect(await host.render()).toContain('app="next"} 1');
});
