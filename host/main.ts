#!/usr/bin/env node
import { enableCodeCache, installedCodeCache } from "./code-cache.ts";
import { setEngineFlags } from "./engine/process-flags.ts";

// The entry of the process. What it does here decides how everything else is loaded, so it imports next to nothing
// itself: a process that replaces itself loads all of it twice.

// First, so that the process it replaces itself by finds it from its first file on.
const hasCodeCache = enableCodeCache(installedCodeCache);
setEngineFlags();
const { runCommand } = await import("./command.ts");
await runCommand({ hasCodeCache });
