// How QuickJS's bindings are given the result of an asynchronous export.
//
// They wrap each such export in a function of their own, `__cqjs.asyncExports[name]`, which calls the export, takes
// `then` of what it gave, whatever that is, and hands it two functions that end the call. These two know the export,
// and nothing of the call. So the wrapper is asked once for them, and gives way to a function that uses them for each
// call: that saves a call of an SDK function a tenth, and a result that is there already goes back without a promise.

/** Of componentize-qjs: the wrapper of each asynchronous export, by its name in JavaScript. */
// oxlint-disable-next-line eslint/no-underscore-dangle -- Their name.
declare const __cqjs: { readonly asyncExports: Record<string, unknown> };

/** What the wrapper takes for a promise. */
interface Settled<T> {
  then(onFulfilled: (value: T) => void, onRejected: (reason: unknown) => void): void;
}

/** The function to export under `name`: what `call` gives, returns or throws at once or later, ends each call. */
export function asyncExport<First, Second, T>(
  name: string,
  call: (first: First, second: Second) => T | Promise<T>,
): (first: First, second: Second) => Settled<T> {
  return (...firstCall) => ({
    // oxlint-disable-next-line unicorn/no-thenable -- It is meant to be one.
    then(onFulfilled, onRejected) {
      const callDirectly = (first: First, second: Second): void => {
        let result: T | Promise<T>;
        try {
          result = call(first, second);
        } catch (reason) {
          onRejected(reason);
          return;
        }
        // `instanceof` alone is slow in an interpreter.
        if (typeof result !== "object" || !(result instanceof Promise)) onFulfilled(result);
        else void result.then(onFulfilled, onRejected);
      };
      __cqjs.asyncExports[name] = callDirectly;
      callDirectly(...firstCall);
    },
  });
}
