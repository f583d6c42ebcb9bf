import type { AddressInfo } from "node:net";
import { join } from "node:path";
import type { StorageThread } from "@downpour/kvs";
import { TenantRegistry } from "@downpour/tenants";
import type { FastifyInstance } from "fastify";
import { functionNames } from "./artifacts/app-record.ts";
import { AppRegistry } from "./artifacts/app-registry.ts";
import { ArtifactStore } from "./artifacts/artifact-store.ts";
import { Compiler } from "./artifacts/compiler.ts";
import { leaveOlderLayout } from "./artifacts/older-layout.ts";
import { INSTANCES_MAX } from "./config.ts";
import type { HostConfig } from "./config.ts";
import { ApiRates } from "./control/api-rates.ts";
import type { ControlPlane } from "./control/control-plane.ts";
import { Deployments } from "./control/deployments.ts";
import { buildServer } from "./control/server.ts";
import { defaultQuotas, quotaCeilings } from "./control/quota-settings.ts";
import { appRecords, openAdminToken, tenantRecords } from "./control/state-records.ts";
import { TenantRemoval } from "./control/tenant-removal.ts";
import { translateError } from "./control/translate-error.ts";
import { UsageMeter } from "./control/usage-meter.ts";
import { WriteBudget } from "./control/write-budget.ts";
import { HostError } from "./errors.ts";
import type { HostThreads } from "./host-threads.ts";
import { Scheduler } from "./scheduler/scheduler.ts";
import type { InvocationRecord } from "./scheduler/deployed-app.ts";
import { tenantPrefix } from "./state-keys.ts";
import { FunctionLogs } from "./telemetry/function-logs.ts";
import { createLogger } from "./telemetry/logger.ts";
import type { Logger } from "./telemetry/logger.ts";
import { HostMetrics } from "./telemetry/metrics.ts";
import { HOST_VERSION } from "./version.ts";

export interface HostOptions {
  /** Makes a new admin token, and the old one void. */
  readonly resetAdminToken?: boolean;
  /** Gets the admin's token when one is made: at the first start, or at a reset. It is never logged. */
  readonly onAdminToken: (token: string) => Promise<void> | void;
  readonly logger?: Logger;
}

export interface Host {
  /** For example `http://127.0.0.1:8787`. */
  readonly url: string;
  /** Settles when the host cannot go on: its storage is lost. The process must end. */
  readonly failed: Promise<Error>;
  /** Refuses new invocations, lets running ones end, stores what is counted, and gives the directory free. */
  close(): Promise<void>;
}

/** Invocations on one executor at once; most of them wait for state, and hold no thread. */
const IN_FLIGHT_PER_EXECUTOR_MAX = 1_024;
/** One tenant may have so large a part of the memory for instances. */
const TENANT_MEMORY_DIVISOR = 2;
const INSTANCE_IDLE_MS = 60_000;
const REVISION_IDLE_MS = 600_000;
const CANCEL_GRACE_MS = 1_000;
/** Forty times a fresh QuickJS instance. */
const IDLE_INSTANCE_BYTES_MAX = 64 * 1_024 * 1_024;

/** As far as there are as many: a TypeScript app has 2 MiB, most of it the runtime that all share. */
const LOADED_AHEAD_CODE_BYTES_MAX = 256 * 1_024 * 1_024;

/** Answers that are still being sent when everything else has ended. */
const CONNECTIONS_GRACE_MS = 2_000;

/**
 * Puts the parts together, in the order of their needs, and listens. Rejects with a `HostError` for
 * what an operator can do something about; then nothing of it goes on running.
 */
export async function startHost(
  config: HostConfig,
  threads: HostThreads,
  options: HostOptions,
): Promise<Host> {
  const logger = options.logger ?? createLogger(config.logLevel);
  await using started = new AsyncDisposableStack();
  try {
    const host = await start(config, threads, options, logger, started);
    // From here on `close` of the host takes it down.
    started.move();
    return host;
  } catch (error) {
    throw translateError(error);
  }
}

