import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { DeficitRoundRobin } from "./deficit-round-robin.ts";
import type { Share } from "./deficit-round-robin.ts";

const QUANTUM_US = 1_000;

/** A resource that serves one item after the other, and hears of its cost `lateBy` items later. */
class Server {
  readonly robin = new DeficitRoundRobin<string>({ quantumUs: QUANTUM_US });
  readonly usedUs = new Map<string, number>();
  readonly #lateBy: number;
  readonly #uncharged: { readonly share: Share<string>; readonly costUs: number }[] = [];

  constructor(lateBy = 0) {
    this.#lateBy = lateBy;
  }

  join(name: string, weight = 1): Share<string> {
    this.usedUs.set(name, 0);
    return this.robin.join(name, weight);
  }

  waiting(name: string, weight = 1): Share<string> {
    const share = this.join(name, weight);
    this.robin.wait(share);
    return share;
  }

  /** Serves one item, and says whose. */
  serve(costOf: (name: string) => number): string | undefined {
    const share = this.robin.next();
    if (share === undefined) return undefined;
    const costUs = costOf(share.flow);
    this.usedUs.set(share.flow, this.used(share.flow) + costUs);
    this.#uncharged.push({ share, costUs });
    while (this.#uncharged.length > this.#lateBy) {
      const served = this.#uncharged.shift();
      if (served !== undefined) this.robin.charge(served.share, served.costUs);
    }
    this.robin.pass(share);
    return share.flow;
  }

  used(name: string): number {
    return this.usedUs.get(name) ?? 0;
  }
}

const costUs = fc.integer({ min: 1, max: 20_000 });
const costs = fc.array(costUs, { minLength: 50, maxLength: 400 });

describe("flows that wait all the time", () => {
  test("get equal shares, whatever their items cost, up to a quantum and what is charged late", () => {
    fc.assert(
      fc.property(
        costs,
        fc.integer({ min: 2, max: 8 }),
        fc.integer({ min: 0, max: 5 }),
        (items, flows, lateBy) => {
          const server = new Server(lateBy);
          const names = Array.from({ length: flows }, (_, index) => `flow ${index}`);
          for (const name of names) server.waiting(name);
          const largestUs = Math.max(...items);
          for (const item of items) {
            server.serve(() => item);
            const used = names.map((name) => server.used(name));
            const apartUs = Math.max(...used) - Math.min(...used);
            expect(apartUs).toBeLessThanOrEqual(QUANTUM_US + (lateBy + 2) * largestUs);
          }
        },
      ),
    );
  });

  test("get shares by their weights", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 9 }), costUs, costUs, (weight, cheapUs, dearUs) => {
        const server = new Server();
        server.waiting("light");
        server.waiting("heavy", weight);
        for (let item = 0; item < 500; item += 1) {
          server.serve((name) => (name === "light" ? cheapUs : dearUs));
        }
        const apartUs = Math.abs(server.used("heavy") / weight - server.used("light"));
        expect(apartUs).toBeLessThanOrEqual(QUANTUM_US + cheapUs + dearUs);
      }),
    );
  });

  test("are each served within a bounded amount of the others' work", () => {
    fc.assert(
      fc.property(costs, fc.integer({ min: 2, max: 8 }), (items, flows) => {
        const server = new Server();
        const names = Array.from({ length: flows }, (_, index) => `flow ${index}`);
        for (const name of names) server.waiting(name);
        const largestUs = Math.max(...items);
        const waitedUs = new Map(names.map((name) => [name, 0]));
        for (const item of items) {
          const served = server.serve(() => item);
          for (const name of names) {
            const beforeUs = waitedUs.get(name) ?? 0;
            waitedUs.set(name, name === served ? 0 : beforeUs + item);
          }
          // It sits out what its own last item cost, once for each of the others, and what they may be ahead.
          const boundUs = (flows - 1) * (2 * QUANTUM_US + 2 * largestUs);
          expect(Math.max(...waitedUs.values())).toBeLessThanOrEqual(boundUs);
        }
      }),
    );
  });
});

