/** Web functions that authors reach for and that are not there yet, each with what to do instead. */
export const NOT_YET: Readonly<Record<string, string>> = {
  setTimeout: "a function cannot wait yet: invoke it again later from outside",
  setInterval: "a function cannot wait yet: invoke it again later from outside",
  setImmediate: "use queueMicrotask or an await",
  fetch: "a function has no network yet: let the caller pass in what it needs",
};
