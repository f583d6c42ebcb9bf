import { Worker } from "node:worker_threads";
import { beforeAll, describe, expect, test } from "vitest";
import { createEngine } from "./create-engine.ts";
import { Trap } from "./engine.ts";
import type { Compilation, Instance } from "./engine.ts";
import { hashModule } from "./link/module-cache.ts";
import { testLimits } from "./testing/limits.ts";
import { buildStoreGuest, storeLinks, storeWorld } from "./testing/store-guest.ts";
import type { StoreHost } from "./testing/store-guest.ts";

const engine = createEngine();

/** A core module with nothing in it but a custom section of one byte, its number. */
function moduleNumber(number: number): { readonly sha256: string; readonly bytes: Uint8Array } {
  const bytes = Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 0, 2, 0, number);
  return { sha256: hashModule(bytes), bytes };
}

describe.each(["sync", "async"] as const)("a TypeScript guest with %s exports", (kind) => {
  let counter: Compilation;
  beforeAll(async () => {
    counter = engine.compile(await buildStoreGuest(kind), storeWorld, testLimits);
  });

  async function instantiate(body: string, host?: StoreHost): Promise<Instance> {
    const bytes = await buildStoreGuest(kind, body);
    const { component } = engine.compile(bytes, storeWorld, testLimits);
    return engine.instantiate(component, storeLinks(host));
  }

  test("imports what its toolchain and its world need, and is accepted", () => {
    expect(counter.component.imports).toContain("test:guest/store@0.1.0");
    expect(counter.component.imports).toContain("wasi:cli/environment@0.2.12");
  });

  test("answers calls, and keeps its own state between them", async () => {
    const instance = engine.instantiate(counter.component, storeLinks());
    expect(await instance.call("describe", [])).toBe('{"calls":0}');
    expect(await instance.call("handle", [new Uint8Array(4)])).toEqual(Uint8Array.of(7, 0));
    expect(await instance.call("handle", [new Uint8Array(4)])).toEqual(Uint8Array.of(7, 1));
    expect(await instance.call("describe", [])).toBe('{"calls":2}');
  });

  test("waits for a get that takes its time", async () => {
    const { promise, resolve } = Promise.withResolvers<Uint8Array>();
    const instance = engine.instantiate(counter.component, storeLinks({ get: () => promise }));
    const called = instance.call("handle", [new Uint8Array(4)]);
    resolve(Uint8Array.of(41));
    expect(await called).toEqual(Uint8Array.of(7, 41));
  });

  test("passes large and empty values", async () => {
    const instance = await instantiate("put('copy', input); return input;");
    const large = Uint8Array.from({ length: 1_000_000 }, (_, i) => i & 255);
    expect(await instance.call("handle", [large])).toEqual(large);
    expect(await instance.call("handle", [new Uint8Array(0)])).toEqual(new Uint8Array(0));
  });

  test("that throws traps, and its exception is in its log", async () => {
    const lines: string[] = [];
    const instance = await instantiate("throw new TypeError('no such ' + input.length);", {
      stderr: (line) => lines.push(line),
    });
    await expect(instance.call("handle", [new Uint8Array(4)])).rejects.toThrow(Trap);
    expect(instance.isDead).toBe(true);
    expect(lines.join("\n")).toContain("no such 4");
  });

  test("that recurses without end reports it or traps, and leaves the thread unharmed", async () => {
    const instance = await instantiate("const f = () => f() + 1; return new Uint8Array([f()]);");
    await expect(instance.call("handle", [new Uint8Array(4)])).rejects.toThrow(Trap);
    const next = engine.instantiate(counter.component, storeLinks());
    expect(await next.call("handle", [new Uint8Array(4)])).toEqual(Uint8Array.of(7, 0));
  });

  test("is abandoned while it waits, and what it waited for is ignored", async () => {
    const { promise, resolve } = Promise.withResolvers<Uint8Array>();
    const written: string[] = [];
    const instance = engine.instantiate(
      counter.component,
      storeLinks({ get: () => promise, put: (key) => written.push(key) }),
    );
    const called = instance.call("handle", [new Uint8Array(4)]);
    instance.abandon(new Error("deadline"));
    await expect(called).rejects.toThrow("deadline");
    resolve(Uint8Array.of(1));
    await new Promise((settled) => {
      setImmediate(settled);
    });
    expect(written).toEqual([]);
  });

  test("runs a hundred instances at once, each with its own call that waits", async () => {
    const gate = Promise.withResolvers<void>();
    const calls = Array.from({ length: 100 }, (_, i) =>
      engine
        .instantiate(
          counter.component,
          storeLinks({ get: async () => (await gate.promise, Uint8Array.of(i)) }),
        )
        .call("handle", [new Uint8Array(4)]),
    );
    gate.resolve();
    expect(await Promise.all(calls)).toEqual(calls.map((_, i) => Uint8Array.of(7, i)));
  });
});