test("whenever somebody waits, somebody is served; whenever nobody does, nobody is", () => {
  const step = fc.record({
    kind: fc.constantFrom("wait" as const, "leave" as const, "serve" as const),
    flow: fc.nat(4),
    costUs,
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 300 }), fc.nat(4), (steps, lateBy) => {
      const server = new Server(lateBy);
      const shares = Array.from({ length: 5 }, (_, index) => server.join(String(index)));
      const waiting = new Set<string>();
      const wrong: unknown[] = [];
      for (const { kind, flow, costUs: cost } of steps) {
        const share = shares[flow];
        if (share === undefined) continue;
        if (kind === "wait") {
          server.robin.wait(share);
          waiting.add(share.flow);
        } else if (kind === "leave") {
          server.robin.leave(share);
          waiting.delete(share.flow);
        } else {
          const served = server.serve(() => cost);
          const isRight = served === undefined ? waiting.size === 0 : waiting.has(served);
          if (!isRight) wrong.push(served);
        }
        expect(server.robin.size).toBe(waiting.size);
      }
      expect(wrong).toEqual([]);
    }),
  );
});

describe("a flow that comes and goes", () => {
  test("has no more than a quantum of credit, however long it was away", () => {
    const server = new Server();
    const sparse = server.waiting("sparse");
    server.waiting("busy");
    server.serve(() => 100);
    server.robin.leave(sparse);
    for (let item = 0; item < 1_000; item += 1) server.serve(() => 500);
    server.robin.wait(sparse);
    let ahead = 0;
    while (server.serve(() => 500) === "sparse") ahead += 1;
    expect(ahead).toBeLessThanOrEqual(QUANTUM_US / 500);
  });

  test("is next where it uses less than its share", () => {
    const server = new Server();
    const sparse = server.join("sparse");
    for (let flow = 0; flow < 20; flow += 1) server.waiting(`busy ${flow}`);
    for (let request = 0; request < 50; request += 1) {
      for (let item = 0; item < 60; item += 1) server.serve(() => QUANTUM_US);
      server.robin.wait(sparse);
      expect(server.serve(() => 50)).toBe("sparse");
      server.robin.leave(sparse);
    }
  });

  test("gets not more than its share by it", () => {
    fc.assert(
      fc.property(costUs, costUs, fc.nat(3), (ownUs, othersUs, lateBy) => {
        const server = new Server(lateBy);
        const crafty = server.waiting("crafty");
        server.waiting("steady");
        for (let item = 0; item < 400; item += 1) {
          if (server.serve((name) => (name === "crafty" ? ownUs : othersUs)) === "crafty") {
            server.robin.leave(crafty);
            server.robin.wait(crafty);
          }
        }
        const aheadUs = server.used("crafty") - server.used("steady");
        expect(aheadUs).toBeLessThanOrEqual(QUANTUM_US + (lateBy + 2) * Math.max(ownUs, othersUs));
      }),
    );
  });

  test("goes on owing what it used", () => {
    const server = new Server();
    const burner = server.waiting("burner");
    server.waiting("steady");
    server.serve(() => 10);
    server.serve(() => 10);
    server.robin.charge(burner, 50 * QUANTUM_US);
    server.robin.leave(burner);
    server.robin.wait(burner);
    let before = 0;
    while (server.serve(() => QUANTUM_US) === "steady") before += 1;
    expect(before).toBeGreaterThanOrEqual(49);
    expect(before).toBeLessThanOrEqual(53);
  });
});

test("a flow that waits alone is never held up by what it used", () => {
  const server = new Server();
  const burner = server.waiting("burner");
  for (let item = 0; item < 100; item += 1) {
    server.robin.charge(burner, 1e9);
    expect(server.serve(() => 1)).toBe("burner");
  }
});
