import { bool, borrow, func, list, methods, u32 } from "../component/wit-types.ts";
import { trap } from "../canonical/trap.ts";
import { WASI_RESOURCES, WASI_VERSION } from "./offered-interface.ts";
import type { OfferedInterface } from "./offered-interface.ts";
import type { Pollable } from "./pollable.ts";

const functions = {
  "[method]pollable.ready": (pollable: Pollable): boolean => pollable.isReady,
  "[method]pollable.block": (pollable: Pollable): Promise<void> | undefined => pollable.wait(),
  poll: (pollables: readonly Pollable[]): Promise<number[]> | number[] => {
    const first = earliest(pollables) ?? trap("poll of an empty list would wait for good");
    return first.wait()?.then(() => readyIndices(pollables)) ?? readyIndices(pollables);
  },
};

/** The indices of the ready ones: at least one, after the earliest was waited for. */
function readyIndices(pollables: readonly Pollable[]): number[] {
  const indices: number[] = [];
  for (const [index, pollable] of pollables.entries()) if (pollable.isReady) indices.push(index);
  return indices;
}

function earliest(pollables: readonly Pollable[]): Pollable | undefined {
  let first: Pollable | undefined;
  for (const pollable of pollables) {
    if (first === undefined || pollable.deadlineNs < first.deadlineNs) first = pollable;
  }
  return first;
}

const drop = {
  pollable: (pollable: Pollable): void => {
    pollable.cancel();
  },
};

const implementation = { functions, drop };

export const ioPoll: OfferedInterface = {
  declaration: {
    name: "wasi:io/poll",
    version: WASI_VERSION,
    resources: { pollable: WASI_RESOURCES.pollable },
    functions: {
      ...methods("pollable", WASI_RESOURCES.pollable, {
        ready: { type: func({}, bool), suspends: false },
        block: { type: func({}), suspends: true },
      }),
      poll: {
        type: func({ in: list(borrow(WASI_RESOURCES.pollable)) }, list(u32)),
        suspends: true,
      },
    },
  },
  implement: () => implementation,
};