async function start(
  config: HostConfig,
  threads: HostThreads,
  options: HostOptions,
  logger: Logger,
  started: AsyncDisposableStack,
): Promise<Host> {
  started.defer(async () => {
    await Promise.all(threads.executors.map((worker) => worker.terminate()));
  });
  // First, because it holds the lock of the directory: nobody else may touch what comes next.
  const storage = started.adopt(await threads.storage, (opened) => opened.close());
  const state = storage.client();
  const logs = new FunctionLogs({
    entriesPerAppMax: config.logEntriesPerAppMax,
    bytesPerAppMax: config.logBytesPerAppMax,
    bytesTotalMax: config.logBytesTotalMax,
    followersPerAppMax: config.logFollowersPerAppMax,
  });
  const usage = started.adopt(
    new UsageMeter({
      state,
      flushIntervalMs: config.usageFlushIntervalMs,
      recentAppsMax: config.prewarmAppsMax,
      functionNamesOf: (tenantId, app) => {
        const record = apps.find(tenantId, app);
        return record && functionNames(record);
      },
      logger,
    }),
    (opened) => opened.close(),
  );
  const lifecycle: { status: "ready" | "draining" } = { status: "ready" };
  const metrics = new HostMetrics({
    version: HOST_VERSION,
    appsMax: config.metricsAppsMax,
    scheduler: () => ({ ...scheduler.stats(), executorsReady: readyExecutors(scheduler) }),
    quotasDefault: defaultQuotas(config),
    tenants: () => {
      const all = tenants.list();
      return {
        loads: scheduler.loads(),
        stored: all
          .map(({ tenantId }) => ({ tenantId, ...state.spaceUse(tenantPrefix(tenantId)) }))
          .filter(({ keys }) => keys > 0),
        instances: [...scheduler.instances().values()],
        tenancies: all.map(({ tenantId, quotas }) => ({
          tenantId,
          apps: apps.count(tenantId),
          revisions: apps.revisionCount(tenantId),
          uploads: deployments.uploadsOf(tenantId),
          quotas,
        })),
      };
    },
  });
  // Its threads start while this one reads what is stored.
  const starting = startScheduler({ config, threads, storage, logger, logs, usage, metrics });
  // Awaited below, unless something else fails first; its failure must not be unhandled until then.
  starting.catch(() => undefined);
  started.defer(async () => {
    const [outcome] = await Promise.allSettled([starting]);
    if (outcome.status === "fulfilled") await outcome.value.drain(0);
  });

  const artifactDirectory = join(config.dataDirectory, "artifacts");
  const artifacts = await ArtifactStore.open(artifactDirectory);

  const adminToken = await openAdminToken(state, {
    reset: options.resetAdminToken ?? false,
    onMinted: options.onAdminToken,
  });
  const tenants = await TenantRegistry.open({
    records: tenantRecords(state),
    adminToken,
    quotasDefault: defaultQuotas(config),
    quotasMax: quotaCeilings(config),
  });
  const apps = await AppRegistry.open(appRecords(state));
  await leaveOlderLayout(artifactDirectory, artifacts, apps.all());
  const scheduler: Scheduler = await starting;

  const compiler = started.adopt(
    new Compiler({
      artifactDirectory,
      loadBounds: { heapMibMax: config.compileHeapMibMax, timeMaxMs: config.compileTimeMaxMs },
      queueDepthMax: config.compileQueueDepthMax,
      isReused: config.isolation === "shared",
    }),
    (opened) => opened.close(),
  );
  const deployments = started.adopt(
    new Deployments({
      apps,
      tenants,
      artifacts,
      compiler,
      runner: scheduler,
      usage,
      stateLimiter: storage,
      logs,
      metrics,
      logger,
      config,
    }),
    (opened) => opened.close(),
  );
  deployments.activateAll();
  const removal = new TenantRemoval({ tenants, deployments, artifacts, usage, state, logger });

  const plane: ControlPlane = {
    config,
    version: HOST_VERSION,
    tenants,
    apps,
    deployments,
    removal,
    invoker: scheduler,
    loads: scheduler,
    rates: new ApiRates(),
    writes: new WriteBudget(),
    state,
    usage,
    logs,
    metrics,
    logger,
    readiness: () => {
      const { queued, inFlight } = scheduler.stats();
      const executors = readyExecutors(scheduler);
      const isWithout = lifecycle.status === "ready" && executors === 0;
      return { status: isWithout ? "no-executor" : lifecycle.status, executors, queued, inFlight };
    },
  };
  const server = started.adopt(await buildServer(plane), (opened) => opened.close());
  const url = await listen(server, config);
  logger.info({ url, version: HOST_VERSION, executors: config.executors }, "host ready");

  compiler.warmUp();
  // In the background: the host answers meanwhile, and each logs its own failures.
  void deployments.prewarm(usage.recentApps);
  void removal.resume();

  let closing: Promise<void> | undefined;
  const close = async (): Promise<void> => {
    lifecycle.status = "draining";
    logger.info("host draining");
    await scheduler.drain(config.drainTimeoutMs);
    logs.endFollowers();
    await closeServer(server);
    await deployments.close();
    await compiler.close();
    await usage.close();
    await state.close();
    await storage.close();
    logger.info("host stopped");
  };
  return {
    url,
    failed: storage.failed,
    close: () => {
      closing ??= close();
      return closing;
    },
  };
}

