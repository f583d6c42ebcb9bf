/**
 * What `handle` gives to QuickJS's binding, which calls `then` of whatever it gets and asks for no more
 * of a promise than that. Where the result is there already, it goes back at once: without a promise,
 * and without the job that would settle it.
 */
export interface Settled<T> {
  then(onFulfilled: (value: T) => unknown, onRejected: (reason: unknown) => unknown): unknown;
}

/** The same function, which settles with what comes of a call; with a promise where it gives one. */
export function settling<First, Second, T>(
  call: (first: First, second: Second) => T | Promise<T>,
): (first: First, second: Second) => Settled<T> {
  return (first, second) => {
    try {
      const value = call(first, second);
      // oxlint-disable-next-line unicorn/no-thenable -- It is meant to be one.
      return value instanceof Promise ? value : { then: (onFulfilled) => onFulfilled(value) };
    } catch (reason) {
      // oxlint-disable-next-line unicorn/no-thenable -- As above.
      return { then: (_, onRejected) => onRejected(reason) };
    }
  };
}
