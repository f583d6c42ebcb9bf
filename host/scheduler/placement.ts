export interface ExecutorLoad {
  readonly executorId: number;
  readonly inFlight: number;
  /** It takes another one now. */
  readonly hasRoom: boolean;
  /** It has run the revision before, and probably has an instance of it. */
  readonly isWarm: boolean;
}

/** Chooses an executor. Pure: the scheduler owns all state and passes in what is to be judged. */
export type PlacementPolicy = (executors: readonly ExecutorLoad[]) => number | undefined;

/**
 * So many invocations in flight more on a warm executor are still better than a new instance: making
 * one costs about what fifty warm calls do, but a queue on one thread must not leave another idle.
 */
const COLD_START_IN_FLIGHT = 16;

/** Warm executors first, until they are busier than a cold start costs; the lowest id breaks a tie, so runs repeat. */
export const warmFirst: PlacementPolicy = (executors) => {
  let best: ExecutorLoad | undefined;
  let bestCost = Number.POSITIVE_INFINITY;
  for (const executor of executors) {
    if (!executor.hasRoom) continue;
    const cost = executor.inFlight + (executor.isWarm ? 0 : COLD_START_IN_FLIGHT);
    if (cost < bestCost) {
      best = executor;
      bestCost = cost;
    }
  }
  return best?.executorId;
};
