import { isServing } from "../phase.ts";
import { onWipe } from "../traces.ts";

/** The engine's own clock: its origin is the build's, and StarlingMonkey's has none before it serves. */
const engineClock: Performance = performance;
let originMs = 0;
let timeOriginMs = 0;

// The origin is the instance's first invocation.
onWipe(() => {
  if (timeOriginMs !== 0) return;
  originMs = engineClock.now();
  timeOriginMs = Date.now();
});

/** `performance`, counted from the first invocation of the instance, and 0 at build time. */
export const instancePerformance: Performance = Object.freeze({
  get timeOrigin() {
    return timeOriginMs;
  },
  now: () => (isServing ? engineClock.now() - originMs : 0),
});
