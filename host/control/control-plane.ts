import type { StateClient } from "@downpour/kvs";
import type { TenantRegistry } from "@downpour/tenants";
import type { AppRegistry } from "../artifacts/app-registry.ts";
import type { HostConfig } from "../config.ts";
import type { TenantInstances } from "../protocol.ts";
import type { InvokeRequest, InvokeResult } from "../scheduler/deployed-app.ts";
import type { LoadGauges } from "../scheduler/load.ts";
import type { FunctionLogs } from "../telemetry/function-logs.ts";
import type { Logger } from "../telemetry/logger.ts";
import type { HostMetrics } from "../telemetry/metrics.ts";
import type { ApiRates } from "./api-rates.ts";
import type { Deployments } from "./deployments.ts";
import type { Readiness } from "./schemas.ts";
import type { TenantRemoval } from "./tenant-removal.ts";
import type { UsageMeter } from "./usage-meter.ts";
import type { WriteBudget } from "./write-budget.ts";

/** Runs functions: all that the data plane's HTTP needs of the scheduler. */
export interface Invoker {
  invoke(request: InvokeRequest, signal: AbortSignal): Promise<InvokeResult>;
}

/** What runs and waits, for whoever asks. */
export interface LoadReader {
  loadOf(tenantId: string, app?: string): LoadGauges;
  instances(): ReadonlyMap<string, TenantInstances>;
}

/** Everything the routes call. They decode, call and encode; the decisions are in here. */
export interface ControlPlane {
  readonly config: HostConfig;
  readonly version: string;
  readonly tenants: TenantRegistry;
  readonly apps: AppRegistry;
  readonly deployments: Deployments;
  readonly removal: TenantRemoval;
  readonly invoker: Invoker;
  readonly loads: LoadReader;
  readonly state: StateClient;
  readonly rates: ApiRates;
  readonly writes: WriteBudget;
  readonly usage: UsageMeter;
  readonly logs: FunctionLogs;
  readonly metrics: HostMetrics;
  readonly logger: Logger;
  readonly readiness: () => Readiness;
}
