import { DeficitRoundRobin } from "./deficit-round-robin.ts";
import type { Share } from "./deficit-round-robin.ts";

/** A tenant's place in the line. */
export interface TenantPlace<App> {
  /** The turns of its apps, within its own. */
  readonly apps: DeficitRoundRobin<App>;
  readonly share: Share<DeficitRoundRobin<App>>;
}

/** An app's place among the apps of its tenant. */
export interface AppPlace<App> {
  readonly tenant: TenantPlace<App>;
  readonly share: Share<App>;
}

/**
 * Processor time that a tenant, or an app within one, may use before it is the next one's turn: short
 * enough that a round of a hundred busy tenants takes half a second.
 */
const QUANTUM_US = 5_000;

// Whose invocation is next: tenants take turns by weight, and within each its apps do, in processor
// time (`deficit-round-robin.ts`). It holds no invocation; those wait at their apps.
//
// W1. An app that may not run (nothing waits, or its own limit holds) takes no turn, nor does a tenant
//     at its limit: nobody waits for them.
// W2. Every charge is made twice, to the tenant and to the app.
export class WaitingLine<App> {
  readonly #tenants = new DeficitRoundRobin<DeficitRoundRobin<App>>({ quantumUs: QUANTUM_US });

  /** Whether nobody waits who may run. */
  get isEmpty(): boolean {
    return this.#tenants.size === 0;
  }

  joinTenant(weight: number): TenantPlace<App> {
    const apps = new DeficitRoundRobin<App>({ quantumUs: QUANTUM_US });
    return { apps, share: this.#tenants.join(apps, weight) };
  }

  joinApp(tenant: TenantPlace<App>, app: App): AppPlace<App> {
    return { tenant, share: tenant.apps.join(app, 1) };
  }

  /**
   * Whether the app has something that waits and may run, and whether its tenant is below its own
   * limit (W1). To be told whenever one of them may have changed.
   */
  offer({ tenant, share }: AppPlace<App>, hasWork: boolean, tenantMayRun: boolean): void {
    const { apps } = tenant;
    if (hasWork) apps.wait(share);
    else apps.leave(share);
    if (tenantMayRun && apps.size > 0) this.#tenants.wait(tenant.share);
    else this.#tenants.leave(tenant.share);
  }

  next(): App | undefined {
    return this.#tenants.next()?.flow.next()?.flow;
  }

  /** One invocation of the app left the line, and will probably use so much. */
  served(place: AppPlace<App>, estimateUs: number): void {
    this.charge(place, estimateUs);
    this.#tenants.pass(place.tenant.share);
    place.tenant.apps.pass(place.share);
  }

  /** What was used beyond the estimate, or, negative, less than that. */
  charge({ tenant, share }: AppPlace<App>, costUs: number): void {
    this.#tenants.charge(tenant.share, costUs);
    tenant.apps.charge(share, costUs);
  }
}
