import { QUOTA_NAMES } from "@downpour/tenants";
import type { Quotas } from "@downpour/tenants";
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from "prom-client";
import type { ErrorCode } from "../errors.ts";
import type { TenantInstances } from "../protocol.ts";

/** One settled invocation, as far as metrics care. */
export interface InvocationSample {
  readonly tenantId: string;
  readonly app: string;
  readonly errorCode: string | undefined;
  readonly isColdStart: boolean;
  readonly cpuUs: number;
  readonly wallUs: number;
  readonly queuedUs: number;
  readonly memoryBytes: number;
  readonly inputBytes: number;
  readonly outputBytes: number;
  readonly stateOperations: number;
  readonly logBytes: number;
  readonly logEntriesDropped: number;
}

export interface SchedulerGauges {
  readonly executorsReady: number;
  readonly queued: number;
  readonly inFlight: number;
  readonly loadedRevisions: number;
}

/** One invocation that was not admitted. */
export interface RefusedSample {
  readonly tenantId: string;
  readonly app: string;
  readonly code: ErrorCode;
}

export interface TenantGauges {
  readonly tenantId: string;
  readonly inFlight: number;
  readonly queued: number;
  readonly queuedBytes: number;
}

/** What is deployed of a tenant, and what it may use. */
export interface TenancyGauges {
  readonly tenantId: string;
  readonly apps: number;
  readonly revisions: number;
  /** Uploads under way. */
  readonly uploads: number;
  readonly quotas: Quotas;
}

/** What is kept of a tenant's state. */
export interface StoredGauges {
  readonly tenantId: string;
  readonly keys: number;
  readonly bytes: number;
}

export interface HostMetricsOptions {
  readonly version: string;
  /** Apps with series of their own; further ones are counted together, as app and tenant `other`. */
  readonly appsMax: number;
  readonly quotasDefault: Quotas;
  readonly scheduler: () => SchedulerGauges;
  readonly tenants: () => TenantLists;
}

/** Of tenants what the gauges show, at the moment of a scrape. */
export interface TenantLists {
  /** Of those that have something under way. */
  readonly loads: readonly TenantGauges[];
  /** Of those that store something. */
  readonly stored: readonly StoredGauges[];
  /** Of those that have instances. */
  readonly instances: readonly TenantInstances[];
  /** Of all. */
  readonly tenancies: readonly TenancyGauges[];
}

interface AppCounts {
  readonly tenant: string;
  readonly app: string;
  invocations: number;
  coldStarts: number;
  timeouts: number;
  cpuUs: number;
  inputBytes: number;
  outputBytes: number;
  stateOperations: number;
  logBytes: number;
  logEntriesDropped: number;
  readonly errors: Map<string, number>;
  readonly refused: Map<string, number>;
}

const SECONDS_BUCKETS = [
  0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30,
];
const MEMORY_BUCKETS = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1_024].map((mib) => mib * 1_048_576);

// The host's metrics in Prometheus' form, named after OpenTelemetry's FaaS conventions.
//
// M1. Labels are bounded: names of tenants and apps up to a limit, and codes of the one table.
// M2. An invocation costs a few additions: text and labels are only made when someone scrapes.
// M3. A scrape asks once what there is of tenants, however many metrics show it, and makes no series that say what
//     holds for all of them.
export class HostMetrics {
  readonly #registry = new Registry();
  readonly #appsMax: number;
  readonly #readTenants: () => TenantLists;
  #tenants: TenantLists = { loads: [], stored: [], instances: [], tenancies: [] };
  readonly #apps = new Map<string, AppCounts>();
  readonly #other = createCounts("other", "other");
  readonly #invokeDuration: Histogram;
  readonly #queueDuration: Histogram;
  readonly #memory: Histogram;
  readonly #deployments: Counter<"outcome" | "code">;

