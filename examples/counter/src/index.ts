import { fn, state } from "@downpour/sdk";

/** Every page has a counter of its own; visits at the same time are all counted. */
const visitsOf = (page: string) => state.counter(`visits/${page}`);

export const visit = fn((page: string = "home") => visitsOf(page).add(1), {
  description: "Counts one visit of a page, durably, and answers how many there are",
});

export const peek = fn((page: string = "home") => visitsOf(page).value(), {
  description: "How many visits a page has had",
});

export const pages = fn(
  () => {
    const prefix = "visits/";
    return [...state.list(prefix)].map((key) => key.slice(prefix.length));
  },
  { description: "The pages that were visited" },
);
