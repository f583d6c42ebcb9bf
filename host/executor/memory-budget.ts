/** Linear memory of the instances of one thread, together. */
export interface MemoryLimits {
  readonly bytesMax: number;
  /** Of one tenant, whatever number of instances it has. */
  readonly tenantBytesMax: number;
}

// What the instances of one thread may take together, so that no number of them ends the process.
//
// M1. Memory is taken before it is there. What instances give back by ending is found by counting anew,
//     and that is only done where a limit seems to be reached: the sums here are never too low.
// M2. A tenant that has all that it may have gets no more; others do, as long as there is some for all.
export class MemoryBudget {
  readonly #limits: MemoryLimits;
  readonly #inUse: () => Iterable<{ readonly tenantId: string; readonly bytes: number }>;
  #byTenant = new Map<string, number>();
  #bytes = 0;

  constructor(
    limits: MemoryLimits,
    /** What each instance that there is has now. */
    inUse: () => Iterable<{ readonly tenantId: string; readonly bytes: number }>,
  ) {
    this.#limits = limits;
    this.#inUse = inUse;
  }

  /** Whether an instance of the tenant may have so many bytes more; then they count as taken. */
  take(tenantId: string, bytes: number): boolean {
    if (!this.#hasRoom(tenantId, bytes)) {
      this.#countAnew();
      if (!this.#hasRoom(tenantId, bytes)) return false;
    }
    this.#add(tenantId, bytes);
    return true;
  }

  #hasRoom(tenantId: string, bytes: number): boolean {
    const { bytesMax, tenantBytesMax } = this.#limits;
    const ofTenant = this.#byTenant.get(tenantId) ?? 0;
    return this.#bytes + bytes <= bytesMax && ofTenant + bytes <= tenantBytesMax;
  }

  #countAnew(): void {
    this.#byTenant = new Map();
    this.#bytes = 0;
    for (const { tenantId, bytes } of this.#inUse()) this.#add(tenantId, bytes);
  }

  #add(tenantId: string, bytes: number): void {
    this.#byTenant.set(tenantId, (this.#byTenant.get(tenantId) ?? 0) + bytes);
    this.#bytes += bytes;
  }
}
