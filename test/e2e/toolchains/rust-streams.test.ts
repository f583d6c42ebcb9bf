import { beforeAll, beforeEach, describe, expect, test } from "vitest";
import { createEngine } from "../../../host/engine/create-engine.ts";
import { func, list, string, u32, u64 } from "../../../host/engine/component/wit-types.ts";
import type { CompiledComponent, Instance, World } from "../../../host/engine/engine.ts";
import { testLimits } from "../../../host/engine/testing/limits.ts";
import { createWasiLinks, wasiDeclarations } from "../../../host/engine/wasi/index.ts";
import { composeRust, whyNoComposition, whyNoRust } from "./build-rust.ts";

// Two Rust guests in one component: one gives streams and futures away, the other one reads them.

const isAsync = { async: true };

const world: World = {
  imports: wasiDeclarations,
  exports: {
    sum: [func({ count: u32 }, u64, isAsync)],
    first: [func({ count: u32 }, u32, isAsync)],
    greet: [func({ names: list(string) }, list(string), isAsync)],
    promised: [func({ name: string }, string, isAsync)],
  },
};

let component: CompiledComponent | undefined;
let reason: string | undefined;

beforeAll(async () => {
  reason = (await whyNoRust()) ?? (await whyNoComposition());
  if (reason !== undefined) return;
  const bytes = await composeRust("stream-consumer", "stream-producer");
  component = createEngine().compile(bytes, world, testLimits).component;
}, 600_000);

beforeEach((context) => {
  if (reason !== undefined) context.skip(reason);
});

function instantiate(): Instance {
  if (component === undefined) throw new Error("there is no component");
  const links = createWasiLinks({ environment: {}, stdout: () => {}, stderr: () => {} });
  return createEngine().instantiate(component, links);
}

describe("a Rust guest that reads what another one writes", () => {
  test("gets all of a stream of numbers", async () => {
    const instance = instantiate();
    for (const count of [0, 1, 1000]) {
      expect(await instance.call("sum", [count])).toBe(
        BigInt((count * Math.max(0, count - 1)) / 2),
      );
    }
  });

  test("may leave the rest of a stream", async () => {
    const instance = instantiate();
    expect(await instance.call("first", [5])).toBe(0);
    expect(await instance.call("first", [5])).toBe(0);
    expect(await instance.call("sum", [5])).toBe(10n);
  });

  test("writes a stream itself, and reads another one meanwhile", async () => {
    const names = Array.from({ length: 50 }, (_, at) => `${at} 🌧`);
    const greetings = names.map((name) => `Grüße, ${name}`);
    expect(await instantiate().call("greet", [names])).toEqual(greetings);
  });

  test("gets the value of a future that is written later", async () => {
    const instance = instantiate();
    expect(await instance.call("promised", ["you"])).toBe("for you");
    expect(await instance.call("promised", ["me"])).toBe("for me");
  });
});
