/** Linear memory of the instances of one thread, together. */
export interface MemoryLimits {
  readonly bytesMax: number;
  /** Of one tenant, whatever number of instances it has. */
  readonly tenantBytesMax: number;
}

/** What one instance has. */
export interface MemoryUse {
  readonly tenantId: string;
  readonly bytes: number;
}

/** The instances of the thread, as their memory sees them. */
export interface MemoryUsers {
  /** What each instance that there is has now. */
  readonly inUse: () => Iterable<MemoryUse>;
  /** Lets go of an idle instance, of a tenant or of anyone; answers what it had, or undefined where there is none. */
  readonly evict: (tenantId: string | undefined) => MemoryUse | undefined;
  /** Gives back to the operating system what instances had that are gone. It holds the thread for some ten milliseconds. */
  readonly collect: () => void;
}

/** Counting takes a while, and a guest may ask again and again for what it does not get. */
const COUNT_INTERVAL_MS = 10;

/**
 * What instances had that are gone: for less, nothing is collected. Giving back holds the thread for about a tenth of
 * a millisecond for each megabyte, beside what looking for it takes: while others wait, it is done in small parts.
 */
const COLLECTED_BYTES_MIN = {
  atLimit: 64 * 1024 * 1024,
  busy: 128 * 1024 * 1024,
  idle: 8 * 1024 * 1024,
};

// What the instances of one thread may take together, so that no number of them ends the process.
//
// M1. Memory is taken before it is there. What instances give back by ending is found by counting anew,
//     and that is only done where a limit seems to be reached: in between the sums are not too low.
// M2. A tenant that has all that it may have gets no more; others do, as long as there is some for all.
// M3. Nobody goes without for an idle instance: those that are idle longest are let go first, a tenant's own
//     for what it has too much of. Who has just asked in vain is not counted for again at once; that
//     is said of its tenant alone.
// M4. What instances had that are gone, is taken from the machine until it is collected, which nobody does by
//     himself: it is done whenever it is much, before the limit of all is passed with it, and when the thread has
//     nothing else to do.
export class MemoryBudget {
  readonly #limits: MemoryLimits;
  readonly #users: MemoryUsers;
  #byTenant = new Map<string, number>();
  #bytes = 0;
  /** All that was in use when it was collected last, and was taken since. */
  #uncollectedBytes = 0;
  /** What instances had that ended since. */
  #goneBytes = 0;
  /** When it was counted in vain for a tenant, the longest ago first; what is too long ago goes. */
  readonly #countedAtMs = new Map<string, number>();

  constructor(limits: MemoryLimits, users: MemoryUsers) {
    this.#limits = limits;
    this.#users = users;
  }

  /** Whether an instance of the tenant may have so many bytes more; then they count as taken. */
  take(tenantId: string, bytes: number): boolean {
    if (!this.#hasRoom(tenantId, bytes) && !this.#makeRoom(tenantId, bytes)) return false;
    if (this.#uncollectedBytes + bytes > this.#limits.bytesMax) {
      this.#collect(COLLECTED_BYTES_MIN.atLimit);
    }
    this.#take(tenantId, bytes);
    return true;
  }

  /** An instance with so many bytes has ended. */
  release(bytes: number): void {
    this.#goneBytes += bytes;
  }

  /** For the end of a turn: what ended in it is held by nobody any more. */
  collectReleased(): void {
    if (this.#goneBytes >= COLLECTED_BYTES_MIN.busy) this.#collect(COLLECTED_BYTES_MIN.busy);
  }

  /** For a time at which nobody waits for the thread. */
  collectIdle(): void {
    this.#collect(COLLECTED_BYTES_MIN.idle);
  }

  /** The same, of what nobody has, as far as that is known without counting. */
  takeFree(tenantId: string, bytes: number): boolean {
    const isFree = this.#hasRoom(tenantId, bytes);
    if (isFree) this.#take(tenantId, bytes);
    return isFree;
  }

  #take(tenantId: string, bytes: number): void {
    this.#add(tenantId, bytes);
    this.#uncollectedBytes += bytes;
  }

  #collect(bytesMin: number): void {
    this.#goneBytes = 0;
    this.#countAnew();
    if (this.#uncollectedBytes - this.#bytes < bytesMin) return;
    this.#users.collect();
    this.#uncollectedBytes = this.#bytes;
  }

  #hasRoom(tenantId: string, bytes: number): boolean {
    return this.#bytes + bytes <= this.#limits.bytesMax && this.#hasTenantRoom(tenantId, bytes);
  }

  #hasTenantRoom(tenantId: string, bytes: number): boolean {
    return (this.#byTenant.get(tenantId) ?? 0) + bytes <= this.#limits.tenantBytesMax;
  }

  #makeRoom(tenantId: string, bytes: number): boolean {
    const nowMs = performance.now();
    for (const [counted, atMs] of this.#countedAtMs) {
      if (nowMs - atMs < COUNT_INTERVAL_MS) break;
      this.#countedAtMs.delete(counted);
    }
    const isCounted = !this.#countedAtMs.has(tenantId);
    if (isCounted) this.#countAnew();
    while (!this.#hasRoom(tenantId, bytes)) {
      if (this.#evict(this.#hasTenantRoom(tenantId, bytes) ? undefined : tenantId)) continue;
      if (isCounted) this.#countedAtMs.set(tenantId, nowMs);
      return false;
    }
    return true;
  }

  #evict(tenantId: string | undefined): boolean {
    const gone = this.#users.evict(tenantId);
    if (gone === undefined) return false;
    this.#add(gone.tenantId, -gone.bytes);
    return true;
  }

  #countAnew(): void {
    this.#byTenant = new Map();
    this.#bytes = 0;
    for (const { tenantId, bytes } of this.#users.inUse()) this.#add(tenantId, bytes);
  }

  #add(tenantId: string, bytes: number): void {
    this.#byTenant.set(tenantId, (this.#byTenant.get(tenantId) ?? 0) + bytes);
    this.#bytes += bytes;
  }
}
