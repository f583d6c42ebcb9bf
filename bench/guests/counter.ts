// The durable counter of the bench: `examples/counter` without its line of log for each visit,
// which the peer does not write either.

import { fn, state } from "@downpour/sdk";

export const visit = fn((page: string) => state.counter(`visits/${page}`).add(1));
