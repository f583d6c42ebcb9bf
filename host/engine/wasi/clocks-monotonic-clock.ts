import { func, own, u64 } from "../component/wit-types.ts";
import { WASI_RESOURCES, WASI_VERSION } from "./offered-interface.ts";
import type { OfferedInterface } from "./offered-interface.ts";
import { Pollable } from "./pollable.ts";

const pollable = own(WASI_RESOURCES.pollable);

export const clocksMonotonicClock: OfferedInterface = {
  declaration: {
    name: "wasi:clocks/monotonic-clock",
    version: WASI_VERSION,
    resources: {},
    functions: {
      now: { type: func({}, u64), suspends: false },
      resolution: { type: func({}, u64), suspends: false },
      "subscribe-instant": { type: func({ when: u64 }, pollable), suspends: false },
      "subscribe-duration": { type: func({ when: u64 }, pollable), suspends: false },
    },
  },
  implement: ({ timerResolutionUs }) => {
    const nowNs = (): bigint => {
      const steps = Math.floor((performance.now() * 1000) / timerResolutionUs);
      return BigInt(steps * timerResolutionUs) * 1000n;
    };
    return {
      functions: {
        now: nowNs,
        resolution: () => BigInt(timerResolutionUs) * 1000n,
        "subscribe-instant": (whenNs: bigint) => new Pollable(whenNs, nowNs),
        "subscribe-duration": (durationNs: bigint) => new Pollable(nowNs() + durationNs, nowNs),
      },
    };
  },
};
