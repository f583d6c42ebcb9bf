import { onServing } from "../phase.ts";

/** The engine's own clock: its origin is the build's, which no instance shares. */
const engineClock: Performance = performance;
let originMs = engineClock.now();
let timeOriginMs = 0;

onServing(() => {
  timeOriginMs = 0;
});

/** Moves the origin to the instance's first invocation. */
export function startClock(): void {
  if (timeOriginMs !== 0) return;
  originMs = engineClock.now();
  timeOriginMs = Date.now();
}

/** `performance`, counted from the first invocation of the instance. */
export const instancePerformance: Performance = Object.freeze({
  get timeOrigin() {
    return timeOriginMs;
  },
  now: () => engineClock.now() - originMs,
});
