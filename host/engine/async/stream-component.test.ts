import { beforeAll, describe, expect, test } from "vitest";
import { createEngine } from "../create-engine.ts";
import type { CompiledComponent, Instance } from "../engine.ts";
import { assemble } from "../testing/assemble.ts";
import { testLimits } from "../testing/limits.ts";
import { STREAM_COMPONENT, streamWorld } from "../testing/stream-component.ts";

const engine = createEngine();
let component: CompiledComponent;
beforeAll(async () => {
  component = engine.compile(await assemble(STREAM_COMPONENT), streamWorld, testLimits).component;
});

function instantiate(): Instance {
  return engine.instantiate(component, {});
}

describe("a component that reads what another one writes", () => {
  test.each([0, 1, 2, 7, 1000])(
    "gets all of %i numbers, in pieces of other sizes",
    async (count) => {
      expect(await instantiate().call("sum", [count])).toBe((count * Math.max(0, count - 1)) / 2);
    },
  );

  test("lets others run, however often it goes back and forth between the two", async () => {
    let turns = 0;
    const turn = async (): Promise<void> => {
      await new Promise(setImmediate);
      turns += 1;
    };
    const bounds = {
      memoryBytesMax: Infinity,
      onFuelSpent: () => undefined,
      onYield: turn,
    };
    expect(await engine.instantiate(component, {}, bounds).call("sum", [2000])).toBe(1_999_000);
    expect(turns).toBeGreaterThanOrEqual(5);
  });

  test("gets the value of a future in its own encoding", async () => {
    expect(await instantiate().call("names", [])).toEqual(["üß", ""]);
  });

  test("does so again and again, and can be frozen in between", async () => {
    const instance = instantiate();
    for (let i = 0; i < 3; i += 1) {
      expect(await instance.call("names", [])).toEqual(["üß", ""]);
      expect(await instance.call("sum", [10])).toBe(45);
      expect(instance.freeze()).toBe(true);
    }
  });

  test("is not frozen while a read is under way: its value is to lie in the memory", async () => {
    const instance = instantiate();
    expect(await instance.call("leave", [])).toBe(0xffff_ffff);
    expect(instance.freeze()).toBe(false);
  });
});
