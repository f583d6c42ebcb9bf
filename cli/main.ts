#!/usr/bin/env node
import { enableCodeCache, installedCodeCache } from "@downpour/host/code-cache";

// First: to compile what is loaded from here on is most of what a short command costs. Where the cache cannot be
// written, there is none.
enableCodeCache(installedCodeCache);
const { run } = await import("./run.ts");
await run();
