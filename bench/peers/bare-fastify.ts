import { join } from "node:path";
import { Child } from "../child.ts";
import type { Subject } from "./subject.ts";

export async function startBareFastify(): Promise<Subject> {
  const child = new Child({
    command: process.execPath,
    args: [join(import.meta.dirname, "bare-fastify-server.ts")],
    env: { NODE_ENV: "production" },
  });
  const [, port = ""] = await child.waitForLine(/^listening on port (\d+)$/, 20_000);
  return {
    name: "bare Fastify",
    url: `http://127.0.0.1:${port}/`,
    authorization: undefined,
    child,
    [Symbol.asyncDispose]: () => child.stop(),
  };
}
