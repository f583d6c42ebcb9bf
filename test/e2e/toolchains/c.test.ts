import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { at } from "../testing/host-under-test.ts";
import type { TenantClient } from "../testing/host-under-test.ts";
import { buildC, whyNoC } from "./build-c.ts";
import { GuestProgram, testEachCase } from "./guest-program.ts";

// C with Debian's clang, lld and wasi-libc: a program that knows nothing of this host but the contract.

let program: GuestProgram;
let tenant: TenantClient;
let reason: string | undefined;

beforeAll(async () => {
  reason = await whyNoC();
  // CI installs the compiler.
  if (reason !== undefined && process.env["CI"] === undefined) return;
  program = await GuestProgram.start("c-programs", await buildC(), {
    environment: { GREETING: "hello, C" },
  });
  ({ tenant } = program);
});

afterAll(async () => {
  if (reason === undefined) await program[Symbol.asyncDispose]();
});

beforeEach((context) => {
  if (reason !== undefined) context.skip(reason);
});

describe("a C program", () => {
  testEachCase(() => program);

  test("reads a register that it wrote", async () => {
    await program.invoke("append", "12");
    expect((await program.invoke("append", "34")).body.toString()).toBe("1234");
  });

  test("allocates and frees without an end", async () => {
    const sum = await program.answerOf("allocate", "20000");
    expect(await program.answerOf("allocate", "20000")).toBe(sum);
  });

  test("is told who it is", async () => {
    expect(await program.answerOf("context")).toMatchObject({
      tenant: "c-programs",
      app: "app",
      function: "context",
    });
  });

  test("writes to stdout and stderr, and both are its log", async () => {
    await program.answerOf("log", "4711");
    const log = await program.log();
    for (const message of ["stdout: 4711", "stderr: 4711", '"4711"']) {
      expect(log).toContain(message);
    }
  });

  test("reads clocks, and randomness that is new each time", async () => {
    const before = Date.now();
    const clock = await program.answerOf("clock");
    // Guests see a coarse clock, which is behind.
    expect(Number(at(clock, "wallMs"))).toBeGreaterThan(before - 1000);
    expect(at(clock, "isBackwards")).toBe(false);
    const randoms = [
      await program.answerOf("random"),
      await program.answerOf("random"),
      await program.answerOf("random"),
    ];
    expect(new Set(randoms).size).toBe(3);
  });

  test("sleeps, and others run on its thread meanwhile", async () => {
    const sleepers = Array.from({ length: 20 }, () => program.answerOf("sleep", "50"));
    expect(await program.answerOf("compute", "1000")).toBe(
      await program.answerOf("compute", "1000"),
    );
    expect(new Set(await Promise.all(sleepers))).toEqual(new Set([0]));
  });

  test("has the app's environment, and not that of the host", async () => {
    const greeting = await program.invoke("environment", "GREETING");
    expect(greeting.body.toString()).toBe("hello, C");
    expect((await program.invoke("environment", "PATH")).json()).toBeNull();
  });

  test.each(["/etc/passwd", "/proc/self/environ", "../../etc/passwd", ".", "/"])(
    "opens no file: %s",
    async (path) => {
      expect((await program.invoke("open", path)).body.toString()).toBe("not there");
    },
  );

  test("finds its input at the end", async () => {
    expect(await program.answerOf("read-input")).toBe(-1);
  });

  test("that never ends is ended at its deadline, and others are served", async () => {
    await tenant.deploy("endless", program.component);
    await tenant.api("PATCH", "/v1/apps/endless", { json: { deadlineMs: 300 } });
    const answer = await tenant.invoke("endless/spin", null);
    expect(answer.code).toMatch(/DEADLINE|CPU/u);
    expect(await program.answerOf("recurse", "100")).toBe(100);
  });

  test.each([
    ["exits", "exit", "3"],
    ["aborts", "abort", ""],
    ["divides by zero", "divide", "0"],
  ])("that %s ends alone, and the next call gets a new instance", async (_, name, body) => {
    const answer = await program.invoke(name, body);
    expect(answer.code).toBe("GUEST_TRAPPED");
    expect(await program.answerOf("recurse", "1000")).toBe(1000);
  });
});
