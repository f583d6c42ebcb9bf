import { func, own, u64 } from "../component/wit-types.ts";
import { guestClock, STEP_MS } from "./coarse-clock.ts";
import { WASI_RESOURCES, WASI_VERSION } from "./offered-interface.ts";
import type { OfferedInterface } from "./offered-interface.ts";
import { Pollable } from "./pollable.ts";

const pollable = own(WASI_RESOURCES.pollable);

const NS_PER_MS = 1_000_000n;

function nowNs(): bigint {
  return BigInt(guestClock.nowMs()) * NS_PER_MS;
}

const implementation = {
  functions: {
    now: nowNs,
    resolution: () => BigInt(STEP_MS) * NS_PER_MS,
    "subscribe-instant": (whenNs: bigint) => new Pollable(whenNs, nowNs),
    "subscribe-duration": (durationNs: bigint) => new Pollable(nowNs() + durationNs, nowNs),
  },
};

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
  implement: () => implementation,
};
