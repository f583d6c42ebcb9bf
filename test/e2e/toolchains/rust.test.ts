import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { at, HostUnderTest } from "../testing/host-under-test.ts";
import type { Answer, TenantClient } from "../testing/host-under-test.ts";
import { buildRust, whyNoRust } from "./build-rust.ts";

// Rust with its standard library, behind the contract's asynchronous export.

let host: HostUnderTest | undefined;
let tenant: TenantClient;
let reason: string | undefined;

beforeAll(async () => {
  reason = await whyNoRust();
  if (reason !== undefined) return;
  const component = await buildRust("functions");
  host = await HostUnderTest.start();
  tenant = await host.tenant("rust-programs");
  await tenant.deploy("app", component);
  await tenant.api("PATCH", "/v1/apps/app", { json: { environment: { GREETING: "hello" } } });
}, 600_000);

afterAll(async () => {
  await host?.[Symbol.asyncDispose]();
});

beforeEach((context) => {
  if (reason !== undefined) context.skip(reason);
});

function invoke(name: string, body: string): Promise<Answer> {
  const headers = { "content-type": "text/plain" };
  return tenant.api("POST", `/v1/invoke/app/${name}`, { headers, body });
}

async function answerOf(name: string, body = ""): Promise<unknown> {
  const answer = await invoke(name, body);
  if (answer.status !== 200) throw new Error(answer.body.toString());
  return answer.json();
}

describe("a Rust program", () => {
  test("answers with the bytes and the media type that it was given", async () => {
    const answer = await invoke("echo", "é\u0000𝄞");
    expect(answer.headers.get("content-type")).toMatch(/^text\/plain/u);
    expect(answer.body.toString()).toBe("é\u0000𝄞");
  });

  test("keeps state, and fifty calls at once count to fifty", async () => {
    const counts = await Promise.all(Array.from({ length: 50 }, () => answerOf("count", "many")));
    expect(new Set(counts).size).toBe(50);
    expect(await answerOf("count", "many")).toBe(51);
  });

  test("gets a refusal of the state as a value", async () => {
    const answer = await invoke("count", "");
    expect(answer.code).toBe("FUNCTION_ERROR");
    expect(at(answer.json(), "details", "functionCode")).toBe("INVALID_KEY");
  });

  test("uses its collections, whose hashes are seeded by the host", async () => {
    expect(await answerOf("words", "a b a ".repeat(10_000))).toEqual(["a", 20_000]);
    const before = await answerOf("random");
    expect(await answerOf("random")).not.toBe(before);
  });

  test("prints, and that is its log", async () => {
    await answerOf("log", "to be found");
    const { body } = await tenant.api("GET", "/v1/apps/app/logs");
    expect(body.toString()).toContain("stdout: to be found");
    expect(body.toString()).toContain("stderr: to be found");
  });

  test("reads the clock, and the app's environment", async () => {
    const before = Date.now();
    // Guests see a coarse clock, which is behind.
    expect(Number(await answerOf("clock"))).toBeGreaterThan(before - 1000);
    expect(await answerOf("environment", "GREETING")).toBe("hello");
    expect(await answerOf("environment", "PATH")).toBeNull();
  });

  test("opens no file", async () => {
    expect(await answerOf("open", "/etc/passwd")).toBe(false);
  });

  test("sleeps in the midst of its code, and yields between", async () => {
    const sleepers = Array.from({ length: 20 }, () => answerOf("sleep", "20"));
    expect(await answerOf("yield", "10")).toBe(10);
    expect(new Set(await Promise.all(sleepers))).toEqual(new Set([null]));
  });

  test("fails on purpose", async () => {
    const answer = await invoke("refuse", "");
    expect([answer.status, answer.code]).toEqual([422, "FUNCTION_ERROR"]);
    expect(at(answer.json(), "details", "functionCode")).toBe("REFUSED");
  });

  test("says what is wrong with its input", async () => {
    const answer = await invoke("sleep", "long");
    expect([answer.status, answer.code]).toEqual([400, "INPUT_INVALID"]);
  });

  test.each([
    ["panics", "panic", "thing"],
    ["overflows its stack", "recurse", "100000"],
  ])("that %s ends alone, and the next call gets a new instance", async (_, name, body) => {
    expect((await invoke(name, body)).code).toBe("GUEST_TRAPPED");
    expect(await answerOf("recurse", "100")).toBe(100);
  });

  test("that panicked left its message in the log", async () => {
    await invoke("panic", "luck");
    const { body } = await tenant.api("GET", "/v1/apps/app/logs");
    expect(body.toString()).toContain("no such luck");
  });
});
