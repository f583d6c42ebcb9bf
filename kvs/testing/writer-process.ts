// A process to be killed: it opens the directory given as its argument and writes at level durable
// until it ends; with a second argument, "gated", through output gates. Each line of its output is a
// fact that was true when it was written:
//
//   ready            the store is open
//   sent <n>         write n was begun: an add of 1, a put of `of/writer/<n>` and a put of `last`
//   acked <n>        all three were acknowledged, and their gate has opened

import assert from "node:assert/strict";
import { writeSync } from "node:fs";
import { OutputGate, startStorageThread } from "../index.ts";
import type { StateClient } from "../index.ts";

const STDOUT = 1;
const IN_FLIGHT = 16;
const PAUSE = new Int32Array(new SharedArrayBuffer(4));
const PAUSE_MS = 1;

const [directory, mode] = process.argv.slice(2);
assert(directory !== undefined, "usage: writer-process.ts <directory> [gated]");
const thread = await startStorageThread({ directory });
const client = thread.client();
let next = 0;
say("ready");
await Promise.all(Array.from({ length: IN_FLIGHT }, () => writeForEver(client)));

async function writeForEver(state: StateClient): Promise<void> {
  for (;;) {
    const number = (next += 1);
    say(`sent ${number}`);
    const value = Buffer.from(String(number));
    const gate = mode === "gated" ? new OutputGate() : undefined;
    // One after the other, by design: so many writers are in flight and no more.
    await Promise.all([
      state.write("counter", { kind: "add", delta: 1n }, "durable", gate),
      state.write(`of/writer/${number}`, { kind: "put", value }, "durable", gate),
      state.write("last", { kind: "put", value }, "durable", gate),
    ]);
    await gate?.open();
    say(`acked ${number}`);
  }
}

/** Synchronous: a line that was said reaches the pipe whatever happens to this process next. */
function say(line: string): void {
  let rest: Uint8Array = Buffer.from(`${line}\n`);
  while (rest.byteLength > 0) rest = rest.subarray(writeSome(rest));
}

/** Answers how many bytes were written; none where a slow reader has left no room in the pipe. */
function writeSome(bytes: Uint8Array): number {
  try {
    return writeSync(STDOUT, bytes);
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "EAGAIN")) throw error;
    Atomics.wait(PAUSE, 0, 0, PAUSE_MS);
    return 0;
  }
}
