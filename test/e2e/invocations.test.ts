import { connect } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { behaviours } from "./testing/components.ts";
import { at, HostUnderTest } from "./testing/host-under-test.ts";
import type { TenantClient } from "./testing/host-under-test.ts";

let host: HostUnderTest;
let tenant: TenantClient;

beforeAll(async () => {
  host = await HostUnderTest.start();
  tenant = await host.tenant("acme");
  await tenant.deploy("app", await behaviours());
});

afterAll(async () => {
  await host[Symbol.asyncDispose]();
});

describe("an invocation that completes", () => {
  test("answers the function's bytes, its media type, who ran and which revision", async () => {
    const answer = await tenant.invoke("app/greet", "World");
    expect(answer.status).toBe(200);
    expect(answer.json()).toBe("Hello, World!");
    expect(answer.headers.get("content-type")).toBe("application/json");
    expect(answer.headers.get("downpour-invocation")).toMatch(/^[0-9a-f-]{36}$/u);
    expect(answer.headers.get("downpour-revision")).toMatch(/^[0-9a-f]{64}$/u);
    expect(answer.headers.get("x-content-type-options")).toBe("nosniff");
  });

  test("sees who it is, its deadline, its idempotency key and the headers that are passed on", async () => {
    const answer = await tenant.invoke("app/whoami", null, {
      headers: {
        "downpour-deadline-ms": "5000",
        "idempotency-key": "order-7",
        "downpour-meta-trace": "t1",
        "user-agent": "test",
        cookie: "secret=1",
        "x-unknown": "1",
      },
    });
    const seen = answer.json();
    expect(seen).toMatchObject({
      tenant: "acme",
      app: "app",
      invocation: answer.headers.get("downpour-invocation"),
      revision: answer.headers.get("downpour-revision"),
      idempotencyKey: "order-7",
      metadata: { "downpour-meta-trace": "t1", "user-agent": "test" },
    });
    const remainingMs = at(seen, "remainingMs");
    expect(remainingMs).toBeGreaterThan(0);
    expect(remainingMs).toBeLessThanOrEqual(5_000);
    const names = Object.keys(Object(at(seen, "metadata")));
    for (const name of ["authorization", "cookie", "x-unknown"]) expect(names).not.toContain(name);
  });

  test.each([[0], [1], [256], [16_384], [16_385], [1_000_000]])(
    "of %i bytes passes each of them on unchanged, in both directions",
    async (length) => {
      const bytes = Uint8Array.from({ length }, (_, index) => index % 256);
      const answer = await tenant.api("POST", "/v1/invoke/app/bytes", {
        headers: { "content-type": "application/x-bytes" },
        body: bytes,
      });
      expect(answer.status).toBe(200);
      expect(answer.headers.get("content-type")).toBe("application/x-bytes");
      expect(Buffer.compare(answer.body, bytes)).toBe(0);
    },
  );

  test("keeps state from one to the next", async () => {
    expect((await tenant.invoke("app/visit", "home")).json()).toBe(1);
    expect((await tenant.invoke("app/visit", "home")).json()).toBe(2);
  });

  test("a thousand at once on one connection pool all get their own answer", async () => {
    const answers = await Promise.all(
      Array.from({ length: 1_000 }, (_, n) => tenant.invoke("app/echo", { n })),
    );
    expect(answers.map((answer) => at(answer.json(), "n"))).toEqual(
      Array.from({ length: 1_000 }, (_, n) => n),
    );
  });
});

