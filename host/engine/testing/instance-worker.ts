import { parentPort, workerData } from "node:worker_threads";
import { createEngine } from "../create-engine.ts";
import type { CompiledComponent } from "../engine.ts";
import { storeLinks } from "./store-guest.ts";

// A thread that gets a compiled component, calls it once, and posts what it answers.

// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- Only the test beside it starts this thread.
const component = workerData as CompiledComponent;
const instance = createEngine().instantiate(component, storeLinks());
parentPort?.postMessage(await instance.call("handle", [new Uint8Array(4)]));
