import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { TenantClient } from "../testing/host-under-test.ts";
import { buildAssemblyScript } from "./build-assemblyscript.ts";
import { GuestProgram, testEachCase } from "./guest-program.ts";

// AssemblyScript: a garbage collector in the guest, strings in UTF-16, and no WASI at all.

let program: GuestProgram;
let tenant: TenantClient;

beforeAll(async () => {
  program = await GuestProgram.start("as-programs", await buildAssemblyScript());
  ({ tenant } = program);
});

afterAll(async () => {
  await program[Symbol.asyncDispose]();
});

describe("an AssemblyScript program", () => {
  testEachCase(() => program);

  test("reads a register that it wrote", async () => {
    await program.invoke("append", "one ");
    expect((await program.invoke("append", "two")).body.toString()).toBe("one two");
  });

  test("names keys beyond Latin letters, and they are those of every other guest", async () => {
    await program.answerOf("count", "größe/日本/𝄞");
    const { body } = await tenant.api("GET", `/v1/state?prefix=${encodeURIComponent("größe")}`);
    expect(body.toString()).toContain("größe/日本/𝄞");
  });

  test("works on strings of its own", async () => {
    expect((await program.invoke("reverse", "añb")).body.toString()).toBe("bña");
  });

  test("collects its garbage", async () => {
    expect(await program.answerOf("collect", "2000")).toBe(200_000);
    expect(await program.answerOf("collect", "2000")).toBe(200_000);
  });

  test("is told who it is", async () => {
    expect(await program.answerOf("context")).toEqual({
      tenant: "as-programs",
      app: "app",
      function: "context",
    });
  });

  test("says in its own words why it fails", async () => {
    const answer = await program.invoke("refuse", "größer");
    expect(answer.body.toString()).toContain("as asked: größer");
  });

  test("that never ends is ended at its deadline, and others are served", async () => {
    await tenant.deploy("endless", program.component);
    await tenant.api("PATCH", "/v1/apps/endless", { json: { deadlineMs: 300 } });
    const answer = await tenant.invoke("endless/spin", null);
    expect(answer.code).toMatch(/DEADLINE|CPU/u);
    expect(await program.answerOf("recurse", "100")).toBe(100);
  });

  test.each([
    ["throws", "throw", "thing"],
    ["reads past an array", "index", "7"],
  ])("that %s ends alone, and the next call gets a new instance", async (_, name, body) => {
    expect((await program.invoke(name, body)).code).toBe("GUEST_TRAPPED");
    expect(await program.answerOf("recurse", "100")).toBe(100);
  });

  test("that throws leaves its message and its line in the log", async () => {
    await program.invoke("throw", "luck");
    expect(await program.log()).toMatch(/no such luck \(functions\.ts:\d+:\d+\)/u);
  });
});
