import { PassThrough } from "node:stream";
import { TenantRegistry } from "@downpour/tenants";
import Fastify from "fastify";
import { expect, onTestFinished, test } from "vitest";
import { parseHostConfig } from "../../config.ts";
import { NO_USAGE } from "../../protocol.ts";
import type { InvokeResult } from "../../scheduler/deployed-app.ts";
import { createLogger } from "../../telemetry/logger.ts";
import type { Invoker } from "../control-plane.ts";
import { problemHandler } from "../problem.ts";
import { defaultQuotas, quotaCeilings } from "../quota-settings.ts";
import { invokeRoutes } from "./invoke.ts";

/** Answers every invocation with these bytes under this media type, whatever it says. */
class FakeInvoker implements Invoker {
  readonly #mediaType: string;

  constructor(mediaType: string) {
    this.#mediaType = mediaType;
  }

  async invoke(): Promise<InvokeResult> {
    return {
      invocationId: "invocation",
      revisionId: "revision",
      outcome: {
        kind: "completed",
        output: { mediaType: this.#mediaType, body: Buffer.from("body") },
        usage: NO_USAGE,
      },
    };
  }
}

async function serve(mediaType: string): Promise<{
  readonly invoke: () => Promise<Response>;
  readonly logged: () => string;
}> {
  const tenants = await TenantRegistry.open({
    records: {
      loadAll: async () => [],
      save: async () => undefined,
      remove: async () => undefined,
    },
    adminToken: { tokenId: "admin", sha256: "0".repeat(64), createdAtMs: 0, scopes: [] },
    quotasDefault: defaultQuotas(parseHostConfig({})),
    quotasMax: quotaCeilings(parseHostConfig({})),
  });
  const { token } = await tenants.create("acme");
  const destination = new PassThrough();
  let logged = "";
  destination.on("data", (chunk: Buffer) => {
    logged += chunk.toString();
  });
  const logger = createLogger("info", destination);
  const app = Fastify();
  onTestFinished(() => app.close());
  app.setErrorHandler(problemHandler(logger));
  app.decorateRequest("principal", undefined);
  await app.register(
    invokeRoutes({
      invoker: new FakeInvoker(mediaType),
      tenants,
      config: parseHostConfig({}),
      logger,
    }),
  );
  const url = await app.listen({ host: "127.0.0.1", port: 0 });
  return {
    invoke: () =>
      fetch(`${url}/v1/invoke/app/f`, {
        method: "POST",
        headers: { authorization: `Bearer ${token}` },
        signal: AbortSignal.timeout(5_000),
      }),
    logged: () => logged,
  };
}

test("an answer has the function's media type and bytes", async () => {
  const { invoke } = await serve("text/plain");
  const answer = await invoke();
  expect(answer.status).toBe(200);
  expect(answer.headers.get("content-type")).toBe("text/plain");
  expect(await answer.text()).toBe("body");
});

test.each([
  ["a line break", "text/plain\r\nset-cookie: a=b"],
  ["a character beyond Latin-1", "text/plain; a=\u20ac"],
])("a head with %s is an error of the host, answered and logged", async (_, mediaType) => {
  const { invoke, logged } = await serve(mediaType);
  const answer = await invoke();
  expect([answer.status, answer.statusText]).toEqual([500, "Internal Server Error"]);
  expect(answer.headers.get("set-cookie")).toBeNull();
  expect(await answer.json()).toMatchObject({ code: "INTERNAL" });
  expect(logged()).toContain("ERR_INVALID_CHAR");
});
