import type { SpaceLimits } from "@downpour/kvs";
import type { Quotas, Tenant, TenantRegistry } from "@downpour/tenants";
import {
  activeRevision,
  artifactsOf,
  codeKey,
  configured,
  rolledBack,
  withArtifact,
  withRevision,
} from "../artifacts/app-record.ts";
import type { AppRecord, AppSettings, Revision } from "../artifacts/app-record.ts";
import type { AppRegistry } from "../artifacts/app-registry.ts";
import type { StagedFile } from "../artifacts/artifact-folder.ts";
import type { ArtifactStore } from "../artifacts/artifact-store.ts";
import { ArtifactSweeper } from "../artifacts/artifact-sweeper.ts";
import { ComponentCache } from "../artifacts/component-cache.ts";
import type { CompiledUpload } from "../artifacts/compile-messages.ts";
import type { Compiler } from "../artifacts/compiler.ts";
import { EARLIER_LIMITS } from "../artifacts/component-limits.ts";
import type { ComponentLimits } from "../artifacts/component-limits.ts";
import type { HostConfig } from "../config.ts";
import { HostError } from "../errors.ts";
import { LogAllowance } from "../log-allowance.ts";
import { BackOff } from "../scheduler/back-off.ts";
import type { DeployedApp } from "../scheduler/deployed-app.ts";
import type { TenantLoadLimits } from "../scheduler/scheduler.ts";
import { tenantPrefix } from "../state-keys.ts";
import type { FunctionLogs } from "../telemetry/function-logs.ts";
import type { Logger } from "../telemetry/logger.ts";
import type { HostMetrics } from "../telemetry/metrics.ts";
import type { AppConfig, AppConfigPatch } from "./schemas.ts";
import type { RecentApp } from "./state-records.ts";
import { translateError } from "./translate-error.ts";
import { UploadOrder } from "./upload-order.ts";
import type { ChangeTicket } from "./upload-order.ts";

/** What the scheduler must do for whoever decides what exists. */
export interface AppRunner {
  /** A tenant is made known before its apps. */
  setTenant(tenantId: string, limits: TenantLoadLimits): void;
  /** After its last app was removed. */
  removeTenant(tenantId: string): void;
  deploy(app: DeployedApp): void;
  /** Loads an app before its first call; settles when that is done or has failed. */
  prepare(tenantId: string, app: string): Promise<void>;
  /** Settles when nothing of the app runs any more. */
  remove(tenantId: string, app: string): Promise<void>;
}

/** What bounds the state of a tenant. */
export interface StateLimiter {
  limitSpace(space: string, limits: SpaceLimits | undefined): void;
}

/** Counts what apps use. */
export interface UsageKeeper {
  /** To be awaited before an app runs. */
  lease(tenantId: string, app: string): Promise<void>;
  /** Nothing of the app runs any more. */
  retire(tenantId: string, app: string): Promise<void>;
}

export interface DeploymentsOptions {
  readonly apps: AppRegistry;
  readonly tenants: TenantRegistry;
  readonly artifacts: ArtifactStore;
  readonly compiler: Compiler;
  readonly runner: AppRunner;
  readonly usage: UsageKeeper;
  readonly stateLimiter: StateLimiter;
  readonly logs: FunctionLogs;
  readonly metrics: HostMetrics;
  readonly logger: Logger;
  readonly config: HostConfig;
}

export interface DeployResult {
  readonly outcome: "created" | "updated" | "unchanged";
  readonly record: AppRecord;
  readonly timings: {
    readonly receiveMs: number;
    readonly compileMs: number;
    readonly activateMs: number;
  };
}

/** A tenant's weight is a percentage of the usual one. */
const WEIGHT_USUAL = 100;
/** When an upload ends nobody knows; the smallest take a second. */
const UPLOAD_RETRY_AFTER_MS = 1_000;
const SWEEP_DELAY_MS = 30_000;
const COMPILE_BACK_OFF = {
  freeOffences: 2,
  firstMs: 5_000,
  longestMs: 300_000,
  forgottenAfterMs: 120_000,
};
const ENVIRONMENT_BYTES_MAX = 65_536;

