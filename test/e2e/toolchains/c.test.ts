import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { at, HostUnderTest } from "../testing/host-under-test.ts";
import type { Answer, TenantClient } from "../testing/host-under-test.ts";
import { buildC, whyNoC } from "./build-c.ts";

// C with Debian's clang, lld and wasi-libc: a program that knows nothing of this host but the contract.

let host: HostUnderTest | undefined;
let tenant: TenantClient;
let component: Uint8Array<ArrayBuffer>;
let reason: string | undefined;

beforeAll(async () => {
  reason = await whyNoC();
  // CI installs the compiler.
  if (reason !== undefined && process.env["CI"] === undefined) return;
  component = await buildC();
  host = await HostUnderTest.start();
  tenant = await host.tenant("c-programs");
  await tenant.deploy("app", component);
  await tenant.api("PATCH", "/v1/apps/app", { json: { environment: { GREETING: "hello, C" } } });
});

afterAll(async () => {
  await host?.[Symbol.asyncDispose]();
});

beforeEach((context) => {
  if (reason !== undefined) context.skip(reason);
});

async function answerOf(name: string, input: unknown = null): Promise<unknown> {
  const answer = await tenant.invoke(`app/${name}`, input);
  if (answer.status !== 200) throw new Error(answer.body.toString());
  return answer.json();
}

describe("a C program", () => {
  test("answers with the bytes and the media type that it was given", async () => {
    const body = Uint8Array.from({ length: 100_000 }, (_, position) => position & 255);
    const headers = { "content-type": "application/x-noise" };
    const answer = await tenant.api("POST", "/v1/invoke/app/echo", { headers, body });
    expect(answer.headers.get("content-type")).toBe("application/x-noise");
    expect(new Uint8Array(answer.body)).toEqual(body);
  });

  test("keeps state, and a hundred calls at once count to a hundred", async () => {
    const counts = await Promise.all(Array.from({ length: 100 }, () => answerOf("count", "many")));
    expect(new Set(counts).size).toBe(100);
    expect(await answerOf("count", "many")).toBe(101);
  });

  test("reads a register that it wrote", async () => {
    await tenant.invoke("app/append", 12);
    expect((await tenant.invoke("app/append", 34)).body.toString()).toBe("1234");
  });

  test("gets a refusal of the state as a value", async () => {
    const answer = await invokeText("count", "");
    expect(answer.code).toBe("FUNCTION_ERROR");
    expect(at(answer.json(), "details", "functionCode")).toBe("INVALID_KEY");
  });

  test("allocates and frees without an end", async () => {
    const sum = await answerOf("allocate", 20_000);
    expect(await answerOf("allocate", 20_000)).toBe(sum);
  });

  test("is told who it is", async () => {
    expect(await answerOf("context")).toMatchObject({
      tenant: "c-programs",
      app: "app",
      function: "context",
    });
  });

  test("writes to stdout and stderr, and both are its log", async () => {
    await answerOf("log", 4711);
    const { body } = await tenant.api("GET", "/v1/apps/app/logs");
    for (const message of ["stdout: 4711", "stderr: 4711", '"4711"']) {
      expect(body.toString()).toContain(message);
    }
  });

  test("reads clocks, and randomness that is new each time", async () => {
    const before = Date.now();
    const clock = await answerOf("clock");
    // Guests see a coarse clock, which is behind.
    expect(Number(at(clock, "wallMs"))).toBeGreaterThan(before - 1000);
    expect(at(clock, "isBackwards")).toBe(false);
    const randoms = [await answerOf("random"), await answerOf("random"), await answerOf("random")];
    expect(new Set(randoms).size).toBe(3);
  });

  test("sleeps, and others run on its thread meanwhile", async () => {
    const sleepers = Array.from({ length: 20 }, () => answerOf("sleep", 50));
    expect(await answerOf("compute", 1000)).toBe(await answerOf("compute", 1000));
    expect(new Set(await Promise.all(sleepers))).toEqual(new Set([0]));
  });

  test("has the app's environment, and not that of the host", async () => {
    const greeting = await invokeText("environment", "GREETING");
    expect(greeting.body.toString()).toBe("hello, C");
    expect((await invokeText("environment", "PATH")).json()).toBeNull();
  });

  test.each(["/etc/passwd", "/proc/self/environ", "../../etc/passwd", ".", "/"])(
    "opens no file: %s",
    async (path) => {
      expect((await invokeText("open", path)).body.toString()).toBe("not there");
    },
  );

  test("finds its input at the end", async () => {
    expect(await answerOf("read-input")).toBe(-1);
  });

  test("fails on purpose", async () => {
    const answer = await tenant.invoke("app/refuse", null);
    expect([answer.status, answer.code]).toEqual([422, "FUNCTION_ERROR"]);
    expect(at(answer.json(), "details", "functionCode")).toBe("REFUSED");
  });

  test("that never ends is ended at its deadline, and others are served", async () => {
    await tenant.deploy("endless", component);
    await tenant.api("PATCH", "/v1/apps/endless", { json: { deadlineMs: 300 } });
    const answer = await tenant.invoke("endless/spin", null);
    expect(answer.code).toMatch(/DEADLINE|CPU/u);
    expect(await answerOf("recurse", 100)).toBe(100);
  });

  test.each([
    ["exits", "exit", 3],
    ["aborts", "abort", null],
    ["divides by zero", "divide", 0],
    ["overflows its stack", "recurse", 10_000],
  ])("that %s ends alone, and the next call gets a new instance", async (_, name, input) => {
    const answer = await tenant.invoke(`app/${name}`, input);
    expect(answer.code).toBe("GUEST_TRAPPED");
    expect(await answerOf("recurse", 1000)).toBe(1000);
  });
});

function invokeText(name: string, body: string): Promise<Answer> {
  const headers = { "content-type": "text/plain" };
  return tenant.api("POST", `/v1/invoke/app/${name}`, { headers, body });
}
