import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { Trap } from "../engine.ts";
import { createWasiLinks } from "./index.ts";
import type { WasiOptions } from "./index.ts";
import { Pollable } from "./pollable.ts";

function callWasi(
  interfaceName: string,
  functionName: string,
  args: readonly unknown[] = [],
  options: Partial<WasiOptions> = {},
): unknown {
  const links = createWasiLinks({
    environment: {},
    stdout: () => {},
    stderr: () => {},
    ...options,
  });
  const functions = links[interfaceName]?.functions ?? {};
  const implementation = functions[functionName];
  if (implementation === undefined) throw new Error(`no ${interfaceName} ${functionName}`);
  return Reflect.apply(implementation, functions, args);
}

function nowNs(): bigint {
  return BigInt(Math.floor(performance.now())) * 1_000_000n;
}

function after(ms: number): Pollable {
  return new Pollable(nowNs() + BigInt(ms) * 1_000_000n, nowNs);
}

describe("what a guest sees of the host", () => {
  test("is the configured environment, and no other", () => {
    const options = { environment: { REGION: "eu" } };
    expect(callWasi("wasi:cli/environment", "get-environment", [], options)).toEqual([
      ["REGION", "eu"],
    ]);
    expect(callWasi("wasi:cli/environment", "get-arguments")).toEqual([]);
    expect(callWasi("wasi:cli/environment", "initial-cwd")).toBeUndefined();
  });

  test("is no file, no input and no terminal", () => {
    expect(callWasi("wasi:filesystem/preopens", "get-directories")).toEqual([]);
    const stdin = callWasi("wasi:cli/stdin", "get-stdin");
    expect(callWasi("wasi:io/streams", "[method]input-stream.blocking-read", [stdin, 10n])).toEqual(
      {
        tag: "err",
        val: { tag: "closed" },
      },
    );
    expect(callWasi("wasi:cli/terminal-stdout", "get-terminal-stdout")).toBeUndefined();
  });

  test("is a clock of whole milliseconds, which says that it is one", () => {
    const resolutionNs = callWasi("wasi:clocks/monotonic-clock", "resolution");
    expect(resolutionNs).toBe(1_000_000n);
    const seen = new Set<bigint>();
    while (seen.size < 20) seen.add(BigInt(String(callWasi("wasi:clocks/monotonic-clock", "now"))));
    for (const ns of seen) expect(ns % 1_000_000n).toBe(0n);
  });

  test("is the time of day, in whole milliseconds too", () => {
    expect(callWasi("wasi:clocks/wall-clock", "resolution")).toEqual({
      seconds: 0n,
      nanoseconds: 1_000_000,
    });
    const seen = new Set<number>();
    while (seen.size < 20) {
      const now = Object(callWasi("wasi:clocks/wall-clock", "now"));
      expect(now).toEqual({ seconds: expect.any(BigInt), nanoseconds: expect.any(Number) });
      seen.add(Number(Reflect.get(now, "nanoseconds")));
    }
    for (const nanoseconds of seen) expect(nanoseconds % 1_000_000).toBe(0);
  });

  test("is random and never the same twice", () => {
    const draw = (): unknown => callWasi("wasi:random/random", "get-random-bytes", [32n]);
    expect(draw()).not.toEqual(draw());
    expect(callWasi("wasi:random/insecure-seed", "insecure-seed")).not.toEqual(
      callWasi("wasi:random/insecure-seed", "insecure-seed"),
    );
  });
});

describe("what a guest may not do traps", () => {
  test.each([
    ["exit", "wasi:cli/exit", "exit", [{ tag: "ok" }], /exited with code 0/u],
    ["exit with an error", "wasi:cli/exit", "exit", [{ tag: "err" }], /exited with code 1/u],
    ["exit with a code", "wasi:cli/exit", "exit-with-code", [7], /exited with code 7/u],
    [
      "ask for endless random bytes",
      "wasi:random/random",
      "get-random-bytes",
      [2n ** 63n],
      /random bytes/u,
    ],
    ["wait for nothing", "wasi:io/poll", "poll", [[]], /empty list/u],
  ])("to %s", (_what, interfaceName, functionName, args, message) => {
    const call = (): unknown => callWasi(interfaceName, functionName, args);
    expect(call).toThrow(Trap);
    expect(call).toThrow(message);
  });

  test.each([
    ["write-zeroes", 2n ** 63n],
    ["blocking-write-and-flush", new Uint8Array(65_537)],
  ])("to write more at once than a stream allows: %s", (method, contents) => {
    const args = [callWasi("wasi:cli/stdout", "get-stdout"), contents];
    const name = `[method]output-stream.${method}`;
    expect(() => callWasi("wasi:io/streams", name, args)).toThrow(Trap);
  });
});

describe("waiting for a point in time", () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  test("holds a timer only while it is waited for", async () => {
    const pollable = after(50);
    expect([pollable.isReady, vi.getTimerCount()]).toEqual([false, 0]);
    const waited = pollable.wait();
    expect(vi.getTimerCount()).toBe(1);
    await vi.advanceTimersByTimeAsync(60);
    await waited;
    expect([pollable.isReady, pollable.wait(), vi.getTimerCount()]).toEqual([true, undefined, 0]);
  });

  test("takes no promise where the time has come", () => {
    expect(callWasi("wasi:io/poll", "poll", [[after(50), Pollable.ready()]])).toEqual([1]);
    expect(vi.getTimerCount()).toBe(0);
  });

  test("answers which of several came first", async () => {
    const pollables = [after(500), after(20), after(20)];
    const polled = callWasi("wasi:io/poll", "poll", [pollables]);
    await vi.advanceTimersByTimeAsync(30);
    expect(await polled).toEqual([1, 2]);
    expect(vi.getTimerCount()).toBe(0);
  });

  test("ends with the handle: no timer outlives it", () => {
    const links = createWasiLinks({ environment: {}, stdout: () => {}, stderr: () => {} });
    const pollable = after(50);
    void pollable.wait();
    const drop = links["wasi:io/poll"]?.drop?.["pollable"];
    if (drop !== undefined) Reflect.apply(drop, undefined, [pollable]);
    expect(vi.getTimerCount()).toBe(0);
  });

  test("may be longer than the longest timer", async () => {
    const month = 31 * 24 * 3_600_000;
    const pollable = after(month);
    const waited = pollable.wait();
    await vi.advanceTimersByTimeAsync(month + 10);
    await waited;
    expect(pollable.isReady).toBe(true);
  });
});
