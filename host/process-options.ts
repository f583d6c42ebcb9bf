import { installedCodeCache } from "./code-cache.ts";
import { ENGINE_FLAGS } from "./engine/process-flags.ts";

/**
 * What whoever starts `main.ts` may give the process. Without it the host finds out by itself, and starts itself
 * again: that costs a tenth of a start. Where it may not (it has a channel to its parent), it goes on without.
 */
export const hostProcess: {
  readonly execArgv: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
} = {
  execArgv: ENGINE_FLAGS,
  environment: { NODE_COMPILE_CACHE: installedCodeCache },
};