  constructor(options: HostMetricsOptions) {
    this.#appsMax = options.appsMax;
    this.#readTenants = options.tenants;
    const registers = [this.#registry];
    this.#invokeDuration = new Histogram({
      name: "faas_invoke_duration_seconds",
      help: "From the start of a function to its end, waiting for state included.",
      buckets: SECONDS_BUCKETS,
      registers,
    });
    this.#queueDuration = new Histogram({
      name: "downpour_queue_duration_seconds",
      help: "From the arrival of an invocation to its start.",
      buckets: SECONDS_BUCKETS,
      registers,
    });
    this.#memory = new Histogram({
      name: "faas_mem_usage_bytes",
      help: "Linear memory of the instance at the end of an invocation.",
      buckets: MEMORY_BUCKETS,
      registers,
    });
    this.#deployments = new Counter({
      name: "downpour_deployments_total",
      help: "Uploads, by how they ended; refused ones by error code.",
      labelNames: ["outcome", "code"],
      registers,
    });
    this.#registerAppCounters();
    this.#registerGauges(options);
    this.#registerTenantGauges();
    this.#registerQuotas(options.quotasDefault);
    collectDefaultMetrics({ register: this.#registry });
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  observe(sample: InvocationSample): void {
    const counts = this.#countsOf(sample.tenantId, sample.app);
    counts.invocations += 1;
    counts.cpuUs += sample.cpuUs;
    counts.inputBytes += sample.inputBytes;
    counts.outputBytes += sample.outputBytes;
    counts.stateOperations += sample.stateOperations;
    counts.logBytes += sample.logBytes;
    counts.logEntriesDropped += sample.logEntriesDropped;
    if (sample.isColdStart) counts.coldStarts += 1;
    const { errorCode } = sample;
    if (errorCode !== undefined) {
      counts.errors.set(errorCode, (counts.errors.get(errorCode) ?? 0) + 1);
      if (errorCode === ("DEADLINE_EXCEEDED" satisfies ErrorCode)) counts.timeouts += 1;
    }
    this.#invokeDuration.observe(sample.wallUs / 1e6);
    this.#queueDuration.observe(sample.queuedUs / 1e6);
    if (sample.memoryBytes > 0) this.#memory.observe(sample.memoryBytes);
  }

  refused({ tenantId, app, code }: RefusedSample): void {
    const { refused } = this.#countsOf(tenantId, app);
    refused.set(code, (refused.get(code) ?? 0) + 1);
  }

  deployed(outcome: "created" | "updated" | "unchanged"): void {
    this.#deployments.inc({ outcome });
  }

  deploymentRefused(code: ErrorCode): void {
    this.#deployments.inc({ outcome: "refused", code });
  }

  /** Frees the series of a deleted app for another one. */
  forget(tenantId: string, app: string): void {
    this.#apps.delete(`${tenantId}/${app}`);
  }

  render(): Promise<string> {
    this.#tenants = this.#readTenants();
    return this.#registry.metrics();
  }

  #countsOf(tenantId: string, app: string): AppCounts {
    const key = `${tenantId}/${app}`;
    const known = this.#apps.get(key);
    if (known !== undefined) return known;
    if (this.#apps.size >= this.#appsMax) return this.#other;
    const counts = createCounts(tenantId, app);
    this.#apps.set(key, counts);
    return counts;
  }

  #registerAppCounters(): void {
    this.#appCounter("faas_invocations", "Invocations that ended, well or not.", (counts) => [
      [{}, counts.invocations],
    ]);
    this.#appCounter("faas_coldstarts", "Invocations that needed a new instance.", (counts) => [
      [{}, counts.coldStarts],
    ]);
    this.#appCounter("faas_timeouts", "Invocations that their deadline ended.", (counts) => [
      [{}, counts.timeouts],
    ]);
    this.#appCounter(
      "faas_cpu_usage_seconds",
      "Time that invocations held an executor.",
      (counts) => [[{}, counts.cpuUs / 1e6]],
    );
    this.#appCounter("downpour_input_bytes", "Inputs of invocations.", (counts) => [
      [{}, counts.inputBytes],
    ]);
    this.#appCounter("downpour_output_bytes", "Answers of invocations.", (counts) => [
      [{}, counts.outputBytes],
    ]);
    this.#appCounter(
      "downpour_state_operations",
      "Reads, writes and listings of functions.",
      (counts) => [[{}, counts.stateOperations]],
    );
    this.#appCounter("downpour_log_bytes", "Messages in the logs of functions.", (counts) => [
      [{}, counts.logBytes],
    ]);
    this.#appCounter(
      "downpour_log_entries_dropped",
      "Log entries of functions beyond their limits.",
      (counts) => [[{}, counts.logEntriesDropped]],
    );
    this.#appCounter("faas_errors", "Invocations that failed, by error code.", (counts) =>
      Array.from(counts.errors, ([code, count]) => [{ code }, count] as const),
    );
    this.#appCounter(
      "downpour_refused",
      "Invocations that a limit refused, by error code.",
      (counts) => Array.from(counts.refused, ([code, count]) => [{ code }, count] as const),
    );
  }

  #appCounter(
    name: string,
    help: string,
    series: (
      counts: AppCounts,
    ) => readonly (readonly [labels: { readonly code?: string }, value: number])[],
  ): void {
    const apps = this.#apps;
    const other = this.#other;
    const counter: Counter = new Counter({
      name: `${name}_total`,
      help,
      labelNames: ["tenant", "app", "code"],
      registers: [this.#registry],
      collect: () => {
        counter.reset();
        const isUsed = other.invocations > 0 || other.refused.size > 0;
        const all = isUsed ? [...apps.values(), other] : apps.values();
        for (const counts of all) {
          for (const [labels, value] of series(counts)) {
            counter.inc({ tenant: counts.tenant, app: counts.app, ...labels }, value);
          }
        }
      },
    });
  }

  #registerTenantGauges(): void {
    const loads = (): readonly TenantGauges[] => this.#tenants.loads;
    const stored = (): readonly StoredGauges[] => this.#tenants.stored;
    const instances = (): readonly TenantInstances[] => this.#tenants.instances;
    const tenancies = (): readonly TenancyGauges[] => this.#tenants.tenancies;
    const depth = "downpour_tenant_queue_depth";
    this.#tenantGauge(depth, "Invocations that wait.", loads, ({ queued }) => queued);
    const inFlight = "downpour_tenant_in_flight";
    this.#tenantGauge(inFlight, "Invocations that run.", loads, (load) => load.inFlight);
    const input = "downpour_tenant_queued_bytes";
    this.#tenantGauge(input, "Input of those that wait.", loads, (load) => load.queuedBytes);
    this.#tenantGauge("downpour_tenant_state_keys", "Keys stored.", stored, ({ keys }) => keys);
    const bytes = "downpour_tenant_state_bytes";
    this.#tenantGauge(bytes, "Keys and values stored.", stored, (use) => use.bytes);
    const count = "downpour_tenant_instances";
    this.#tenantGauge(count, "Instances, busy and idle.", instances, (held) => held.instances);
    const memory = "downpour_tenant_memory_bytes";
    this.#tenantGauge(memory, "Their linear memory.", instances, (held) => held.memoryBytes);
    this.#tenantGauge("downpour_tenant_apps", "Apps.", tenancies, ({ apps }) => apps);
    const revisions = "downpour_tenant_revisions";
    this.#tenantGauge(revisions, "Revisions kept.", tenancies, (tenant) => tenant.revisions);
    const uploads = "downpour_tenant_uploads";
    this.#tenantGauge(uploads, "Uploads under way.", tenancies, (tenant) => tenant.uploads);
  }

  #registerQuotas(quotasDefault: Quotas): void {
    const registers = [this.#registry];
    const ofAll = new Gauge({
      name: "downpour_tenant_quota_default",
      help: "What a tenant may use, where it has no quota of its own.",
      labelNames: ["quota"],
      registers,
    });
    for (const quota of QUOTA_NAMES) ofAll.set({ quota }, quotasDefault[quota]);
    const own: Gauge = new Gauge({
      name: "downpour_tenant_quota",
      help: "What a tenant may use, where that is not the default.",
      labelNames: ["tenant", "quota"],
      registers,
      collect: () => {
        own.reset();
        let tenants = 0;
        for (const { tenantId, quotas } of this.#tenants.tenancies) {
          const others = QUOTA_NAMES.filter((quota) => quotas[quota] !== quotasDefault[quota]);
          if (others.length === 0) continue;
          tenants += 1;
          if (tenants > this.#appsMax) break;
          for (const quota of others) own.set({ tenant: tenantId, quota }, quotas[quota]);
        }
      },
    });
  }

  #tenantGauge<T extends { readonly tenantId: string }>(
    name: string,
    help: string,
    source: () => readonly T[],
    read: (tenant: T) => number,
  ): void {
    const registered: Gauge = new Gauge({
      name,
      help,
      labelNames: ["tenant"],
      registers: [this.#registry],
      collect: () => {
        registered.reset();
        // Those with the most have series of their own.
        const most = source().toSorted((a, b) => read(b) - read(a));
        for (const tenant of most.slice(0, this.#appsMax)) {
          registered.inc({ tenant: tenant.tenantId }, read(tenant));
        }
        const others = most.slice(this.#appsMax);
        if (others.length === 0) return;
        const sum = others.reduce((total, tenant) => total + read(tenant), 0);
        registered.inc({ tenant: "other" }, sum);
      },
    });
  }

  #registerGauges({ scheduler, version }: HostMetricsOptions): void {
    const gauge = (name: string, help: string, read: (gauges: SchedulerGauges) => number): void => {
      const registered: Gauge = new Gauge({
        name,
        help,
        registers: [this.#registry],
        collect: () => registered.set(read(scheduler())),
      });
    };
    gauge("downpour_executors_ready", "Executor threads.", (gauges) => gauges.executorsReady);
    gauge("downpour_queue_depth", "Invocations that wait.", (gauges) => gauges.queued);
    gauge("downpour_in_flight", "Invocations that run.", (gauges) => gauges.inFlight);
    gauge("downpour_loaded_revisions", "Revisions in memory.", (gauges) => gauges.loadedRevisions);
    new Gauge({
      name: "downpour_build_info",
      help: "Always 1; the version is a label.",
      labelNames: ["version"],
      registers: [this.#registry],
    }).set({ version }, 1);
  }
}

function createCounts(tenant: string, app: string): AppCounts {
  return {
    tenant,
    app,
    invocations: 0,
    coldStarts: 0,
    timeouts: 0,
    cpuUs: 0,
    inputBytes: 0,
    outputBytes: 0,
    stateOperations: 0,
    logBytes: 0,
    logEntriesDropped: 0,
    errors: new Map(),
    refused: new Map(),
  };
}
