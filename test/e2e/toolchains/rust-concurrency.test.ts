import { beforeAll, beforeEach, describe, expect, test } from "vitest";
import { createEngine } from "../../../host/engine/create-engine.ts";
import {
  borrow,
  func,
  list,
  own,
  result,
  s64,
  string,
  u32,
} from "../../../host/engine/component/wit-types.ts";
import type { CompiledComponent, Instance, World } from "../../../host/engine/engine.ts";
import { Trap } from "../../../host/engine/engine.ts";
import { testLimits } from "../../../host/engine/testing/limits.ts";
import { createWasiLinks, wasiDeclarations } from "../../../host/engine/wasi/index.ts";
import { buildRust, whyNoRust } from "./build-rust.ts";

// A Rust guest whose imports are asynchronous (WASI 0.3): its futures are subtasks of the engine.
// The contract of the host has no such imports yet: this is the engine alone, with a world for it.

const ACCOUNT = 900;
const isAsync = { async: true };

const world: World = {
  imports: [
    {
      name: "test:concurrency/host",
      version: "1.0.0",
      resources: { account: ACCOUNT },
      functions: {
        later: { type: func({ ms: u32, label: string }, string, isAsync), suspends: true },
        halve: { type: func({ number: u32 }, result(u32, string), isAsync), suspends: true },
        "[constructor]account": { type: func({ balance: s64 }, own(ACCOUNT)), suspends: false },
        "[method]account.add": {
          type: func({ self: borrow(ACCOUNT), amount: s64 }, s64, isAsync),
          suspends: true,
        },
        pause: { type: func({ ms: u32 }, null, isAsync), suspends: true },
        note: { type: func({ text: string }), suspends: false },
      },
    },
    ...wasiDeclarations,
  ],
  exports: {
    all: [func({ "delays-ms": list(u32) }, list(string), isAsync)],
    first: [func({ "delays-ms": list(u32) }, string, isAsync)],
    halves: [func({ numbers: list(u32) }, result(list(u32), string), isAsync)],
    deposit: [func({ amounts: list(s64) }, list(s64), isAsync)],
    early: [func({ ms: u32 }, string, isAsync)],
    paused: [func({ ms: u32 }, null, isAsync)],
    turns: [func({ count: u32 }, null, isAsync)],
    blocking: [func({ "delays-ms": list(u32) }, list(string), isAsync)],
  },
};

let component: CompiledComponent | undefined;
let reason: string | undefined;

beforeAll(async () => {
  reason = await whyNoRust();
  if (reason !== undefined) return;
  const bytes = await buildRust("concurrency");
  component = createEngine().compile(bytes, world, testLimits).component;
}, 600_000);

beforeEach((context) => {
  if (reason !== undefined) context.skip(reason);
});

class Account {
  balance: bigint;

  constructor(balance: bigint) {
    this.balance = balance;
  }
}

/** What the guest asked of its host, and what came of it. */
class HostLog {
  readonly notes: string[] = [];
  readonly openAccounts = new Set<Account>();
  underWay = 0;
  underWayMost = 0;

  async during<T>(work: () => Promise<T>): Promise<T> {
    this.underWay += 1;
    this.underWayMost = Math.max(this.underWayMost, this.underWay);
    try {
      return await work();
    } finally {
      this.underWay -= 1;
    }
  }
}

async function pause(ms: number): Promise<void> {
  await new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}

interface Guest {
  readonly instance: Instance;
  readonly log: HostLog;
}

function instantiate(later?: (ms: number, label: string) => unknown): Guest {
  if (component === undefined) throw new Error("there is no component");
  const log = new HostLog();
  const functions = {
    later:
      later ?? ((ms: number, label: string) => log.during(async () => (await pause(ms), label))),
    halve: (number: number) =>
      number % 2 === 0
        ? Promise.resolve({ tag: "ok", val: number / 2 })
        : { tag: "err", val: `${number} is odd` },
    "[constructor]account": (balance: bigint) => {
      const account = new Account(balance);
      log.openAccounts.add(account);
      return account;
    },
    "[method]account.add": (account: Account, amount: bigint) =>
      log.during(async () => {
        await pause(Number(amount));
        account.balance += amount;
        return account.balance;
      }),
    pause,
    note: (text: string) => void log.notes.push(text),
  };
  const drop = { account: (account: Account) => void log.openAccounts.delete(account) };
  const wasi = createWasiLinks({ environment: {}, stdout: () => {}, stderr: () => {} });
  const links = { ...wasi, "test:concurrency/host": { functions, drop } };
  return { instance: createEngine().instantiate(component, links), log };
}

