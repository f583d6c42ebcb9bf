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

/**
 * One workerd with the counter and, as another worker on a socket of its own, a function that never
 * returns. The victim owns the process.
 */
export async function startWorkerdWithAttacker(
  directory: string,
): Promise<{ readonly victim: Subject; readonly attacker: Subject }> {
  const victim = await startWorkerd(
    "workerd Durable Object",
    [],
    ["workerd-isolation.capnp", `--directory-path=objects=${directory}`],
    { socket: "victim", sharesSession: true },
  );
  const port = await listeningPort(victim.child, "attacker");
  return { victim, attacker: { ...victim, name: "workerd", url: `http://127.0.0.1:${port}/` } };
}

async function startWorkerd(
  name: string,
  under: readonly string[],
  args: readonly string[],
  { socket = "http", sharesSession = false } = {},
): Promise<Subject> {
  const [command, ...rest] = [...under, workerdBinary(), "serve", ...args, "--control-fd=1"];
  const child = new Child({ command, args: rest, cwd: import.meta.dirname, sharesSession });
  try {
    return {
      name,
      url: `http://127.0.0.1:${await listeningPort(child, socket)}/`,
      authorization: undefined,
      child,
      [Symbol.asyncDispose]: () => child.stop(),
    };
  } catch (error) {
    await child.kill();
    throw error;
  }
}

async function listeningPort(child: Child, socket: string): Promise<string> {
  const line = new RegExp(`"event":"listen","socket":"${socket}","port":(\\d+)`);
  const [, port = ""] = await child.waitForLine(line, 20_000);
  return port;
}

/** The binary itself, and not the package's launcher, which would stand between us and its process. */
function workerdBinary(): string {
  const require = createRequire(import.meta.url);
  const platform = `${process.platform}-${process.arch === "x64" ? "64" : process.arch}`;
  const manifest = require.resolve(`@cloudflare/workerd-${platform}/package.json`);
  return join(manifest, "..", "bin", "workerd");
}
