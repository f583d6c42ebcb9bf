import { func, record, u32, u64 } from "../component/wit-types.ts";
import { guestClock, STEP_MS } from "./coarse-clock.ts";
import { WASI_VERSION } from "./offered-interface.ts";
import type { OfferedInterface } from "./offered-interface.ts";

interface DateTime {
  readonly seconds: bigint;
  readonly nanoseconds: number;
}

export const datetime = record({ seconds: u64, nanoseconds: u32 });

const implementation = {
  functions: {
    now: () => toDateTime(guestClock.dateMs()),
    resolution: () => toDateTime(STEP_MS),
  },
};

export const clocksWallClock: OfferedInterface = {
  declaration: {
    name: "wasi:clocks/wall-clock",
    version: WASI_VERSION,
    resources: {},
    functions: {
      now: { type: func({}, datetime), suspends: false },
      resolution: { type: func({}, datetime), suspends: false },
    },
  },
  implement: () => implementation,
};

function toDateTime(timeMs: number): DateTime {
  return {
    seconds: BigInt(Math.floor(timeMs / 1000)),
    nanoseconds: (timeMs % 1000) * 1_000_000,
  };
}
