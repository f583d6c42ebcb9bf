/** What a tenant may use at most. Plain data: whoever owns a resource compares, and refuses. */
export interface Quotas {
  readonly appsMax: number;
  /** Of each app, the active one included. */
  readonly revisionsKeptMax: number;
  readonly uploadBytesMax: number;
  /** Uploads under way at once. */
  readonly uploadsMax: number;
  /** Invocations of all its apps at once. */
  readonly concurrencyMax: number;
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
  "uploadsMax",
  "concurrencyMax",
  "queueDepthMax",
  "queuedBytesMax",
  "requestsPerSecondMax",
  "apiRequestsPerSecondMax",
  "weight",
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
    uploadsMax: quota("uploadsMax"),
    concurrencyMax: quota("concurrencyMax"),
    queueDepthMax: quota("queueDepthMax"),
    queuedBytesMax: quota("queuedBytesMax"),
    requestsPerSecondMax: quota("requestsPerSecondMax"),
    apiRequestsPerSecondMax: quota("apiRequestsPerSecondMax"),
    weight: quota("weight"),
    stateValueBytesMax: quota("stateValueBytesMax"),
    stateKeysMax: quota("stateKeysMax"),
    stateBytesMax: quota("stateBytesMax"),
    logBytesPerSecondMax: quota("logBytesPerSecondMax"),
  };
}
