import assert from "node:assert/strict";

/**
 * How many invocations of a tenant may wait for their writes before its next one starts.
 *
 * What they wait for is a message to the storage thread and back, and what a few of them compute hides
 * that. More would only mean more instances in turn, and each one's memory is out of the processor's
 * caches when its turn comes.
 */
const WAITING_MAX = 8;

interface Tenant {
  waiting: number;
  /** One that waited has gone on, and none has started for it. */
  hasPassage: boolean;
}

// Counts an executor's invocations that wait for a write, and says whose next one may start.
//
// W1. Each tenant has a gate of its own: who writes a lot holds up nobody else.
// W2. A gate with room lets as many start as asked for. A full one lets one start when a write settled: functions
//     that write again and again take their room back at once, and must not keep everybody else from starting.
export class WriteGate {
  readonly #onLeave: () => void;
  /** Those with invocations that wait, or waited lately. */
  readonly #tenants = new Map<string, Tenant>();

  constructor(onLeave: () => void) {
    this.#onLeave = onLeave;
  }

  mayStart(tenantId: string): boolean {
    const tenant = this.#tenants.get(tenantId);
    return tenant === undefined || tenant.waiting < WAITING_MAX || tenant.hasPassage;
  }

  started(tenantId: string): void {
    const tenant = this.#tenants.get(tenantId);
    if (tenant !== undefined) tenant.hasPassage = false;
  }

  enter(tenantId: string): void {
    const tenant = this.#tenants.get(tenantId);
    if (tenant === undefined) this.#tenants.set(tenantId, { waiting: 1, hasPassage: false });
    else tenant.waiting += 1;
  }

  leave(tenantId: string): void {
    const tenant = this.#tenants.get(tenantId);
    assert(tenant !== undefined);
    tenant.waiting -= 1;
    tenant.hasPassage = true;
    this.#onLeave();
  }

  /** Forgets those of whom none waits; not sooner, since they may all wait again in the same turn. */
  sweep(): void {
    for (const [tenantId, { waiting }] of this.#tenants) {
      if (waiting === 0) this.#tenants.delete(tenantId);
    }
  }
}
