import { createRequire } from "node:module";
import { join } from "node:path";
import { Child } from "../child.ts";
import type { Subject } from "./subject.ts";

/** workerd with the same hello as a JavaScript worker. */
export function startWorkerdHello(): Promise<Subject> {
  return startWorkerd("workerd", [], ["workerd-hello.capnp"]);
}

/**
 * workerd with a counter as a Durable Object, SQLite-backed, on disk in `directory`. `under` is a
 * command that it runs under, with its arguments.
 */
export function startWorkerdCounter(
  directory: string,
  under: readonly string[] = [],
): Promise<Subject> {
  return startWorkerd("workerd Durable Object", under, [
    "workerd-counter.capnp",
    `--directory-path=objects=${directory}`,
  ]);
}

async function startWorkerd(
  name: string,
  under: readonly string[],
  args: readonly string[],
): Promise<Subject> {
  const [command, ...rest] = [...under, workerdBinary(), "serve", ...args, "--control-fd=1"];
  const child = new Child({ command, args: rest, cwd: import.meta.dirname });
  try {
    const [, port = ""] = await child.waitForLine(/"event":"listen".*"port":(\d+)/, 20_000);
    return {
      name,
      url: `http://127.0.0.1:${port}/`,
      authorization: undefined,
      child,
      [Symbol.asyncDispose]: () => child.stop(),
    };
  } catch (error) {
    await child.kill();
    throw error;
  }
}

/** The binary itself, and not the package's launcher, which would stand between us and its process. */
function workerdBinary(): string {
  const require = createRequire(import.meta.url);
  const platform = `${process.platform}-${process.arch === "x64" ? "64" : process.arch}`;
  const manifest = require.resolve(`@cloudflare/workerd-${platform}/package.json`);
  return join(manifest, "..", "bin", "workerd");
}
