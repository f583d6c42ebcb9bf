// From a bundle to a component, in a child process.
//
// Z1. The child starts at once, so that it is ready when the bundle is.
// Z2. Disposal ends the child, and what it started, whatever it does, and removes the folder that is theirs for
//     temporary files: a child that is killed removes none.
// Z3. `run` settles: with the reply, with the child's death, when it is aborted, or at the time limit.

import assert from "node:assert/strict";
import { fork } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { BuildError, diagnostic } from "./build-error.ts";
import { witFolder } from "./project.ts";

/** What runs the JavaScript inside the component. */
export type JavaScriptEngine = "quickjs" | "starlingmonkey";

export interface ComponentizeRequest {
  readonly engine: JavaScriptEngine;
  readonly source: string;
  readonly witFolder: string;
}

export type ComponentizeReply =
  | { readonly kind: "done"; readonly component: Uint8Array }
  /** The componentizer's own text. */
  | { readonly kind: "failed"; readonly message: string };

const extension = import.meta.url.endsWith(".ts") ? "ts" : "js";
const childPath = fileURLToPath(new URL(`./componentize-child.${extension}`, import.meta.url));

const OUTPUT_CHARACTERS_MAX = 64 * 1024;

export class Componentizer implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #folder: string;
  readonly #settled = Promise.withResolvers<ComponentizeReply>();
  /** The last of what it wrote: the reason, where it dies. */
  #output = "";

  constructor(signal: AbortSignal) {
    this.#folder = mkdtempSync(join(tmpdir(), "downpour-build-"));
    // Its own process group, so that ending it also ends the processes that it started.
    this.#child = fork(childPath, {
      detached: process.platform !== "win32",
      env: { ...process.env, TMPDIR: this.#folder, TEMP: this.#folder, TMP: this.#folder },
      serialization: "advanced",
      stdio: ["ignore", "pipe", "pipe", "ipc"],
      execArgv: [],
    });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.setEncoding("utf8").on("data", (text: string) => {
        this.#output = (this.#output + text).slice(-OUTPUT_CHARACTERS_MAX);
      });
    }
    // Where it is disposed of before it ran, nobody hears of its end.
    this.#settled.promise.catch(() => {});
    signal.addEventListener("abort", () => this.#settled.reject(signal.reason));
    this.#child.once("message", (reply: ComponentizeReply) => this.#settled.resolve(reply));
    this.#child.on("error", (cause) => this.#settled.reject(endedEarly(this.#output, cause)));
    // "close" is after the last output, and after the last message.
    this.#child.once("close", () => this.#settled.reject(endedEarly(this.#output)));
  }

  /** The component, or the componentizer's text of why there is none. */
  async run(
    request: Omit<ComponentizeRequest, "witFolder">,
    timeoutMs: number,
  ): Promise<ComponentizeReply> {
    const timer = setTimeout(() => this.#settled.reject(timedOut(timeoutMs)), timeoutMs);
    try {
      if (this.#child.connected) this.#child.send({ ...request, witFolder });
      const reply = await this.#settled.promise;
      if (reply.kind === "done") return reply;
      return { kind: "failed", message: `${reply.message}\n${this.#output}` };
    } finally {
      clearTimeout(timer);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const child = this.#child;
    if (child.pid !== undefined && child.exitCode === null && child.signalCode === null) {
      const exited = once(child, "exit");
      kill(child.pid);
      await exited;
    }
    await rm(this.#folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

function kill(pid: number): void {
  assert(pid > 0);
  try {
    process.kill(process.platform === "win32" ? pid : -pid, "SIGKILL");
  } catch {
    // It ended by itself just now.
  }
}

function endedEarly(output: string, cause?: unknown): BuildError {
  return new BuildError(
    "toolchain-failed",
    [diagnostic("toolchain-failed", `The componentizer ended early. ${output.trim()}`.trim())],
    { cause },
  );
}

function timedOut(timeoutMs: number): BuildError {
  return new BuildError("timeout", [
    diagnostic("timeout", `Loading the module took longer than ${timeoutMs} ms`, {
      hint: "Code outside functions runs at build time: look for a loop that does not end there.",
    }),
  ]);
}