function startScheduler(parts: {
  readonly config: HostConfig;
  readonly threads: HostThreads;
  readonly storage: StorageThread;
  readonly logger: Logger;
  readonly logs: FunctionLogs;
  readonly usage: UsageMeter;
  readonly metrics: HostMetrics;
}): Promise<Scheduler> {
  const { config, threads, storage, logger, logs, usage, metrics } = parts;
  return Scheduler.start({
    storage,
    workers: threads.executors,
    tuning: {
      executorCount: config.executors,
      inFlightPerExecutorMax: IN_FLIGHT_PER_EXECUTOR_MAX,
      cancelGraceMs: CANCEL_GRACE_MS,
      revisionIdleMs: REVISION_IDLE_MS,
      isolation: config.isolation,
      turnMaxMs: config.executorTurnMaxMs,
      queuedBytesMax: config.queuedBytesMax,
      loadedAheadMax: {
        // A fresh upload is among them, whatever the configuration says.
        count: Math.max(1, config.prewarmAppsMax),
        codeBytes: LOADED_AHEAD_CODE_BYTES_MAX,
      },
      executor: {
        instancesMax: Math.ceil(INSTANCES_MAX / config.executors),
        memory: {
          bytesMax: Math.floor(config.instancesMemoryBytesMax / config.executors),
          tenantBytesMax: Math.floor(
            config.instancesMemoryBytesMax / config.executors / TENANT_MEMORY_DIVISOR,
          ),
        },
        instanceIdleMs: INSTANCE_IDLE_MS,
        idleInstanceBytesMax: IDLE_INSTANCE_BYTES_MAX,
        sliceMs: config.executorSliceMs,
      },
    },
    logger: {
      warn: (details, message) => logger.warn(details, message),
      error: (details, message) => logger.error(details, message),
    },
    onLog: (entries) => logs.append(entries),
    onSettled: (record) => {
      usage.record(record);
      metrics.observe(toSample(record));
    },
    onRefused: (refusal) => metrics.refused(refusal),
  });
}

function readyExecutors(scheduler: Scheduler): number {
  return scheduler.stats().executors.filter((executor) => executor.state === "ready").length;
}

function toSample(record: InvocationRecord): Parameters<HostMetrics["observe"]>[0] {
  const { identity, usage } = record;
  return {
    tenantId: identity.tenantId,
    app: identity.app,
    errorCode: record.errorCode,
    isColdStart: usage.coldStart,
    cpuUs: usage.cpuUs,
    wallUs: usage.wallUs,
    queuedUs: record.queuedUs,
    memoryBytes: usage.memoryBytes,
    inputBytes: record.inputBytes,
    outputBytes: record.outputBytes,
    stateOperations: usage.stateOperations,
    logBytes: usage.logBytes,
    logEntriesDropped: usage.logEntriesDropped,
  };
}

async function listen(server: FastifyInstance, config: HostConfig): Promise<string> {
  const { listenHost, listenPort } = config;
  try {
    await server.listen({ host: listenHost, port: listenPort });
  } catch (cause) {
    const code = cause instanceof Error && "code" in cause ? cause.code : undefined;
    if (code === "EADDRINUSE") {
      throw new HostError(
        "ADDRESS_IN_USE",
        `something else listens on ${listenHost}:${listenPort} already`,
        { details: { listenHost, listenPort }, cause },
      );
    }
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new HostError("CONFIG_INVALID", `cannot listen on ${listenHost}: ${reason}`, {
      details: { key: "listenHost" },
      cause,
    });
  }
  const address = server.server.address();
  return toUrl(listenHost, isAddressInfo(address) ? address.port : listenPort);
}

function isAddressInfo(address: string | AddressInfo | null): address is AddressInfo {
  return typeof address === "object" && address !== null;
}

/** Something that a client on this machine can use, also where the host listens on all addresses. */
function toUrl(host: string, port: number): string {
  const local = host === "0.0.0.0" || host === "::" ? "127.0.0.1" : host;
  return `http://${local.includes(":") ? `[${local}]` : local}:${port}`;
}

/** Waits for answers that are being sent, but not for a client that does not read them. */
async function closeServer(server: FastifyInstance): Promise<void> {
  const timer = setTimeout(() => server.server.closeAllConnections(), CONNECTIONS_GRACE_MS);
  await server.close();
  clearTimeout(timer);
}
