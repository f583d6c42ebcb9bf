/** What a tenant may use at most. Plain data: whoever owns a resource compares, and refuses. */
export interface Quotas {
  readonly appsMax: number;
  /** Of each app, the active one included. */
  readonly revisionsKeptMax: number;
  readonly uploadBytesMax: number;
  /** Invocations of one app at once. */
  readonly concurrencyMax: number;
  /** Waiting invocations of one app. */
  readonly queueDepthMax: number;
  readonly stateValueBytesMax: number;
}
