import { readFileSync } from "node:fs";
import { componentEmbed, componentNew } from "@bytecodealliance/jco";
import { describe, expect, test } from "vitest";
import { createEngine } from "../engine/create-engine.ts";
import type { CompileLimits, InterfaceDeclaration } from "../engine/engine.ts";
import { wasiDeclarations } from "../engine/wasi/index.ts";
import { contractPackages } from "../testing/contract-wit.ts";
import { contextInterface } from "./context.ts";
import { functionWorld } from "./function-world.ts";
import { logInterface } from "./log.ts";
import { stateInterface } from "./state.ts";

const limits: CompileLimits = {
  componentBytesMax: 1024 * 1024,
  nestingDepthMax: 8,
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

function readWit(file: string): string {
  return readFileSync(new URL(`../../wit/${file}.wit`, import.meta.url), "utf8");
}

/** A component that imports and exports all of a world of `wit/`, made by the reference toolchain. */
async function buildFromWit(world: string): Promise<Uint8Array> {
  const witSource = `package downpour:check;

world check {
  include downpour:faas/${world}@0.1.0;
}

${contractPackages()}`;
  return await componentNew(await componentEmbed({ witSource, world: "check", dummy: true }), []);
}

describe("the declared world", () => {
  test.each(["function", "function-json", "function-sync"])(
    "takes a component that imports and exports all of wit's world %s",
    async (world) => {
      const { component } = createEngine().compile(
        await buildFromWit(world),
        functionWorld(wasiDeclarations),
        limits,
      );
      expect(component.imports).toEqual(
        expect.arrayContaining(["downpour:faas/state@0.1.0", "downpour:faas/log@0.1.0"]),
      );
    },
  );

  test.each([
    ["state", stateInterface],
    ["log", logInterface],
    ["context", contextInterface],
  ] as const)(
    "offers no function that wit/%s.wit does not have",
    (file, declaration: InterfaceDeclaration) => {
      const inWit = [...readWit(file).matchAll(/^ {2}([a-z-]+): func/gmu)].map(([, name]) =>
        String(name),
      );
      expect(Object.keys(declaration.functions).toSorted()).toEqual(inWit.toSorted());
    },
  );
});
