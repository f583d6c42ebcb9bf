import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { TenantRegistry } from "@downpour/tenants";
import { expect, onTestFinished, test } from "vitest";
import type { AppRecord } from "../../host/artifacts/app-record.ts";
import { AppRegistry } from "../../host/artifacts/app-registry.ts";
import { ArtifactStore } from "../../host/artifacts/artifact-store.ts";
import { Compiler } from "../../host/artifacts/compiler.ts";
import { parseHostConfig } from "../../host/config.ts";
import type { ConfigInput } from "../../host/config.ts";
import type { DeployedApp } from "../../host/scheduler/deployed-app.ts";
import { FunctionLogs } from "../../host/telemetry/function-logs.ts";
import { createLogger } from "../../host/telemetry/logger.ts";
import { HostMetrics } from "../../host/telemetry/metrics.ts";
import { Deployments } from "../../host/control/deployments.ts";
import type { AppRunner } from "../../host/control/deployments.ts";
import { defaultQuotas, quotaCeilings } from "../../host/control/quota-settings.ts";
import { behaviours } from "./testing/components.ts";

/** Keeps what is deployed, as the scheduler does, and runs nothing. */
class FakeRunner implements AppRunner {
  readonly deployed = new Map<string, DeployedApp>();

  deploy(app: DeployedApp): void {
    this.deployed.set(app.identity.app, app);
  }

  async prepare(): Promise<void> {
    // Nobody calls anything here.
  }

  setTenant(): void {
    // Nothing runs here.
  }

  removeTenant(): void {
    // Nor here.
  }

  async remove(): Promise<void> {
    // There is nothing that runs.
  }
}

async function registries(stored: readonly AppRecord[]): Promise<{
  readonly apps: AppRegistry;
  readonly tenants: TenantRegistry;
}> {
  const tenants = await TenantRegistry.open({
    records: {
      loadAll: async () => [],
      save: async () => undefined,
      remove: async () => undefined,
    },
    adminToken: { tokenId: "admin", sha256: "0".repeat(64), createdAtMs: 0, scopes: [] },
    quotasDefault: defaultQuotas(parseHostConfig({})),
    quotasMax: quotaCeilings(parseHostConfig({})),
  });
  const apps = await AppRegistry.open({
    loadAll: async () => stored,
    save: async () => undefined,
    remove: async () => undefined,
  });
  return { apps, tenants };
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

test("a revision that another engine made is compiled anew once, however often it is loaded, and however little a component may be by then", async () => {
  const directory = mkdtempSync(join(tmpdir(), "downpour-deployments-"));
  const artifacts = await ArtifactStore.open(directory);
  const compiler = new Compiler({
    artifactDirectory: directory,
    loadBounds: { heapMibMax: 256, timeMaxMs: 30_000 },
    queueDepthMax: 8,
    isReused: true,
  });
  const destination = new PassThrough();
  let logged = "";
  destination.on("data", (chunk: Buffer) => {
    logged += chunk.toString();
  });
  const host = async (
    stored: readonly AppRecord[],
    settings: ConfigInput = {},
  ): Promise<{
    readonly deployments: Deployments;
    readonly runner: FakeRunner;
    readonly apps: AppRegistry;
    readonly tenants: TenantRegistry;
  }> => {
    const { apps, tenants } = await registries(stored);
    const runner = new FakeRunner();
    const deployments = new Deployments({
      apps,
      tenants,
      artifacts,
      compiler,
      runner,
      stateLimiter: { limitSpace: () => undefined },
      usage: { lease: async () => undefined, retire: async () => undefined },
      logs: new FunctionLogs({
        entriesPerAppMax: 1,
        bytesPerAppMax: 1,
        bytesTotalMax: 1,
        followersPerAppMax: 1,
      }),
      metrics: new HostMetrics({
        version: "0",
        appsMax: 1,
        scheduler: () => ({ executorsReady: 0, queued: 0, inFlight: 0, loadedRevisions: 0 }),
        quotasDefault: defaultQuotas(parseHostConfig({})),
        tenants: () => ({ loads: [], stored: [], instances: [], tenancies: [] }),
      }),
      logger: createLogger("info", destination),
      config: parseHostConfig({ prewarmAppsMax: 0, ...settings }),
    });
    return { deployments, runner, apps, tenants };
  };

  const before = await host([]);
  const { tenant } = await before.tenants.create("acme");
  await before.deployments.deploy(tenant, "a", once(await behaviours("one")));
  await before.deployments.deploy(tenant, "b", once(await behaviours("two")));
  const made = before.apps.list("acme").map((record) => ({
    ...record,
    revisions: record.revisions.map(({ limits, ...revision }) => ({
      ...revision,
      // Earlier hosts recorded none.
      ...(record.app === "a" && { limits }),
      artifact: { ...revision.artifact, engineTag: "older" },
    })),
  }));
  await before.deployments.close();

  const { deployments, runner } = await host(made, { componentFunctionsMax: 1 });
  onTestFinished(async () => {
    await deployments.close();
    await compiler.close();
    rmSync(directory, { recursive: true, force: true });
  });
  deployments.activateAll();
  const load = async (app: string): Promise<void> => {
    await runner.deployed.get(app)?.load();
  };
  // There is room in memory for one of them: each load finds the other one's code there.
  for (const app of ["a", "b", "a", "b"]) await load(app);
  expect(logged.match(/compiled anew/gu)).toHaveLength(2);
});
