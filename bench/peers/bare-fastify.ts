import { join } from "node:path";
import { Child } from "../child.ts";
import type { Subject } from "./subject.ts";

export async function startBareFastify(): Promise<Subject> {
  const child = new Child({
    command: process.execPath,
    args: [join(import.meta.dirname, "bare-fastify-server.ts")],
    env: { NODE_ENV: "production" },
  });
  const [, origin = ""] = await child.waitForLine(/^listening on (http:\S+)$/, 20_000);
  return {
    name: "bare Fastify",
    url: `${origin}/`,
    authorization: undefined,
    child,
    [Symbol.asyncDispose]: () => child.stop(),
  };
}
