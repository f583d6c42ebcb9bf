import type { Quotas } from "@downpour/tenants";
import type { HostConfig } from "../config.ts";

/** What a new tenant gets. */
export function defaultQuotas(config: HostConfig): Quotas {
  return {
    ...hostLimits(config),
    appsMax: config.tenantAppsMax,
    revisionsKeptMax: config.tenantRevisionsKeptMax,
    uploadsMax: config.tenantUploadsMax,
    concurrencyMax: config.tenantConcurrencyMax,
    instancesMax: config.tenantInstancesMax,
    queueDepthMax: config.tenantQueueDepthMax,
    queuedBytesMax: config.tenantQueuedBytesMax,
    requestsPerSecondMax: config.tenantRequestsPerSecondMax,
    apiRequestsPerSecondMax: config.tenantApiRequestsPerSecondMax,
    weight: config.tenantWeight,
    stateKeysMax: config.tenantStateKeysMax,
    stateBytesMax: config.tenantStateBytesMax,
    logBytesPerSecondMax: config.tenantLogBytesPerSecondMax,
  };
}

/** What the operator lets no tenant go beyond. */
export function quotaCeilings(config: HostConfig): Quotas {
  return {
    ...hostLimits(config),
    appsMax: config.tenantAppsCeiling,
    revisionsKeptMax: config.tenantRevisionsKeptCeiling,
    uploadsMax: config.tenantUploadsCeiling,
    concurrencyMax: config.tenantConcurrencyCeiling,
    instancesMax: config.tenantInstancesCeiling,
    queueDepthMax: config.tenantQueueDepthCeiling,
    queuedBytesMax: config.tenantQueuedBytesCeiling,
    requestsPerSecondMax: config.tenantRequestsPerSecondCeiling,
    apiRequestsPerSecondMax: config.tenantApiRequestsPerSecondCeiling,
    weight: config.tenantWeightCeiling,
    stateKeysMax: config.tenantStateKeysCeiling,
    stateBytesMax: config.tenantStateBytesCeiling,
    logBytesPerSecondMax: config.tenantLogBytesPerSecondCeiling,
  };
}

/** Quotas whose default and ceiling are the host's own limit: a tenant has all of it, unless the admin says less. */
function hostLimits(config: HostConfig) {
  return {
    uploadBytesMax: config.uploadBytesMax,
    componentFunctionsMax: config.componentFunctionsMax,
    componentSectionsMax: config.componentSectionsMax,
    componentNestingMax: config.componentNestingMax,
    tableElementsMax: config.tableElementsMax,
    compileMsMax: config.compileTimeMaxMs,
    compileHeapMibMax: config.compileHeapMibMax,
    deadlineMsMax: config.deadlineMaxMs,
    cpuMsMax: config.cpuMsMax,
    memoryBytesMax: config.instanceMemoryBytesMax,
    inputBytesMax: config.requestBodyBytesMax,
    resultBytesMax: config.resultBytesMax,
    stateOperationsMax: config.stateOperationsPerInvocationMax,
    stateValueBytesMax: config.stateValueBytesMax,
  } satisfies Partial<Quotas>;
}
