import type { StateClient } from "@downpour/kvs";
import type { TenantRegistry } from "@downpour/tenants";
import type { ArtifactStore } from "../artifacts/artifact-store.ts";
import { tenantPrefix } from "../state-keys.ts";
import type { Logger } from "../telemetry/logger.ts";
import type { Deployments } from "./deployments.ts";
import { removeAll } from "./state-records.ts";
import type { UsageMeter } from "./usage-meter.ts";

export interface TenantRemovalOptions {
  readonly tenants: TenantRegistry;
  readonly deployments: Deployments;
  readonly artifacts: ArtifactStore;
  readonly usage: UsageMeter;
  readonly state: StateClient;
  readonly logger: Logger;
}

// Deletes a tenant with everything that is its own.
//
// V1. First its tokens are void, then its apps end, then its data goes, and last its name is free:
//     whoever takes the name later finds nothing of it.
// V2. It can be interrupted anywhere, and goes on after the next start.
export class TenantRemoval {
  readonly #options: TenantRemovalOptions;

  constructor(options: TenantRemovalOptions) {
    this.#options = options;
  }

  /** Settles when all is gone. */
  async remove(tenantId: string): Promise<void> {
    await this.#options.tenants.beginRemoval(tenantId);
    await this.#finish(tenantId);
  }

  /** Goes on with what an earlier process did not finish. */
  async resume(): Promise<void> {
    const { tenants, logger } = this.#options;
    for (const { tenantId, isDeleting } of tenants.list()) {
      if (!isDeleting) continue;
      try {
        await this.#finish(tenantId);
      } catch (err) {
        logger.error(
          { err, tenantId },
          "a tenant could not be deleted; the next start tries again",
        );
      }
    }
  }

  /**
   * Removes what a write that was under way while its tenant was deleted may have left, and components that
   * were not swept yet: before the name is given to somebody else.
   */
  async clearLeftovers(tenantId: string): Promise<void> {
    const { state, tenants, artifacts } = this.#options;
    if (tenants.find(tenantId) !== undefined) return;
    await removeAll(state, tenantPrefix(tenantId));
    await artifacts.removeTenant(tenantId);
  }

  async #finish(tenantId: string): Promise<void> {
    const { tenants, deployments, usage, state, logger } = this.#options;
    await deployments.removeTenant(tenantId);
    await removeAll(state, tenantPrefix(tenantId));
    await usage.remove(tenantId);
    await tenants.remove(tenantId);
    logger.info({ tenantId }, "tenant deleted");
  }
}
