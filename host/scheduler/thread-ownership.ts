/** One thread, as far as it matters whose it is. */
export interface OwnedThread {
  readonly executorId: number;
  /** The one tenant whose guests it has run; undefined for a thread that is fresh, or not there yet. */
  readonly tenantId: string | undefined;
  readonly ownedSinceMs: number;
  /** It takes nothing more, and is replaced by a fresh one when it is empty. */
  readonly isRetiring: boolean;
}

/** A thread that was just taken is left to its tenant for a while: a fresh one costs a tenth of a second. */
const OWNED_MS_MIN = 250;

/**
 * Which threads to retire so that tenants that wait and have none get one: for the mode in which no two
 * tenants ever run on one thread. First of those who have the most, then those that were owned longest, so that with
 * more tenants than threads each has its turn. Pure: the scheduler owns the threads.
 */
export function toRetire(
  threads: readonly OwnedThread[],
  waiting: ReadonlySet<string>,
  nowMs: number,
): readonly number[] {
  const counts = new Map<string, number>();
  let coming = 0;
  for (const { tenantId, isRetiring } of threads) {
    if (tenantId === undefined || isRetiring) coming += 1;
    else counts.set(tenantId, (counts.get(tenantId) ?? 0) + 1);
  }
  const without = [...waiting].filter((tenantId) => !counts.has(tenantId)).length;
  const candidates = threads.flatMap(({ executorId, tenantId, ownedSinceMs, isRetiring }) =>
    tenantId === undefined || isRetiring || nowMs - ownedSinceMs < OWNED_MS_MIN
      ? []
      : [{ executorId, count: counts.get(tenantId) ?? 0, ownedSinceMs }],
  );
  return candidates
    .toSorted((a, b) => b.count - a.count || a.ownedSinceMs - b.ownedSinceMs)
    .slice(0, Math.max(0, without - coming))
    .map(({ executorId }) => executorId);
}
