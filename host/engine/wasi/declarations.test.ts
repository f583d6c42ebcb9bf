import { readFileSync } from "node:fs";
import { componentEmbed, componentNew } from "@bytecodealliance/jco";
import { beforeAll, describe, expect, test } from "vitest";
import { createEngine } from "../create-engine.ts";
import type { CompileLimits, InterfaceDeclaration } from "../engine.ts";
import { createWasiLinks, wasiDeclarations } from "./index.ts";
import { WASI_VERSION } from "./offered-interface.ts";

const limits: CompileLimits = {
  componentBytesMax: 1024 * 1024,
  nestingDepthMax: 16,
  sectionsMax: 10_000,
  coreFunctionsMax: 100_000,
  coreModulesMax: 16,
  typeNodesMax: 100_000,
  definitionsMax: 100_000,
  nameBytesMax: 1024,
  tablesMax: 64,
  tableElementsMax: 100_000,
  grownTableElementsMax: 10_000,
  memoriesMax: 16,
};

/** The official WIT, as the reference toolchain ships it. */
const WIT = new URL(
  `../lib/wit/builtin/${WASI_VERSION}/`,
  import.meta.resolve("@bytecodealliance/jco"),
);

const PACKAGES = ["cli", "io", "clocks", "random", "filesystem", "sockets"];

function readPackage(name: string): string {
  return readFileSync(new URL(`wasi-${name}/package.wit`, WIT), "utf8");
}

/** A component that imports all functions of the given interfaces, with their official types. */
async function importAll(interfaces: readonly string[]): Promise<Uint8Array> {
  const packages = PACKAGES.map(
    (name) => `${readPackage(name).replace(/^(package [^;]+);/mu, "$1 {")}\n}`,
  );
  const imports = interfaces.map((name) => `import ${name}@${WASI_VERSION};`);
  const witSource = ["package test:all;", "world all {", ...imports, "}", ...packages].join("\n");
  return await componentNew(await componentEmbed({ witSource, world: "all", dummy: true }), []);
}

/** The functions of an interface in the official text: methods have their resource before them. */
function officialFunctions(interfaceName: string): string[] {
  const [packageName = "", name = ""] = interfaceName.replace("wasi:", "").split("/");
  const text = readPackage(packageName)
    .replaceAll(/\/\/.*$/gmu, "")
    .replaceAll(/@(since|unstable|deprecated)\([^)]*\)/gu, "");
  const body = new RegExp(`^interface ${name} \\{(.*?)^\\}`, "msu").exec(text)?.[1] ?? "";
  const functions: string[] = [];
  let resource = "";
  for (const [line, opened, declared] of body.matchAll(
    /resource ([a-z-]+) \{|([a-z0-9-]+): func|^ {2,4}\}/gmu,
  )) {
    if (opened !== undefined) resource = opened;
    else if (declared === undefined) resource = line.trim() === "}" ? "" : resource;
    else functions.push(resource === "" ? declared : `[method]${resource}.${declared}`);
  }
  return functions;
}

describe("the declared WASI interfaces", () => {
  let everything: Uint8Array;
  beforeAll(async () => {
    everything = await importAll(wasiDeclarations.map(({ name }) => name));
  });

  test("have the official types", () => {
    const world = { imports: wasiDeclarations, exports: {} };
    const { component } = createEngine().compile(everything, world, limits);
    expect(component.imports).toEqual(
      expect.arrayContaining(wasiDeclarations.map(({ name }) => `${name}@${WASI_VERSION}`)),
    );
  });

  test("would be refused with any other type", () => {
    const imports = wasiDeclarations.map((declaration): InterfaceDeclaration => {
      const now = declaration.functions["now"];
      if (now === undefined) return declaration;
      const type = { ...now.type, result: { kind: "u32" } } as const;
      return { ...declaration, functions: { ...declaration.functions, now: { ...now, type } } };
    });
    expect(() => createEngine().compile(everything, { imports, exports: {} }, limits)).toThrow(
      expect.objectContaining({
        kind: "world-mismatch",
        problems: [expect.stringContaining("now"), expect.stringContaining("now")],
      }),
    );
  });

  test.each(wasiDeclarations.map((declaration) => [declaration.name, declaration] as const))(
    "%s offers exactly the official functions, and implements each",
    (name, declaration) => {
      const declared = Object.keys(declaration.functions).toSorted();
      expect(declared).toEqual(officialFunctions(name).toSorted());
      const links = createWasiLinks({ environment: {}, stdout: () => {}, stderr: () => {} });
      expect(Object.keys(links[name]?.functions ?? {}).toSorted()).toEqual(declared);
    },
  );

  test("number each resource once", () => {
    const ids = wasiDeclarations.flatMap(({ resources }) => Object.values(resources));
    expect(new Set(ids).size).toBe(ids.length);
  });

  test.each(["wasi:sockets/tcp", "wasi:sockets/ip-name-lookup", "wasi:sockets/udp"])(
    "do not include %s",
    async (name) => {
      const component = await importAll([name]);
      const world = { imports: wasiDeclarations, exports: {} };
      expect(() => createEngine().compile(component, world, limits)).toThrow(
        expect.objectContaining({ kind: "import-not-allowed" }),
      );
    },
  );
});
