import { beforeAll, describe, expect, test } from "vitest";
import { createEngine } from "../create-engine.ts";
import type { CompileLimits, Instance } from "../engine.ts";
import { Trap } from "../engine.ts";
import { composedComponent, composedWorld } from "../testing/composed-component.ts";

const limits: CompileLimits = {
  componentBytesMax: 1024 * 1024,
  nestingDepthMax: 32,
  sectionsMax: 10_000,
  coreFunctionsMax: 100_000,
  coreModulesMax: 16,
  typeNodesMax: 10_000,
  definitionsMax: 10_000,
  nameBytesMax: 1024,
  tablesMax: 64,
  tableElementsMax: 100_000,
  grownTableElementsMax: 10_000,
  memoriesMax: 16,
};

describe("a composed component", () => {
  let bytes: Uint8Array;
  beforeAll(async () => {
    bytes = await composedComponent();
  });

  function instantiate(): Instance {
    const engine = createEngine();
    return engine.instantiate(engine.compile(bytes, composedWorld, limits).component, {});
  }

  test("passes resources between its parts, and destroys them once", async () => {
    const instance = instantiate();
    expect(await instance.call("use", [7])).toBe(707);
    expect(await instance.call("use", [5])).toBe(512);
  });

  test("traps where a part uses what it dropped", async () => {
    const instance = instantiate();
    await expect(instance.call("use-after-drop", [7])).rejects.toThrow(Trap);
    expect(instance.isDead).toBe(true);
  });

  test("converts strings between the encodings of its parts", async () => {
    expect(await instantiate().call("greet", [])).toBe("grüße");
  });
});