// Decides what is deployed: takes uploads in, makes revisions active, and tells the scheduler.
//
// Y1. The old revision serves until the new one is checked, compiled and durably recorded; whatever
//     fails before that, a bad upload or a full disk, leaves the old one serving.
// Y2. Of concurrent changes of one app the one whose request came last holds. An upload that was
//     overtaken is refused with `UPLOAD_SUPERSEDED`; it never undoes a later change.
// Y3. The scheduler knows every app from the start on. Its code is loaded when it is first called, or ahead: right
//     after its upload, and after the start of the host for the most recently used ones.
// Y4. No artifact is removed while an upload or a recompilation is under way.
// Y5. Each change is one line of the host's log. The environment's values may be secrets: only the names of
//     changed settings are in it.
// Y6. An upload belongs to the tenant that began it: where that was deleted meanwhile it is refused, also
//     when another tenant has the name by then.
export class Deployments {
  readonly #options: DeploymentsOptions;
  readonly #order = new UploadOrder();
  readonly #cache: ComponentCache;
  readonly #sweeper: ArtifactSweeper;
  readonly #uploading = new Map<string, number>();
  /** Apps that are being created: they count for the quota before they are recorded. */
  readonly #creating = new Map<string, Set<string>>();
  readonly #logAllowances = new Map<string, LogAllowance>();
  /** Of tenants whose uploads went beyond the limits of a compilation. */
  readonly #backOffs = new Map<string, BackOff>();

