import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { buildRust, whyNoRust } from "./build-rust.ts";
import { GuestProgram, testEachCase } from "./guest-program.ts";

// Rust with its standard library, behind the contract's asynchronous export.

let program: GuestProgram;
let reason: string | undefined;

beforeAll(async () => {
  reason = await whyNoRust();
  if (reason !== undefined) return;
  program = await GuestProgram.start("rust-programs", await buildRust("functions"), {
    environment: { GREETING: "hello" },
  });
}, 600_000);

afterAll(async () => {
  if (reason === undefined) await program[Symbol.asyncDispose]();
});

beforeEach((context) => {
  if (reason !== undefined) context.skip(reason);
});

describe("a Rust program", () => {
  testEachCase(() => program);

  test("uses its collections, whose hashes are seeded by the host", async () => {
    expect(await program.answerOf("words", "a b a ".repeat(10_000))).toEqual(["a", 20_000]);
    const before = await program.answerOf("random");
    expect(await program.answerOf("random")).not.toBe(before);
  });

  test("prints, and that is its log", async () => {
    await program.answerOf("log", "to be found");
    const log = await program.log();
    expect(log).toContain("stdout: to be found");
    expect(log).toContain("stderr: to be found");
  });

  test("reads the clock, and the app's environment", async () => {
    const before = Date.now();
    // Guests see a coarse clock, which is behind.
    expect(Number(await program.answerOf("clock"))).toBeGreaterThan(before - 1000);
    expect(await program.answerOf("environment", "GREETING")).toBe("hello");
    expect(await program.answerOf("environment", "PATH")).toBeNull();
  });

  test("opens no file", async () => {
    expect(await program.answerOf("open", "/etc/passwd")).toBe(false);
  });

  test("sleeps in the midst of its code, and yields between", async () => {
    const sleepers = Array.from({ length: 20 }, () => program.answerOf("sleep", "20"));
    expect(await program.answerOf("yield", "10")).toBe(10);
    expect(new Set(await Promise.all(sleepers))).toEqual(new Set([null]));
  });

  test("says what is wrong with its input", async () => {
    const answer = await program.invoke("sleep", "long");
    expect([answer.status, answer.code]).toEqual([400, "INPUT_INVALID"]);
  });

  test("that panics ends alone, and the next call gets a new instance", async () => {
    expect((await program.invoke("panic", "thing")).code).toBe("GUEST_TRAPPED");
    expect(await program.answerOf("recurse", "100")).toBe(100);
  });

  test("that panicked left its message in the log", async () => {
    await program.invoke("panic", "luck");
    expect(await program.log()).toContain("no such luck");
  });
});
