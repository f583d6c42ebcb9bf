import { fn, state } from "@downpour/sdk";

/** POST /v1/invoke/{{app}}/hello with a JSON string. */
export const hello = fn((name: string = "world") => `Hello, ${name}!`);

/** Counts visits of a page, durably: the answer comes after the count is on the disk. */
export const visit = fn((page: string = "home") => {
  const count = state.counter(`visits/${page}`).add(1);
  console.log("visit %d of %s", count, page);
  return { page, count };
});