  constructor(options: DeploymentsOptions) {
    this.#options = options;
    // A fresh upload must be found here by its first call, whatever the configuration says.
    this.#cache = new ComponentCache({ countMax: Math.max(1, options.config.prewarmAppsMax) });
    this.#sweeper = new ArtifactSweeper({
      artifacts: options.artifacts,
      referenced: () => referencedBy(options.apps.all()),
      delayMs: SWEEP_DELAY_MS,
      onSwept: (removed) => options.logger.debug({ removed }, "unreferenced artifacts removed"),
      onFailed: (err) =>
        options.logger.warn({ err }, "unreferenced artifacts could not be removed"),
    });
  }

  /** Tells the scheduler of everything that is deployed (Y3). */
  activateAll(): void {
    for (const tenant of this.#options.tenants.list()) this.#admitTenant(tenant);
    for (const record of this.#options.apps.all()) this.#activate(record);
    this.#sweeper.schedule();
  }

  /** Loads the code of some apps before anyone asks. Failures show when the app is called. */
  async prewarm(recent: readonly RecentApp[]): Promise<void> {
    const { config, runner } = this.#options;
    // The most recent one last, so that it stays longest.
    for (const { tenantId, app } of recent.slice(0, config.prewarmAppsMax).toReversed()) {
      await runner.prepare(tenantId, app);
    }
  }

  /** Throws before a byte of the body is read where the upload cannot succeed. */
  async deploy(
    tenant: Tenant,
    app: string,
    body: AsyncIterable<Uint8Array>,
  ): Promise<DeployResult> {
    const { metrics } = this.#options;
    try {
      const result = await this.#deploy(tenant, app, body);
      metrics.deployed(result.outcome);
      if (result.outcome !== "unchanged") this.#logDeployed(result);
      return result;
    } catch (error) {
      metrics.deploymentRefused(translateError(error).code);
      throw error;
    }
  }

  async rollback(
    tenantId: string,
    app: string,
    revisionId: string | undefined,
  ): Promise<AppRecord> {
    const record = await this.#change(tenantId, app, (before) =>
      rolledBack(before, revisionId, Date.now()),
    );
    const details = { tenantId, app, revisionId: record.activeRevisionId };
    this.#options.logger.info(details, "app rolled back");
    return record;
  }

  async configure(tenantId: string, app: string, patch: AppConfigPatch): Promise<AppRecord> {
    this.#checkPatch(patch);
    const record = await this.#change(tenantId, app, (before) =>
      configured(before, patch, Date.now()),
    );
    this.#options.logger.info({ tenantId, app, settings: Object.keys(patch) }, "app configured");
    return record;
  }

  /** Also what is running of it ends. */
  async remove(tenantId: string, app: string): Promise<void> {
    const { apps, runner, usage, logs, metrics, logger } = this.#options;
    const { revisions } = apps.get(tenantId, app);
    const ticket = this.#order.begin(`${tenantId}/${app}`);
    try {
      await apps.remove(tenantId, app);
      this.#order.applied(ticket);
      for (const gone of revisions) this.#cache.delete({ tenantId, codeKey: codeKey(gone) });
      logger.info({ tenantId, app }, "app deleted");
      await runner.remove(tenantId, app);
      logs.forget(tenantId, app);
      metrics.forget(tenantId, app);
      await usage.retire(tenantId, app);
    } finally {
      this.#order.end(ticket);
      this.#sweeper.schedule();
    }
  }

  /** Tells the scheduler of a new tenant, or of new quotas of one. */
  refreshTenant(tenant: Tenant): void {
    this.#admitTenant(tenant);
    for (const record of this.#options.apps.list(tenant.tenantId)) this.#activate(record);
  }

  /** Removes all apps of a tenant that is being deleted. */
  async removeTenant(tenantId: string): Promise<void> {
    for (const { app } of this.#options.apps.list(tenantId)) await this.remove(tenantId, app);
    this.#options.runner.removeTenant(tenantId);
    this.#options.stateLimiter.limitSpace(tenantPrefix(tenantId), undefined);
    this.#backOffs.delete(tenantId);
    this.#logAllowances.delete(tenantId);
  }

  /** The settings that hold: the owner's, within the tenant's quotas and the host's limits. */
  effectiveConfig(record: AppRecord): AppConfig {
    const { config, tenants } = this.#options;
    const { settings } = record;
    const quotas = tenants.find(record.tenantId)?.quotas;
    return {
      deadlineMs: capped(
        Math.min(settings.deadlineMs ?? config.deadlineDefaultMs, config.deadlineMaxMs),
        quotas?.deadlineMsMax,
      ),
      cpuMsMax: capped(
        Math.min(settings.cpuMsMax ?? config.cpuMsMax, config.cpuMsMax),
        quotas?.cpuMsMax,
      ),
      memoryBytesMax: capped(
        Math.min(
          settings.memoryBytesMax ?? config.instanceMemoryBytesMax,
          config.instanceMemoryBytesMax,
        ),
        quotas?.memoryBytesMax,
      ),
      concurrencyMax: capped(
        settings.concurrencyMax ?? config.concurrencyDefault,
        quotas?.concurrencyMax,
      ),
      queueDepthMax: capped(
        settings.queueDepthMax ?? config.queueDepthDefault,
        quotas?.queueDepthMax,
      ),
      requestsPerSecondMax: capped(
        settings.requestsPerSecondMax ?? config.requestsPerSecondDefault,
        quotas?.requestsPerSecondMax,
      ),
      idleInstancesMax: settings.idleInstancesMax ?? config.idleInstancesDefault,
      reuse: settings.reuse ?? "always",
      environment: settings.environment ?? {},
    };
  }

  /** How many uploads of a tenant are under way. */
  uploadsOf(tenantId: string): number {
    return this.#uploading.get(tenantId) ?? 0;
  }

  /** How large a component of this tenant may be. */
  uploadBytesMax(tenant: Tenant): number {
    return Math.min(tenant.quotas.uploadBytesMax, this.#options.config.uploadBytesMax);
  }

  async close(): Promise<void> {
    await this.#sweeper.close();
  }

  async #deploy(
    tenant: Tenant,
    app: string,
    body: AsyncIterable<Uint8Array>,
  ): Promise<DeployResult> {
    const release = this.#admit(tenant, app);
    const ticket = this.#order.begin(`${tenant.tenantId}/${app}`);
    try {
      return await this.#sweeper.writing(() => this.#receive(tenant, app, body, ticket));
    } finally {
      this.#order.end(ticket);
      release();
      this.#sweeper.schedule();
    }
  }

  async #receive(
    tenant: Tenant,
    app: string,
    body: AsyncIterable<Uint8Array>,
    ticket: ChangeTicket,
  ): Promise<DeployResult> {
    const { apps, artifacts } = this.#options;
    const startedAtMs = performance.now();
    const staged = await artifacts.stage(body, this.uploadBytesMax(tenant));
    try {
      const receivedAtMs = performance.now();
      const receiveMs = receivedAtMs - startedAtMs;
      const { quotas } = this.#current(tenant);
      const before = apps.find(tenant.tenantId, app);
      const isActive = before !== undefined && runsWith(before, staged, quotas);
      if (isActive && !this.#order.isSuperseded(ticket)) {
        this.#order.applied(ticket);
        // Whatever became of the file on disk: now it is sound.
        await artifacts.of(tenant.tenantId).adopt(staged);
        const timings = { receiveMs, compileMs: 0, activateMs: 0 };
        return { outcome: "unchanged", record: before, timings };
      }
      const upload = await this.#compile(tenant.tenantId, staged.path, quotas);
      const compiledAtMs = performance.now();
      await artifacts.of(tenant.tenantId).adopt(staged);
      const revision = toRevision(staged, upload, quotas);
      const { record, isNew } = await this.#record(tenant, app, revision, ticket);
      const code = { tenantId: tenant.tenantId, codeKey: codeKey(revision) };
      this.#cache.put(code, upload.component);
      // Its first call comes right after the answer.
      await this.#options.runner.prepare(tenant.tenantId, app);
      return {
        outcome: isNew ? "created" : "updated",
        record,
        timings: {
          receiveMs,
          compileMs: compiledAtMs - receivedAtMs,
          activateMs: performance.now() - compiledAtMs,
        },
      };
    } finally {
      // After it was adopted there is nothing left to discard.
      await artifacts.discard(staged);
    }
  }

  /** A tenant whose components take more than they may is kept out for a while, longer each time. */
  async #compile(tenantId: string, path: string, quotas: Quotas): Promise<CompiledUpload> {
    const bounds = { timeMaxMs: quotas.compileMsMax, heapMibMax: quotas.compileHeapMibMax };
    try {
      const limits = componentLimits(quotas);
      return await this.#options.compiler.compile(tenantId, path, limits, bounds);
    } catch (error) {
      const { code } = HostError.from(error);
      if (code === "COMPILE_LIMIT_EXCEEDED") {
        const backOff = this.#backOffs.get(tenantId) ?? new BackOff(COMPILE_BACK_OFF);
        this.#backOffs.set(tenantId, backOff);
        backOff.offend(performance.now());
      }
      throw error;
    }
  }

  #logDeployed({ outcome, record, timings }: DeployResult): void {
    const { tenantId, app, activeRevisionId } = record;
    const { componentBytes } = activeRevision(record).sizes;
    this.#options.logger.info(
      { tenantId, app, revisionId: activeRevisionId, outcome, componentBytes, ...timings },
      "app deployed",
    );
  }

  async #record(
    tenant: Tenant,
    app: string,
    revision: Revision,
    ticket: ChangeTicket,
  ): Promise<{ readonly record: AppRecord; readonly isNew: boolean }> {
    const { apps } = this.#options;
    const { tenantId } = tenant;
    let isNew = false;
    const record = await apps.change(
      tenantId,
      app,
      (before) => {
        if (this.#order.isSuperseded(ticket)) {
          throw new HostError("UPLOAD_SUPERSEDED", "a later change of this app came first");
        }
        const { quotas } = this.#current(tenant);
        isNew = before === undefined;
        return withRevision(before, { tenantId, app }, revision, quotas.revisionsKeptMax);
      },
      (changed) => {
        this.#order.applied(ticket);
        this.#activate(changed);
      },
    );
    return { record, isNew };
  }

  /** The tenant as it is now. Its upload ends with it, whoever has its name meanwhile (Y6). */
  #current(tenant: Tenant): Tenant {
    const current = this.#options.tenants.current(tenant);
    if (current !== undefined) return current;
    throw new HostError("UNAUTHENTICATED", "the tenant was deleted during the upload");
  }

  /** A change of an app that is there, as a whole. */
  async #change(
    tenantId: string,
    app: string,
    next: (record: AppRecord) => AppRecord,
  ): Promise<AppRecord> {
    const { apps } = this.#options;
    const ticket = this.#order.begin(`${tenantId}/${app}`);
    let wasRevision: string | undefined;
    try {
      return await apps.change(
        tenantId,
        app,
        () => {
          const record = apps.get(tenantId, app);
          wasRevision = record.activeRevisionId;
          return next(record);
        },
        (changed) => {
          // A change of settings undoes no upload that is under way; a rollback does.
          if (changed.activeRevisionId !== wasRevision) this.#order.applied(ticket);
          this.#activate(changed);
        },
      );
    } finally {
      this.#order.end(ticket);
    }
  }

  #admitTenant({ tenantId, quotas }: Tenant): void {
    const { stateKeysMax: keysMax, stateBytesMax: bytesMax } = quotas;
    this.#options.stateLimiter.limitSpace(tenantPrefix(tenantId), { keysMax, bytesMax });
    this.#logAllowance(tenantId).setRate(quotas.logBytesPerSecondMax);
    this.#options.runner.setTenant(tenantId, {
      ...quotas,
      // Each that runs has an instance to itself.
      concurrencyMax: Math.min(quotas.concurrencyMax, quotas.instancesMax),
      weight: quotas.weight / WEIGHT_USUAL,
    });
  }

  /** What all apps of the tenant may log, on all threads. */
  #logAllowance(tenantId: string): LogAllowance {
    let allowance = this.#logAllowances.get(tenantId);
    if (allowance === undefined) {
      allowance = LogAllowance.of(this.#options.config.tenantLogBytesPerSecondMax);
      this.#logAllowances.set(tenantId, allowance);
    }
    return allowance;
  }

  #activate(record: AppRecord): void {
    const { runner, usage, config, tenants } = this.#options;
    const revision = activeRevision(record);
    const effective = this.effectiveConfig(record);
    const quotas = tenants.find(record.tenantId)?.quotas;
    runner.deploy({
      identity: {
        tenantId: record.tenantId,
        app: record.app,
        revisionId: revision.revisionId,
      },
      codeKey: codeKey(revision),
      functions: new Set(revision.functions.map(({ name }) => name)),
      executorLimits: {
        resultBytesMax: capped(config.resultBytesMax, quotas?.resultBytesMax),
        stateValueBytesMax: capped(config.stateValueBytesMax, quotas?.stateValueBytesMax),
        stateOperationsMax: capped(
          config.stateOperationsPerInvocationMax,
          quotas?.stateOperationsMax,
        ),
        logMessageBytesMax: config.logMessageBytesMax,
        logEntriesMax: config.logEntriesPerInvocationMax,
        logAllowance: this.#logAllowance(record.tenantId).shared,
        idleInstancesMax: effective.reuse === "never" ? 0 : effective.idleInstancesMax,
        tenantInstancesMax: Math.ceil(
          (quotas?.instancesMax ?? config.tenantInstancesMax) / config.executors,
        ),
        cpuMsMax: effective.cpuMsMax,
        memoryBytesMax: effective.memoryBytesMax,
        environment: effective.environment,
      },
      deadlineMs: effective.deadlineMs,
      limits: {
        concurrencyMax: effective.concurrencyMax,
        queueDepthMax: effective.queueDepthMax,
        queuedBytesMax: capped(config.queuedBytesMax, quotas?.queuedBytesMax),
        requestsPerSecondMax: effective.requestsPerSecondMax,
      },
      codeBytes: revision.sizes.coreModuleBytes,
      load: async () => {
        const [component] = await Promise.all([
          this.#load(record, revision),
          usage.lease(record.tenantId, record.app),
        ]);
        return component;
      },
    });
  }

  async #load(record: AppRecord, revision: Revision): ReturnType<DeployedApp["load"]> {
    const { apps, compiler, logger } = this.#options;
    const { tenantId, app } = record;
    const { revisionId } = revision;
    const code = { tenantId, codeKey: codeKey(revision) };
    const cached = this.#cache.get(code);
    if (cached !== undefined) return cached;
    return this.#sweeper.writing(async () => {
      // As it is recorded now: it may have been compiled anew since this revision became active.
      const { artifact } =
        apps.find(tenantId, app)?.revisions.find((kept) => codeKey(kept) === code.codeKey) ??
        revision;
      const limits = revision.limits ?? EARLIER_LIMITS;
      const { component, recompiled } = await compiler.load(tenantId, revisionId, artifact, limits);
      this.#cache.put(code, component);
      if (recompiled !== undefined) {
        logger.info({ tenantId, app, revisionId }, "a revision was compiled anew");
        await apps.change(
          tenantId,
          app,
          () => withArtifact(apps.get(tenantId, app), revision, recompiled),
          // The same revision goes on: the scheduler need not know.
          () => undefined,
        );
      }
      return component;
    });
  }

  /** Whether the tenant may upload now; answers what to call when the upload has ended. */
  #admit(tenant: Tenant, app: string): () => void {
    const { apps } = this.#options;
    const { tenantId, quotas } = tenant;
    const uploading = this.#uploading.get(tenantId) ?? 0;
    if (uploading >= quotas.uploadsMax) {
      throw new HostError("QUEUE_FULL", "too many uploads of this tenant are under way", {
        details: { uploadsMax: quotas.uploadsMax, retryAfterMs: UPLOAD_RETRY_AFTER_MS },
      });
    }
    const backOffMs = this.#backOffs.get(tenantId)?.waitMs(performance.now()) ?? 0;
    if (backOffMs > 0) {
      throw new HostError(
        "BACKED_OFF",
        "components of this tenant took more time or memory than they may, again and again",
        { details: { limitOf: "tenant", retryAfterMs: Math.ceil(backOffMs) } },
      );
    }
    const creating = this.#creating.get(tenantId) ?? new Set<string>();
    const isNew = apps.find(tenantId, app) === undefined && !creating.has(app);
    if (isNew) {
      const others = [...creating].filter((name) => apps.find(tenantId, name) === undefined);
      if (apps.count(tenantId) + others.length >= quotas.appsMax) {
        throw new HostError("QUOTA_EXCEEDED", `the tenant may have ${quotas.appsMax} apps`, {
          details: { appsMax: quotas.appsMax },
        });
      }
      creating.add(app);
      this.#creating.set(tenantId, creating);
    }
    this.#uploading.set(tenantId, uploading + 1);
    return () => {
      if (isNew) creating.delete(app);
      if (creating.size === 0) this.#creating.delete(tenantId);
      const left = (this.#uploading.get(tenantId) ?? 1) - 1;
      if (left === 0) this.#uploading.delete(tenantId);
      else this.#uploading.set(tenantId, left);
    };
  }

  #checkPatch({ deadlineMs, environment }: AppConfigPatch): void {
    const { deadlineMaxMs } = this.#options.config;
    if (typeof deadlineMs === "number" && deadlineMs > deadlineMaxMs) {
      throw new HostError("REQUEST_INVALID", `deadlineMs may be at most ${deadlineMaxMs} here`, {
        details: { deadlineMaxMs },
      });
    }
    const bytes = environmentBytes(environment ?? {});
    if (bytes > ENVIRONMENT_BYTES_MAX) {
      throw new HostError(
        "REQUEST_INVALID",
        `the environment has ${bytes} bytes; the limit is ${ENVIRONMENT_BYTES_MAX}`,
        { details: { environmentBytesMax: ENVIRONMENT_BYTES_MAX } },
      );
    }
  }
}

