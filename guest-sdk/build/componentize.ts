// From a bundle to a component, in a child process.
//
// Z1. The child starts at once, so that it is ready when the bundle is.
// Z2. `dispose` ends the child, and what it started, whatever it does.

import { fork } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
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

const OUTPUT_BYTES_MAX = 64 * 1024;

export class Componentizer implements AsyncDisposable {
  readonly #child: ChildProcess;
  /** The last of what it wrote: the reason, where it dies. */
  #output = "";

  constructor() {
    // Its own process group, so that ending it also ends the processes that it started.
    this.#child = fork(childPath, {
      detached: process.platform !== "win32",
      serialization: "advanced",
      stdio: ["ignore", "pipe", "pipe", "ipc"],
      execArgv: [],
    });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.setEncoding("utf8").on("data", (text: string) => {
        this.#output = (this.#output + text).slice(-OUTPUT_BYTES_MAX);
      });
    }
  }

  /** The component, or the componentizer's text of why there is none. Once for each componentizer. */
  async run(
    request: Omit<ComponentizeRequest, "witFolder">,
    timeoutMs: number,
  ): Promise<ComponentizeReply> {
    const signal = AbortSignal.timeout(timeoutMs);
    try {
      const settled = new AbortController();
      const either = AbortSignal.any([signal, settled.signal]);
      const answered = once(this.#child, "message", { signal: either });
      const exited = once(this.#child, "exit", { signal: either });
      this.#child.send({ ...request, witFolder });
      const isAnswered = await Promise.race([answered.then(() => true), exited.then(() => false)]);
      if (isAnswered) {
        const [reply] = (await answered) as [ComponentizeReply];
        exited.catch(ignoreAbort);
        settled.abort();
        if (reply.kind === "done") return reply;
        return { kind: "failed", message: `${reply.message}\n${this.#output}` };
      }
      answered.catch(ignoreAbort);
      settled.abort();
    } catch (cause) {
      if (signal.aborted) throw timedOut(timeoutMs, cause);
      throw cause;
    }
    throw new BuildError("toolchain-failed", [
      diagnostic("toolchain-failed", `The componentizer ended early: ${this.#output.trim()}`),
    ]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { pid } = this.#child;
    if (pid === undefined || this.#child.exitCode !== null || this.#child.signalCode !== null) {
      return;
    }
    const exited = once(this.#child, "exit");
    try {
      process.kill(process.platform === "win32" ? pid : -pid, "SIGKILL");
    } catch {
      // It ended by itself just now.
    }
    await exited;
  }
}

function timedOut(timeoutMs: number, cause: unknown): BuildError {
  return new BuildError(
    "timeout",
    [
      diagnostic("timeout", `Loading the module took longer than ${timeoutMs} ms`, {
        hint: "Code outside functions runs at build time: look for a loop that does not end there.",
      }),
    ],
    { cause },
  );
}

/** The loser of the race: its wait is cancelled on purpose. */
function ignoreAbort(): void {}
