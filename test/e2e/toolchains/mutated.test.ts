import { expect, test } from "vitest";
import type { Links } from "../../../host/engine/engine.ts";
import {
  FUZZ_CASES,
  FUZZ_TIMEOUT_MS,
  linkMutations,
} from "../../../host/engine/testing/check-mutations.ts";
import { createWasiLinks, wasiDeclarations } from "../../../host/engine/wasi/index.ts";
import { functionWorld } from "../../../host/world/function-world.ts";
import { buildAssemblyScript } from "./build-assemblyscript.ts";
import { buildC, whyNoC } from "./build-c.ts";
import { buildRust, whyNoRust } from "./build-rust.ts";

// What other toolchains make, changed at random, against the host's own world.

const world = functionWorld(wasiDeclarations);

/** WASI as it is, for start functions may use it; nothing else is called before the first call. */
function links(): Links {
  const own = world.imports.map(({ name, functions }) => [
    name,
    { functions: Object.fromEntries(Object.keys(functions).map((key) => [key, () => undefined])) },
  ]);
  const wasi = createWasiLinks({ environment: {}, stdout: () => {}, stderr: () => {} });
  return { ...Object.fromEntries(own), ...wasi };
}

interface Toolchain {
  readonly language: string;
  readonly build: () => Promise<Uint8Array>;
  readonly whyNot?: () => Promise<string | undefined>;
}

const toolchains: readonly Toolchain[] = [
  { language: "C", build: buildC, whyNot: whyNoC },
  { language: "Rust", build: () => buildRust("functions"), whyNot: whyNoRust },
  { language: "AssemblyScript", build: buildAssemblyScript },
];

for (const { language, build, whyNot } of toolchains) {
  test(
    `a mutated ${language} program is planned or refused, and what is planned links or traps`,
    async (context) => {
      const reason = await whyNot?.();
      if (reason !== undefined) context.skip(reason);
      const subject = { component: await build(), world, links };
      expect(linkMutations(subject, FUZZ_CASES / 6)).toBeGreaterThan(0);
    },
    FUZZ_TIMEOUT_MS + 600_000,
  );
}
