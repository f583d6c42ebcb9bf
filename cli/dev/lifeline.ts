// Preloaded (`node --import`) into a host that `dev` starts: the host must not outlive the `dev` that owns it, however
// that one ends. The pair share an IPC channel, and the kernel closes it even when the owner is killed.
//
// Y1. When the channel closes, the host is asked to stop as an operator would ask: by SIGTERM, with its drain.
// Y2. A host that has not stopped after `GRACE_MS` is ended.
// Y3. The channel never keeps a host alive that has nothing else to do.

import process from "node:process";
import { isMainThread } from "node:worker_threads";

const GRACE_MS = 10_000;

// A preload runs in every worker thread as well; the channel belongs to the process.
if (isMainThread && process.channel !== undefined) {
  process.once("disconnect", () => {
    process.kill(process.pid, "SIGTERM");
    setTimeout(() => process.exit(1), GRACE_MS).unref();
  });
  process.channel.unref();
}
