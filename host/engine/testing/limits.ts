import type { CompileLimits } from "../engine.ts";

/** Generous enough for every component that a toolchain makes; what the host uses is its own matter. */
export const testLimits: CompileLimits = {
  componentBytesMax: 64 * 1024 * 1024,
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
