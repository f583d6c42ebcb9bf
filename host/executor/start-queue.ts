import type { Invocation } from "../protocol.ts";

// The invocations of one executor that wait to start.
//
// Q1. Tenants take turns, and those of one tenant start in the order in which they came: what one has
//     sent ahead holds up nobody else for longer than one of them takes to start.
export class StartQueue {
  /** Whoever is next comes first; none is empty. */
  readonly #tenants = new Map<string, Invocation[]>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  push(tenantId: string, invocation: Invocation): void {
    const queue = this.#tenants.get(tenantId);
    if (queue === undefined) this.#tenants.set(tenantId, [invocation]);
    else queue.push(invocation);
    this.#size += 1;
  }

  /** The next one of the first tenant that may start one; it stays until it is taken. */
  next(mayStart: (tenantId: string) => boolean): readonly [string, Invocation] | undefined {
    for (const [tenantId, [first]] of this.#tenants) {
      if (first !== undefined && mayStart(tenantId)) return [tenantId, first];
    }
    return undefined;
  }

  /** The next one of a tenant has started: all others come before its next one. */
  take(tenantId: string): void {
    const queue = this.#tenants.get(tenantId);
    if (queue === undefined) return;
    queue.shift();
    this.#size -= 1;
    this.#tenants.delete(tenantId);
    if (queue.length > 0) this.#tenants.set(tenantId, queue);
  }

  remove(invocationId: string): Invocation | undefined {
    for (const [tenantId, queue] of this.#tenants) {
      const index = queue.findIndex((queued) => queued.invocationId === invocationId);
      const [removed] = index === -1 ? [] : queue.splice(index, 1);
      if (removed === undefined) continue;
      this.#size -= 1;
      if (queue.length === 0) this.#tenants.delete(tenantId);
      return removed;
    }
    return undefined;
  }
}