describe("a Rust guest with asynchronous imports", () => {
  test("has many calls under way at once, and gets each answer in its place", async () => {
    const { instance, log } = instantiate();
    const delaysMs = [5, 1, 3, 0, 4, 2];
    const labels = delaysMs.map((ms) => `after ${ms}`);
    expect(await instance.call("all", [delaysMs])).toEqual(labels);
    expect(log.underWayMost).toBe(delaysMs.length);
    expect(await instance.call("all", [[]])).toEqual([]);
  });

  test("gets what the host answers at once, among what it does not", async () => {
    const { instance } = instantiate((ms, label) => (ms === 0 ? label : Promise.resolve(label)));
    expect(await instance.call("all", [[0, 1, 0, 1]])).toEqual([
      "after 0",
      "after 1",
      "after 0",
      "after 1",
    ]);
  });

  test("takes the first answer, and drops the calls that it no longer needs", async () => {
    const never = new Promise<string>(() => {});
    const { instance } = instantiate((ms, label) => (ms === 1 ? Promise.resolve(label) : never));
    expect(await instance.call("first", [[3, 1, 2]])).toBe("after 1");
    expect(await instance.call("first", [[1, 4]])).toBe("after 1");
    expect(await instance.call("all", [[1, 1]])).toEqual(["after 1", "after 1"]);
  });

  test("gets typed failures of calls", async () => {
    const { instance } = instantiate();
    expect(await instance.call("halves", [[2, 4]])).toEqual({ tag: "ok", val: [1, 2] });
    expect(await instance.call("halves", [[2, 3]])).toEqual({ tag: "err", val: "3 is odd" });
  });

  test("lends a resource to several calls at once, and drops it after them", async () => {
    const { instance, log } = instantiate();
    const balances = await instance.call("deposit", [[3n, 1n, 2n]]);
    expect(balances).toEqual([6n, 1n, 3n]);
    expect(log.openAccounts.size).toBe(0);
  });

  test("answers, and goes on until its work is done", async () => {
    const { instance, log } = instantiate();
    expect(await instance.call("early", [3])).toBe("early");
    expect(log.notes).toEqual(["after 3"]);
  });

  test("lets other work of the thread run when it yields", async () => {
    const { instance, log } = instantiate();
    const turns = instance.call("turns", [3]);
    const other = instantiate();
    const others = other.instance.call("turns", [1]).then(() => log.notes.length);
    expect(await others).toBeLessThan(3);
    await turns;
    expect(log.notes).toEqual(["0", "1", "2"]);
  });

  test("is put aside in an asynchronous import that it calls as if it were not", async () => {
    const { instance, log } = instantiate();
    const paused = instance.call("paused", [1]);
    expect(log.notes).toEqual(["before"]);
    await paused;
    expect(log.notes).toEqual(["before", "after"]);
  });

  test("waits for several calls in the midst of its code", async () => {
    const { instance, log } = instantiate();
    expect(await instance.call("blocking", [[3, 1]])).toEqual(["after 3", "after 1"]);
    expect(log.underWayMost).toBe(2);
  });

  test.each(["all", "first", "blocking"])(
    "ends with the host's failure while %s waits",
    async (name) => {
      const failure = new Error("the host failed");
      const { instance } = instantiate(async () => {
        await pause(1);
        throw failure;
      });
      await expect(instance.call(name, [[1, 2]])).rejects.toBe(failure);
      expect(instance.isDead).toBe(true);
    },
  );

  test.each(["all", "first", "blocking"])("is abandoned while %s waits", async (name) => {
    const { promise, resolve } = Promise.withResolvers<string>();
    const { instance } = instantiate(() => promise);
    const called = instance.call(name, [[1, 2]]);
    const left = new Error("the caller left");
    instance.abandon(left);
    await expect(called).rejects.toBe(left);
    resolve("too late");
    await new Promise(setImmediate);
    expect(instance.isDead).toBe(true);
  });

  test("that starts more calls than it may have under way is ended", async () => {
    const { instance } = instantiate();
    const tooMany = Array.from({ length: 1001 }, () => 1);
    await expect(instance.call("all", [tooMany])).rejects.toThrow(Trap);
  });
});
