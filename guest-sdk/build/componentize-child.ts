// Runs in a process of its own, one for each build: the componentizers run the author's module code,
// which may never end, and one of them blocks its thread and reads the working directory.

import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ComponentizeReply, ComponentizeRequest } from "./componentize.ts";

process.once("message", (request: ComponentizeRequest) => {
  void reply(request);
});
// The parent went away: nobody waits for the component.
process.once("disconnect", () => process.exit(1));

async function reply(request: ComponentizeRequest): Promise<void> {
  send(await run(request));
}

function send(message: ComponentizeReply): void {
  assert(process.send !== undefined, "this file is forked, with a channel to its parent");
  process.send(message, undefined, undefined, () => process.disconnect?.());
}

async function run(request: ComponentizeRequest): Promise<ComponentizeReply> {
  try {
    const component =
      request.engine === "quickjs" ? await withQuickJs(request) : await withStarlingMonkey(request);
    return { kind: "done", component };
  } catch (cause) {
    return { kind: "failed", message: cause instanceof Error ? cause.message : String(cause) };
  }
}

async function withQuickJs(request: ComponentizeRequest): Promise<Uint8Array> {
  const { componentize } = await import("componentize-qjs");
  const { component } = await componentize({
    witPath: request.witFolder,
    world: "function-json",
    jsSource: request.source,
  });
  return component;
}

/** Features that reach out are left out: then the component does not even import them. */
const STARLINGMONKEY_DISABLED = ["http", "fetch-event"] as const;

async function withStarlingMonkey(request: ComponentizeRequest): Promise<Uint8Array> {
  // oxlint-disable-next-line typescript/no-deprecated -- Only its two other signatures are.
  const { componentize } = await import("@bytecodealliance/componentize-js");
  // The parent made it for this process, and removes it.
  const folder = tmpdir();
  const sourcePath = join(folder, "function.js");
  await writeFile(sourcePath, request.source);
  process.chdir(folder);
  const { component } = await componentize({
    sourcePath,
    witPath: request.witFolder,
    worldName: "function-sync",
    disableFeatures: [...STARLINGMONKEY_DISABLED],
  });
  return component;
}