describe("an invocation that fails", () => {
  test.each([
    ["throws on purpose", "refuse", 422, "FUNCTION_ERROR"],
    ["says that its input is wrong", "picky", 400, "INPUT_INVALID"],
    ["throws", "explode", 500, "FUNCTION_THREW"],
    ["returns what no media type carries", "unserializable", 500, "RESULT_UNSERIALIZABLE"],
    ["is not there", "nothing", 404, "FUNCTION_NOT_FOUND"],
  ])("because the function %s has its code", async (_, name, status, code) => {
    const answer = await tenant.invoke(`app/${name}`, null);
    expect(answer.status).toBe(status);
    expect(answer.json()).toMatchObject({
      type: `urn:downpour:error:${code}`,
      code,
      status,
      retryable: false,
    });
  });

  test("on purpose carries the author's code, message and details", async () => {
    const problem = (await tenant.invoke("app/refuse", null)).json();
    expect(problem).toMatchObject({
      detail: "nothing left",
      details: {
        functionCode: "OUT_OF_STOCK",
        functionDetails: { left: 0 },
        functionDetailsMediaType: "application/json",
      },
    });
  });

  test("by an exception names it, with a stack in the author's file", async () => {
    const problem = (await tenant.invoke("app/explode", null)).json();
    expect(problem).toMatchObject({ detail: "boom", details: { exception: "TypeError" } });
    expect(at(problem, "details", "stack")).toMatch(/index\.ts:\d+/u);
  });

  test("by recursion without end does not harm the next one", async () => {
    const answer = await tenant.invoke("app/overflow", null);
    expect(answer.status).toBeGreaterThanOrEqual(500);
    expect((await tenant.invoke("app/greet", "again")).json()).toBe("Hello, again!");
  });

  test("by a result above the limit says the limit", async () => {
    const answer = await tenant.invoke("app/big", 5_000_000);
    expect(answer.code).toBe("RESULT_TOO_LARGE");
    expect(at(answer.json(), "details", "resultBytesMax")).toBe(4_194_304);
  });

  test("by its deadline is ended, and says which it was", async () => {
    const answer = await tenant.invoke("app/slow", 60_000, {
      headers: { "downpour-deadline-ms": "200" },
    });
    expect(answer.status).toBe(504);
    expect(answer.json()).toMatchObject({
      code: "DEADLINE_EXCEEDED",
      retryable: true,
      details: { deadlineMs: 200 },
    });
  });

  test("by never returning is ended by its deadline, and the host goes on", async () => {
    const answer = await tenant.invoke("app/spin", null, {
      headers: { "downpour-deadline-ms": "300" },
    });
    expect(answer.code).toBe("DEADLINE_EXCEEDED");
    const next = await tenant.invoke("app/greet", "after");
    expect(next.json()).toBe("Hello, after!");
  });

  test("because there is no such app", async () => {
    expect((await tenant.invoke("nothing/greet", null)).code).toBe("APP_NOT_FOUND");
  });

  test("of another tenant's app is as if there were none", async () => {
    const rival = await host.tenant("rival");
    expect((await rival.invoke("app/greet", "x")).code).toBe("APP_NOT_FOUND");
  });
});

describe("a request that is wrong", () => {
  test("JSON that is malformed is refused by the function's SDK, with where", async () => {
    const answer = await tenant.api("POST", "/v1/invoke/app/greet", {
      headers: { "content-type": "application/json" },
      body: '{"a":',
    });
    expect(answer.status).toBe(400);
    expect(answer.code).toBe("INPUT_INVALID");
  });

  test("a body above the limit is refused", async () => {
    const answer = await tenant.invoke("app/echo", "x".repeat(1_100_000));
    expect(answer.status).toBe(413);
    expect(answer.json()).toMatchObject({
      code: "BODY_TOO_LARGE",
      details: { bytesMax: 1_048_576 },
    });
  });

  test.each([
    ["a deadline that is no number", { "downpour-deadline-ms": "soon" }],
    ["a deadline of nothing", { "downpour-deadline-ms": "0" }],
    ["an idempotency key without characters", { "idempotency-key": "" }],
    ["an idempotency key of 256 characters", { "idempotency-key": "k".repeat(256) }],
    ["more metadata than fits", { "downpour-meta-a": "x".repeat(9_000) }],
    ["an endless media type", { "content-type": `text/${"x".repeat(300)}` }],
  ])("%s is refused", async (_, headers: Record<string, string>) => {
    const answer = await tenant.invoke("app/echo", null, { headers });
    expect(answer.status).toBe(400);
    expect(answer.code).toBe("REQUEST_INVALID");
  });

  test("any other method than POST is 405 and says so", async () => {
    const answer = await tenant.api("GET", "/v1/invoke/app/greet");
    expect(answer.status).toBe(405);
    expect(answer.code).toBe("METHOD_NOT_ALLOWED");
    expect(answer.headers.get("allow")).toBe("POST");
  });
});

test("a client that leaves ends what ran for it", async () => {
  const socket = connect(Number(new URL(host.url).port), "127.0.0.1");
  const body = "60000";
  socket.write(
    `POST /v1/invoke/app/slow HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${tenant.token}\r\n` +
      `Content-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
  );
  const inFlight = async (): Promise<unknown> =>
    at((await host.admin("GET", "/readyz")).json(), "inFlight");
  await expect.poll(inFlight, { timeout: 10_000 }).toBe(1);
  socket.destroy();
  await expect.poll(inFlight, { timeout: 10_000 }).toBe(0);
  const usage = await tenant.api("GET", "/v1/usage");
  expect(at(usage.json(), "apps", 0, "errors")).toBeGreaterThan(0);
});