describe("a compiled component", () => {
  test("is loaded again from what was stored as text and bytes", async () => {
    const { stored } = engine.compile(await buildStoreGuest("async"), storeWorld, testLimits);
    const modules = stored.modules.map(({ sha256, bytes }) => ({ sha256, bytes: bytes.slice() }));
    const loaded = createEngine().load({ ...stored, modules });
    const instance = createEngine().instantiate(loaded, storeLinks());
    expect(await instance.call("handle", [new Uint8Array(4)])).toEqual(Uint8Array.of(7, 0));
  });

  test("is not loaded from damaged bytes, or from a plan of another time", async () => {
    const { stored } = engine.compile(await buildStoreGuest("async"), storeWorld, testLimits);
    const [first, ...rest] = stored.modules;
    if (first === undefined) throw new Error("no module");
    const damaged = { sha256: first.sha256, bytes: first.bytes.slice(0, -1) };
    expect(() => createEngine().load({ ...stored, modules: [damaged, ...rest] })).toThrow(
      "is damaged",
    );
    expect(() => engine.load({ ...stored, plan: '{"format":0}' })).toThrow(
      "compiled by another version of the engine",
    );
  });

  test("is loaded without the bytes of modules that the engine has, however many others push them out", async () => {
    const { stored } = engine.compile(await buildStoreGuest("async"), storeWorld, testLimits);
    const loading = createEngine();
    const before = loading.load(stored).modules.map(({ code }) => code);
    const modules = stored.modules.map(({ sha256 }) => ({ sha256, bytes: undefined }));
    expect(modules.every(({ sha256 }) => loading.hasModule(sha256))).toBe(true);
    const others = Array.from({ length: 32 }, (_, index) => moduleNumber(index));
    const loaded = loading.load({ ...stored, modules: [...others, ...modules] });
    const after = loaded.modules.slice(others.length).map(({ code }) => code);
    expect(after.every((code, index) => code === before[index])).toBe(true);
  });

  test("is not loaded without the bytes of a module that the engine does not have", async () => {
    const { stored } = engine.compile(await buildStoreGuest("async"), storeWorld, testLimits);
    const modules = stored.modules.map(({ sha256 }) => ({ sha256, bytes: undefined }));
    expect(() => createEngine().load({ ...stored, modules })).toThrow("is missing");
  });

  test("shares the language's runtime with every other app", async () => {
    const one = engine.compile(await buildStoreGuest("async"), storeWorld, testLimits).component;
    const two = engine.compile(
      await buildStoreGuest("async", "return input;"),
      storeWorld,
      testLimits,
    ).component;
    const codes = new Set(one.modules.map(({ code }) => code));
    expect(two.modules.filter(({ code }) => codes.has(code)).length).toBeGreaterThan(0);
  });

  test("is posted to another thread, and runs there", async () => {
    const { component } = engine.compile(await buildStoreGuest("sync"), storeWorld, testLimits);
    const worker = new Worker(new URL("testing/instance-worker.ts", import.meta.url), {
      workerData: component,
    });
    const answer = await new Promise((resolve, reject) => {
      worker.once("message", resolve);
      worker.once("error", reject);
    });
    await worker.terminate();
    expect(answer).toEqual(Uint8Array.of(7, 0));
  });
});
