import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { at, HostUnderTest } from "../testing/host-under-test.ts";
import type { Answer, TenantClient } from "../testing/host-under-test.ts";
import { buildAssemblyScript } from "./build-assemblyscript.ts";

// AssemblyScript: a garbage collector in the guest, strings in UTF-16, and no WASI at all.

let host: HostUnderTest;
let tenant: TenantClient;
let component: Uint8Array<ArrayBuffer>;

beforeAll(async () => {
  host = await HostUnderTest.start();
  tenant = await host.tenant("as-programs");
  component = await buildAssemblyScript();
  await tenant.deploy("app", component);
});

afterAll(async () => {
  await host[Symbol.asyncDispose]();
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

describe("an AssemblyScript program", () => {
  test("answers with the bytes and the media type that it was given", async () => {
    const body = Uint8Array.from({ length: 100_000 }, (_, position) => position & 255);
    const headers = { "content-type": "application/x-noise" };
    const answer = await tenant.api("POST", "/v1/invoke/app/echo", { headers, body });
    expect(answer.headers.get("content-type")).toBe("application/x-noise");
    expect(new Uint8Array(answer.body)).toEqual(body);
  });

  test("keeps state, and fifty calls at once count to fifty", async () => {
    const counts = await Promise.all(Array.from({ length: 50 }, () => answerOf("count", "many")));
    expect(new Set(counts).size).toBe(50);
    expect(await answerOf("count", "many")).toBe(51);
  });

  test("reads a register that it wrote", async () => {
    await invoke("append", "one ");
    expect((await invoke("append", "two")).body.toString()).toBe("one two");
  });

  test("names keys beyond Latin letters, and they are those of every other guest", async () => {
    await answerOf("count", "größe/日本/𝄞");
    const { body } = await tenant.api("GET", `/v1/state?prefix=${encodeURIComponent("größe")}`);
    expect(body.toString()).toContain("größe/日本/𝄞");
  });

  test("gets a refusal of the state as a value", async () => {
    const answer = await invoke("count", "");
    expect(answer.code).toBe("FUNCTION_ERROR");
    expect(answer.body.toString()).toContain("INVALID_KEY");
  });

  test("works on strings of its own", async () => {
    expect((await invoke("reverse", "añb")).body.toString()).toBe("bña");
  });

  test("collects its garbage", async () => {
    expect(await answerOf("collect", "2000")).toBe(200_000);
    expect(await answerOf("collect", "2000")).toBe(200_000);
  });

  test("is told who it is", async () => {
    expect(await answerOf("context")).toEqual({
      tenant: "as-programs",
      app: "app",
      function: "context",
    });
  });

  test("fails on purpose", async () => {
    const answer = await invoke("refuse", "größer");
    expect([answer.status, answer.code]).toEqual([422, "FUNCTION_ERROR"]);
    expect(at(answer.json(), "details", "functionCode")).toBe("REFUSED");
    expect(answer.body.toString()).toContain("as asked: größer");
  });

  test("that never ends is ended at its deadline, and others are served", async () => {
    await tenant.deploy("endless", component);
    await tenant.api("PATCH", "/v1/apps/endless", { json: { deadlineMs: 300 } });
    const answer = await tenant.invoke("endless/spin", null);
    expect(answer.code).toMatch(/DEADLINE|CPU/u);
    expect(await answerOf("recurse", "100")).toBe(100);
  });

  test.each([
    ["throws", "throw", "thing"],
    ["reads past an array", "index", "7"],
    ["overflows the stack", "recurse", "10000000"],
  ])("that %s ends alone, and the next call gets a new instance", async (_, name, body) => {
    expect((await invoke(name, body)).code).toBe("GUEST_TRAPPED");
    expect(await answerOf("recurse", "100")).toBe(100);
  });

  test("that throws leaves its message and its line in the log", async () => {
    await invoke("throw", "luck");
    const { body } = await tenant.api("GET", "/v1/apps/app/logs");
    expect(body.toString()).toMatch(/no such luck \(functions\.ts:\d+:\d+\)/u);
  });
});
