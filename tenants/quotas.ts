/** What a tenant may use at most. Plain data: whoever owns a resource compares, and refuses. */
export interface Quotas {
  readonly appsMax: number;
  /** Of each app, the active one included. */
  readonly revisionsKeptMax: number;
  readonly uploadBytesMax: number;
  /** Functions in the core modules of one component. */
  readonly componentFunctionsMax: number;
  /** Sections of one component, and of what is in it. */
  readonly componentSectionsMax: number;
  /** Components inside each other in one upload. */
  readonly componentNestingMax: number;
  /** Elements of all tables of one instance. */
  readonly tableElementsMax: number;
  /** Time for checking, compiling and describing one upload. */
  readonly compileMsMax: number;
  /** Heap for it. */
  readonly compileHeapMibMax: number;
  /** Uploads under way at once. */
  readonly uploadsMax: number;
  /** Invocations of all its apps at once. */
  readonly concurrencyMax: number;
  /** Instances of all its apps: so many run at once, and idle ones are kept as long as there are fewer. */
  readonly instancesMax: number;
  /** Waiting invocations of all its apps. */
  readonly queueDepthMax: number;
  /** Input of waiting invocations of all its apps. */
  readonly queuedBytesMax: number;
  /** Invocations of all its apps that begin in a second. */
  readonly requestsPerSecondMax: number;
  /** Requests that are no invocations, in a second. */
  readonly apiRequestsPerSecondMax: number;
  /** Its share of the executors where others want them too, beside theirs. */
  readonly weight: number;
  /** Wall time of an invocation, its wait included. */
  readonly deadlineMsMax: number;
  /** Time that an invocation computes. */
  readonly cpuMsMax: number;
  /** Linear memory of one instance. */
  readonly memoryBytesMax: number;
  /** Input of one invocation. */
  readonly inputBytesMax: number;
  /** What one invocation answers. */
  readonly resultBytesMax: number;
  /** What one invocation asks of the state. */
  readonly stateOperationsMax: number;
  readonly stateValueBytesMax: number;
  /** Keys of its state. */
  readonly stateKeysMax: number;
  /** Of keys and values of its state. */
  readonly stateBytesMax: number;
  /** What its functions log in a second, each entry with 200 bytes beside its message. */
  readonly logBytesPerSecondMax: number;
}

export const QUOTA_NAMES = [
  "appsMax",
  "revisionsKeptMax",
  "uploadBytesMax",
  "componentFunctionsMax",
  "componentSectionsMax",
  "componentNestingMax",
  "tableElementsMax",
  "compileMsMax",
  "compileHeapMibMax",
  "uploadsMax",
  "concurrencyMax",
  "instancesMax",
  "queueDepthMax",
  "queuedBytesMax",
  "requestsPerSecondMax",
  "apiRequestsPerSecondMax",
  "weight",
  "deadlineMsMax",
  "cpuMsMax",
  "memoryBytesMax",
  "inputBytesMax",
  "resultBytesMax",
  "stateOperationsMax",
  "stateValueBytesMax",
  "stateKeysMax",
  "stateBytesMax",
  "logBytesPerSecondMax",
] as const satisfies readonly (keyof Quotas)[];

/** Quotas made name by name. */
export function toQuotas(quota: (name: keyof Quotas) => number): Quotas {
  return {
    appsMax: quota("appsMax"),
    revisionsKeptMax: quota("revisionsKeptMax"),
    uploadBytesMax: quota("uploadBytesMax"),
    componentFunctionsMax: quota("componentFunctionsMax"),
    componentSectionsMax: quota("componentSectionsMax"),
    componentNestingMax: quota("componentNestingMax"),
    tableElementsMax: quota("tableElementsMax"),
    compileMsMax: quota("compileMsMax"),
    compileHeapMibMax: quota("compileHeapMibMax"),
    uploadsMax: quota("uploadsMax"),
    concurrencyMax: quota("concurrencyMax"),
    instancesMax: quota("instancesMax"),
    queueDepthMax: quota("queueDepthMax"),
    queuedBytesMax: quota("queuedBytesMax"),
    requestsPerSecondMax: quota("requestsPerSecondMax"),
    apiRequestsPerSecondMax: quota("apiRequestsPerSecondMax"),
    weight: quota("weight"),
    deadlineMsMax: quota("deadlineMsMax"),
    cpuMsMax: quota("cpuMsMax"),
    memoryBytesMax: quota("memoryBytesMax"),
    inputBytesMax: quota("inputBytesMax"),
    resultBytesMax: quota("resultBytesMax"),
    stateOperationsMax: quota("stateOperationsMax"),
    stateValueBytesMax: quota("stateValueBytesMax"),
    stateKeysMax: quota("stateKeysMax"),
    stateBytesMax: quota("stateBytesMax"),
    logBytesPerSecondMax: quota("logBytesPerSecondMax"),
  };
}
