import type { StateClient } from "@downpour/kvs";
import type { Tenant } from "@downpour/tenants";
import type { AppRegistry } from "../artifacts/app-registry.ts";
import { tenantPrefix } from "../state-keys.ts";
import { DELETED_APPS, readState } from "./state-records.ts";
import type { UsageMeter } from "./usage-meter.ts";
import { toFunctionUsage, toTime, toUsageTotals } from "./views.ts";

export interface TenantExportOptions {
  readonly apps: AppRegistry;
  readonly usage: UsageMeter;
  readonly state: StateClient;
}

/**
 * Everything that is a tenant's, as lines of JSON: itself, its apps, what they used, its state. No
 * token, not even a hash, and not the components, which it has uploaded itself. State is read while
 * it is sent: each key is of one moment, all of them are not.
 */
export async function* exportTenant(
  tenant: Tenant,
  { apps, usage, state }: TenantExportOptions,
): AsyncGenerator<string> {
  const { tenantId, quotas, createdAtMs } = tenant;
  yield line({ kind: "tenant", tenant: tenantId, quotas, createdAt: toTime(createdAtMs) });
  for (const { app, activeRevisionId, revisions, settings } of apps.list(tenantId)) {
    yield line({
      kind: "app",
      app,
      revision: activeRevisionId,
      revisions: revisions.map(({ revisionId, deployedAtMs }) => ({
        revision: revisionId,
        deployedAt: toTime(deployedAtMs),
      })),
      settings,
    });
  }
  for (const [app, counts] of await usage.of(tenantId)) {
    const functions = app === DELETED_APPS ? new Map() : await usage.functionsOf(tenantId, app);
    yield line({
      kind: "usage",
      app,
      ...toUsageTotals(counts),
      functions: toFunctionUsage(functions),
    });
  }
  const prefix = tenantPrefix(tenantId);
  for (const { key, value } of readState(state, prefix)) {
    yield value.kind === "counter"
      ? line({ kind: "counter", key: key.slice(prefix.length), value: Number(value.value) })
      : line({
          kind: "register",
          key: key.slice(prefix.length),
          base64: Buffer.from(value.value).toString("base64"),
        });
  }
}

function line(record: object): string {
  return `${JSON.stringify(record)}\n`;
}
