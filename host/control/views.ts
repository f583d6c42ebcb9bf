import type { FunctionCounts, Tenant, TokenRecord, UsageCounts } from "@downpour/tenants";
import { activeRevision } from "../artifacts/app-record.ts";
import type { AppRecord } from "../artifacts/app-record.ts";
import type { KeptEntry } from "../telemetry/function-logs.ts";
import type {
  AppConfig,
  AppSummary,
  AppView,
  FunctionUsage,
  LargestView,
  LoadView,
  LogEntryView,
  TenantView,
  TokenView,
  UsageTotals,
} from "./schemas.ts";

// From what the host keeps to what the API shows.

export function toTenantView(tenant: Tenant): TenantView {
  return {
    tenant: tenant.tenantId,
    quotas: { ...tenant.quotas },
    tokens: tenant.tokens.map(toTokenView),
    createdAt: toTime(tenant.createdAtMs),
    suspended: tenant.isSuspended,
    deleting: tenant.isDeleting,
  };
}

export function toTokenView({ tokenId, scopes, createdAtMs }: TokenRecord): TokenView {
  return { tokenId, scopes: [...scopes], createdAt: toTime(createdAtMs) };
}

export function toAppView(record: AppRecord, config: AppConfig, load: LoadView): AppView {
  const active = activeRevision(record);
  return {
    app: record.app,
    revision: active.revisionId,
    functions: active.functions,
    imports: active.imports,
    sizes: active.sizes,
    config,
    load,
    revisions: record.revisions.map((revision) => ({
      revision: revision.revisionId,
      active: revision.revisionId === record.activeRevisionId,
      deployedAt: toTime(revision.deployedAtMs),
      componentBytes: revision.sizes.componentBytes,
      functionCount: revision.functions.length,
    })),
    createdAt: toTime(record.createdAtMs),
    updatedAt: toTime(record.updatedAtMs),
  };
}

export function toAppSummary(record: AppRecord): AppSummary {
  const active = activeRevision(record);
  return {
    app: record.app,
    revision: active.revisionId,
    functionCount: active.functions.length,
    componentBytes: active.sizes.componentBytes,
    updatedAt: toTime(record.updatedAtMs),
  };
}

export function toLogEntryView({ seq, entry }: KeptEntry): LogEntryView {
  return {
    seq,
    at: toTime(entry.atMs),
    level: entry.level,
    function: entry.functionName,
    invocation: entry.invocationId,
    message: entry.message,
  };
}

export function toUsageTotals(counts: UsageCounts): UsageTotals {
  return {
    invocations: counts.invocations,
    errors: counts.errors,
    coldStarts: counts.coldStarts,
    cpuMs: counts.cpuUs / 1_000,
    fuel: counts.fuelThousands * 1_000,
    wallMs: counts.wallUs / 1_000,
    bytesIn: counts.bytesIn,
    bytesOut: counts.bytesOut,
    stateOperations: counts.stateOperations,
    logBytes: counts.logBytes,
    logEntriesDropped: counts.logEntriesDropped,
  };
}

/** In the order of their names. */
export function toFunctionUsage(usage: ReadonlyMap<string, FunctionCounts>): FunctionUsage[] {
  return Array.from(usage, ([name, { invocations, errors, cpuUs }]) => ({
    function: name,
    invocations,
    errors,
    cpuMs: cpuUs / 1_000,
  })).toSorted((a, b) => (a.function < b.function ? -1 : 1));
}

export function toLargest(records: readonly AppRecord[]): LargestView {
  const largest = {
    componentBytes: 0,
    coreFunctions: 0,
    sections: 0,
    nestingDepth: 0,
    tableElements: 0,
  } satisfies LargestView;
  for (const { sizes } of records.flatMap(({ revisions }) => revisions)) {
    largest.componentBytes = Math.max(largest.componentBytes, sizes.componentBytes);
    largest.coreFunctions = Math.max(largest.coreFunctions, sizes.coreFunctions ?? 0);
    largest.sections = Math.max(largest.sections, sizes.sections ?? 0);
    largest.nestingDepth = Math.max(largest.nestingDepth, sizes.nestingDepth ?? 0);
    largest.tableElements = Math.max(largest.tableElements, sizes.tableElements ?? 0);
  }
  return largest;
}

/** As the API writes times. */
export function toTime(atMs: number): string {
  return new Date(atMs).toISOString();
}