/** What each tenant's apps need of its artifacts. */
function referencedBy(apps: Iterable<AppRecord>): ReadonlyMap<string, ReadonlySet<string>> {
  const byTenant = new Map<string, Set<string>>();
  for (const record of apps) {
    const names = byTenant.get(record.tenantId) ?? new Set();
    for (const name of artifactsOf(record)) names.add(name);
    byTenant.set(record.tenantId, names);
  }
  return byTenant;
}

/** Whether an upload of these bytes would give what is active: with other quotas it is checked and compiled anew. */
function runsWith(record: AppRecord, { sha256 }: StagedFile, quotas: Quotas): boolean {
  const uploaded = { revisionId: sha256, limits: componentLimits(quotas) };
  return codeKey(activeRevision(record)) === codeKey(uploaded);
}

function componentLimits(quotas: Quotas): ComponentLimits {
  const { tableElementsMax, componentFunctionsMax, componentSectionsMax, componentNestingMax } =
    quotas;
  return {
    tableElementsMax,
    componentFunctionsMax,
    componentSectionsMax,
    componentNestingMax,
  };
}

function toRevision(staged: StagedFile, upload: CompiledUpload, quotas: Quotas): Revision {
  return {
    revisionId: staged.sha256,
    deployedAtMs: Date.now(),
    functions: upload.manifest.functions,
    imports: [...upload.component.imports],
    sizes: {
      componentBytes: staged.bytes,
      coreModules: upload.coreModules,
      coreModuleBytes: upload.coreModuleBytes,
      ...upload.complexity,
    },
    limits: componentLimits(quotas),
    artifact: upload.artifact,
  };
}

/** A tenant that is gone has no quotas, and nothing that runs any more. */
function capped(value: number, quota: number | undefined): number {
  return Math.min(value, quota ?? value);
}

function environmentBytes(environment: NonNullable<AppSettings["environment"]>): number {
  return Object.entries(environment).reduce(
    (sum, [name, value]) => sum + Buffer.byteLength(name) + Buffer.byteLength(value),
    0,
  );
}
