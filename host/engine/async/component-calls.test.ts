import { beforeAll, describe, expect, test } from "vitest";
import { createEngine } from "../create-engine.ts";
import { Trap } from "../engine.ts";
import type { Bounds, CompiledComponent, Instance } from "../engine.ts";
import { COMPONENT_CALLS, componentCallsWorld } from "../testing/component-calls.ts";
import { assemble } from "../testing/assemble.ts";
import { testLimits } from "../testing/limits.ts";

// Two components of one guest: `caller`, whose exports the host calls, calls functions of `callee`, which waits for the host.

const engine = createEngine();
let component: CompiledComponent;
beforeAll(async () => {
  const bytes = await assemble(COMPONENT_CALLS);
  component = engine.compile(bytes, componentCallsWorld, testLimits).component;
});

/** The host's side: what `sleep` was called with, and which of the calls are under way. */
class Sleeper {
  readonly underWay = new Map<number, () => void>();
  most = 0;

  sleep(ms: number): Promise<number> {
    const { promise, resolve } = Promise.withResolvers<number>();
    this.underWay.set(ms, () => {
      this.underWay.delete(ms);
      resolve(ms);
    });
    this.most = Math.max(this.most, this.underWay.size);
    return promise;
  }

  /** Ends the call of that length, as soon as it is made. */
  async end(ms: number): Promise<void> {
    while (!this.underWay.has(ms)) await new Promise(setImmediate);
    this.underWay.get(ms)?.();
  }
}

function instantiate(sleeper = new Sleeper(), bounds?: Bounds): Instance {
  const functions = { sleep: (ms: number) => sleeper.sleep(ms) };
  return engine.instantiate(component, { "test:calls/host": { functions } }, bounds);
}

describe("a call to another component", () => {
  test("that waits lets its caller go on: two are under way at once, and end in any order", async () => {
    const sleeper = new Sleeper();
    const call = instantiate(sleeper).call("both", [3, 4]);
    await sleeper.end(4);
    await sleeper.end(3);
    expect(await call).toBe(7);
    expect(sleeper.most).toBe(2);
  });

  test("is waited for where it is lowered synchronously", async () => {
    const sleeper = new Sleeper();
    const call = instantiate(sleeper).call("directly", [5]);
    await sleeper.end(5);
    expect(await call).toBe(5);
  });

  test("has to wait while another one waits in the midst of its code", async () => {
    const sleeper = new Sleeper();
    const call = instantiate(sleeper).call("both-blocked", [3, 4]);
    await sleeper.end(3);
    await sleeper.end(4);
    expect(await call).toBe(7);
    expect(sleeper.most).toBe(1);
  });

  test("does not begin under backpressure, and does when that ends", async () => {
    const sleeper = new Sleeper();
    const call = instantiate(sleeper).call("held-back", [6]);
    await sleeper.end(6);
    expect(await call).toBe(6);
  });

  test("that is put aside because it computes for long, puts its caller aside", async () => {
    let asked = 0;
    const instance = instantiate(new Sleeper(), {
      memoryBytesMax: Infinity,
      onFuelSpent: (canWait) => {
        if (canWait) asked += 1;
        return canWait ? new Promise((resolve) => void setImmediate(resolve)) : undefined;
      },
    });
    expect(await instance.call("computed", [1_000_000])).toBe(1_000_000);
    expect(asked).toBeGreaterThan(1);
  });

  test("that traps after its caller went on ends the call of the host", async () => {
    const instance = instantiate();
    await expect(instance.call("trapped", [])).rejects.toThrow(Trap);
    expect(instance.isDead).toBe(true);
  });

  test("that traps at once ends the call of the host, and leaves nothing that nobody handles", async () => {
    await expect(instantiate().call("released", [])).rejects.toThrow(/lowered more often/u);
    await new Promise(setImmediate);
  });

  test("that traps in its first stretch ends a synchronous call of the host, too", async () => {
    await expect(instantiate().call("failed", [])).rejects.toThrow(Trap);
  });

  test("ends with the failure of the host function that it waits for", async () => {
    const failure = new Error("the host failed");
    const functions = { sleep: () => Promise.reject(failure) };
    const instance = engine.instantiate(component, { "test:calls/host": { functions } });
    await expect(instance.call("both", [1, 2])).rejects.toBe(failure);
  });

  test("can be abandoned with its caller", async () => {
    const sleeper = new Sleeper();
    const instance = instantiate(sleeper);
    const call = instance.call("both-blocked", [1, 2]);
    const reason = new Error("the caller left");
    await new Promise(setImmediate);
    instance.abandon(reason);
    await expect(call).rejects.toBe(reason);
    await sleeper.end(1);
    await new Promise(setImmediate);
    expect(sleeper.underWay.size).toBe(0);
  });

  test("in which both wait for each other for good is a trap", async () => {
    await expect(instantiate().call("stuck", [])).rejects.toThrow(/cannot come/u);
  });
});

describe("a call that its caller leaves under way", () => {
  test("goes on in the next call of the host, and is not frozen in between", async () => {
    const sleeper = new Sleeper();
    const instance = instantiate(sleeper);
    await instance.call("leave", [8]);
    await sleeper.end(8);
    await new Promise(setImmediate);
    expect(instance.freeze()).toBe(false);
    expect(await instance.call("collect", [])).toBe(8);
    expect(instance.freeze()).toBe(true);
    expect(await instance.call("computed", [1])).toBe(1);
  });

  test("is one of a bounded number", async () => {
    const instance = instantiate();
    // Each with one of the host.
    for (let i = 0; i < 500; i += 1) await instance.call("leave", [i]);
    await expect(instance.call("leave", [500])).rejects.toThrow(/more than 1000 asynchronous/u);
  });
});

describe("a call that its caller cancels", () => {
  test("learns of it where it waits, and may give up", async () => {
    expect(await instantiate().call("cancel-patient", [])).toBe(4);
  });

  test("never begins, where it was held back", async () => {
    expect(await instantiate().call("cancel-held-back", [])).toBe(3);
  });

  test("may return all the same, and its caller waits for that", async () => {
    const sleeper = new Sleeper();
    const call = instantiate(sleeper).call("cancel-blocked", [2]);
    await sleeper.end(2);
    expect(await call).toBe(2);
  });
});

describe("what a synchronous function may not:", () => {
  test("wait", async () => {
    await expect(instantiate().call("synchronous", [1])).rejects.toThrow(/has to return first/u);
  });
});
