import { setFlagsFromString } from "node:v8";

/**
 * What the engine needs V8 to be started with. Guests that wait keep a stack each. By default V8
 * reserves a megabyte for each one, and each touches other pages than the one before; a stack that
 * grows starts at a tenth of it, and a hundred waiting guests cost a third of the time for each call.
 */
export const ENGINE_FLAGS: readonly string[] = ["--experimental-wasm-growable-stacks"];

/**
 * Makes sure that this process runs with `ENGINE_FLAGS`: where they are missing, the process starts
 * itself again with them, in place (same process id, standard streams and environment), so this does
 * not return. V8 reads the flag when it starts, and `NODE_OPTIONS` may not name it. To be called
 * first thing in the main thread, before anything is open.
 *
 * Where a process cannot replace itself (Windows, or a channel to the parent that would break), it
 * goes on without: guests work, and many that wait at once cost more.
 */
export function setEngineFlags(): void {
  const missing = ENGINE_FLAGS.filter((flag) => !process.execArgv.includes(flag));
  if (missing.length === 0 || process.send !== undefined || process.platform === "win32") return;
  process.execve?.(
    process.execPath,
    [process.execPath, ...process.execArgv, ...missing, ...process.argv.slice(1)],
    process.env,
  );
}

/**
 * How much stack each call of a guest has, from now on, in every thread of the process. A guest runs on a stack of its
 * own: what JavaScript has in its threads (`resourceLimits.stackSizeMb`, 4 MiB) is another matter, and V8 holds to
 * this limit for stacks that grow alone.
 */
export function limitGuestStack(kib: number): void {
  setFlagsFromString(`--stack-size=${kib}`);
}
