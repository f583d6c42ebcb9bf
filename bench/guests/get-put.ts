// The guest of the engine's bench as an author writes it: one get and one put in each call.

import { fn, state } from "@downpour/sdk";

const total = state.register<number>("total");

export const add = fn((step: number) => {
  const sum = (total.get() ?? 0) + step;
  total.put(sum);
  return sum;
});
