import type { Tenant } from "@downpour/tenants";
import { HostError } from "../errors.ts";
import { TokenBucket } from "../scheduler/token-bucket.ts";

/**
 * How often a tenant may ask the control plane, which answers on the main thread: everything but
 * invocations, which have limits of their own. Buckets go with the tenants they are of; a change of a tenant
 * makes a new one.
 */
export class ApiRates {
  readonly #buckets = new WeakMap<Tenant, TokenBucket>();

  /** Counts a request, or one that costs as much as several. Throws `RATE_LIMITED`. */
  take(tenant: Tenant, requests = 1): void {
    const { apiRequestsPerSecondMax } = tenant.quotas;
    const nowMs = performance.now();
    let bucket = this.#buckets.get(tenant);
    if (bucket === undefined) {
      bucket = new TokenBucket(apiRequestsPerSecondMax, nowMs);
      this.#buckets.set(tenant, bucket);
    }
    const waitMs = bucket.waitMs(nowMs, requests);
    if (waitMs > 0) {
      throw new HostError(
        "RATE_LIMITED",
        `the tenant may send ${apiRequestsPerSecondMax} requests a second beside invocations`,
        {
          details: {
            limitOf: "tenant",
            apiRequestsPerSecondMax,
            retryAfterMs: Math.ceil(waitMs),
          },
        },
      );
    }
    bucket.take(requests);
  }
}
