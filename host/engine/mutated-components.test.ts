import { describe, expect, test } from "vitest";
import { createEngine } from "./create-engine.ts";
import { assemble, dummyComponent } from "./testing/assemble.ts";
import {
  FUZZ_CASES,
  FUZZ_TIMEOUT_MS,
  checkEach,
  linkMutations,
  taken,
} from "./testing/check-mutations.ts";
import type { Subject } from "./testing/check-mutations.ts";
import { COMPONENT_CALLS, componentCallsWorld } from "./testing/component-calls.ts";
import { composedComponent, composedWorld } from "./testing/composed-component.ts";
import { testLimits } from "./testing/limits.ts";
import { STREAM_COMPONENT, streamWorld } from "./testing/stream-component.ts";
import { buildStoreGuest, storeLinks, storeWit, storeWorld } from "./testing/store-guest.ts";

// Real components changed at random: each is taken or refused as one that an author could have made, and
// never anything else.

test(
  "a mutated component compiles or is refused, wherever it was changed",
  async () => {
    const component = await dummyComponent(storeWit, "guest");
    const engine = createEngine();
    expect(taken(() => engine.compile(component, storeWorld, testLimits))).toBeDefined();
    let takenCount = 0;
    checkEach(FUZZ_CASES / 2, (mutate) => {
      const compiled = taken(() => engine.compile(mutate(component), storeWorld, testLimits));
      if (compiled !== undefined) takenCount += 1;
    });
    expect(takenCount).toBeGreaterThan(0);
  },
  FUZZ_TIMEOUT_MS,
);

describe("is planned or refused, and what is planned links or traps:", () => {
  test.each<[string, () => Promise<Subject>]>([
    ["a mutated TypeScript guest", () => storeGuest("async")],
    ["a mutated guest with synchronous exports", () => storeGuest("sync")],
    ["a mutated component that is composed of others", composed],
    ["a mutated component whose parts call each other asynchronously", componentCalls],
    ["a mutated component whose parts share streams and futures", streams],
  ])(
    "%s",
    async (_, make) => {
      expect(linkMutations(await make(), FUZZ_CASES / 10)).toBeGreaterThan(0);
    },
    FUZZ_TIMEOUT_MS,
  );
});

async function storeGuest(kind: "async" | "sync"): Promise<Subject> {
  const component = await buildStoreGuest(kind);
  return { component, world: storeWorld, links: () => storeLinks() };
}

async function composed(): Promise<Subject> {
  return { component: await composedComponent(), world: composedWorld, links: () => ({}) };
}

async function componentCalls(): Promise<Subject> {
  return {
    component: await assemble(COMPONENT_CALLS),
    world: componentCallsWorld,
    links: () => ({ "test:calls/host": { functions: { sleep: (ms: number) => ms } } }),
  };
}

async function streams(): Promise<Subject> {
  return { component: await assemble(STREAM_COMPONENT), world: streamWorld, links: () => ({}) };
}
