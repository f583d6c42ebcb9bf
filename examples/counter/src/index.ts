/* oxlint-disable no-console -- The console is the function's log. */

import { fn, state } from "@downpour/sdk";

const PREFIX = "visits/";

/** Every page has a counter of its own; visits at the same time are all counted. */
const visitsOf = (page: string) => state.counter(PREFIX + page);

export const visit = fn(
  (page: string = "home") => {
    const count = visitsOf(page).add(1);
    console.log(`visit ${count} of ${page}`);
    return { page, count };
  },
  { description: "Counts one visit of a page, durably, and answers how many there are" },
);

export const peek = fn((page: string = "home") => ({ page, count: visitsOf(page).value() }), {
  description: "How many visits a page has had",
});

export const pages = fn(() => [...state.list(PREFIX)].map((key) => key.slice(PREFIX.length)), {
  description: "The pages that were visited",
});
