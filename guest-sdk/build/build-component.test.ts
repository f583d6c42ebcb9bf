import { existsSync } from "node:fs";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { buildComponent } from "./build-component.ts";
import type { BuildOptions } from "./build-component.ts";
import { BuildError, formatDiagnostic } from "./build-error.ts";
import type { JavaScriptEngine } from "./componentize.ts";
import { watchLeftovers } from "./testing/build-leftovers.ts";
import { createProject } from "./testing/project-folder.ts";

const examples = fileURLToPath(new URL("../../examples", import.meta.url));
const COMPONENT_BYTES_MAX = 2_200_000;

async function failureOf(options: BuildOptions): Promise<BuildError> {
  const error: unknown = await buildComponent(options).then(
    () => new Error("the build succeeded"),
    (cause: unknown) => cause,
  );
  if (error instanceof BuildError) return error;
  throw error;
}

async function failureOfProject(files: Readonly<Record<string, string>>): Promise<BuildError> {
  await using project = await createProject(files);
  // Awaited here, so that the project is still there while it builds.
  return await failureOf({ entry: project.entry });
}

const HELLO = `import { fn } from "@downpour/sdk";
export const hello = fn((name: string) => "Hello, " + name);
`;

describe("the examples", () => {
  test.each([
    ["hello", ["hello"]],
    ["counter", ["pages", "peek", "visit"]],
    ["guest-book", ["entries", "moderate", "remove", "sign", "summary"]],
  ])("%s builds, and is small", async (example, functions) => {
    const built = await buildComponent({ entry: join(examples, example, "src/index.ts") });
    expect(built.functions.map(({ name }) => name)).toEqual(functions);
    expect(built.warnings).toEqual([]);
    expect(built.bytes).toBe(built.component.length);
    expect(built.bytes).toBeLessThan(COMPONENT_BYTES_MAX);
    // The preamble of a component, which is not that of a core module.
    expect([...built.component.subarray(0, 8)]).toEqual([0, 0x61, 0x73, 0x6d, 0x0d, 0, 1, 0]);
  });
});

describe("what an author gets", () => {
  test("the SDK is there without being installed, and tsconfig paths, JSON and packages are followed", async () => {
    await using project = await createProject({
      "tsconfig.json": JSON.stringify({
        compilerOptions: {
          target: "es2024",
          module: "esnext",
          moduleResolution: "bundler",
          strict: true,
          resolveJsonModule: true,
          allowJs: true,
          types: [],
          paths: {
            "#lib/*": ["./lib/*"],
            "@downpour/sdk": [`${examples}/../guest-sdk/src/index.ts`],
          },
        },
        include: ["src"],
      }),
      "lib/greeting.ts": 'export const greeting = "Hi";',
      "src/data.json": '{ "mark": "!" }',
      "node_modules/old-package/package.json": '{ "name": "old-package", "main": "main.js" }',
      "node_modules/old-package/main.js": "exports.shout = (text) => text.toUpperCase();",
      "node_modules/old-package/main.d.ts": "export function shout(text: string): string;",
      "src/index.ts": `import { fn } from "@downpour/sdk";
import { shout } from "old-package";
import { greeting } from "#lib/greeting.ts";
import data from "./data.json";
export const greet = fn((name: string) => shout(greeting + name + data.mark));
`.replace("greeting.ts", "greeting"),
    });
    const built = await buildComponent({ entry: project.entry });
    expect(built.functions).toEqual([{ name: "greet" }]);
  });

  test("an entry that no tsconfig.json covers is checked all the same", async () => {
    await using project = await createProject({
      "tsconfig.json": '{ "compilerOptions": { "types": [] }, "include": ["other"] }',
      "other/unrelated.ts": "export const wrong: number = 'not checked';",
      "src/index.ts": `${HELLO}export const wrong: number = "checked";\n`,
    });
    const error = await failureOf({ entry: project.entry });
    expect(error.kind).toBe("type-error");
    expect(error.diagnostics).toMatchObject([{ file: "src/index.ts", line: 3, code: "TS2322" }]);
  });

  test("what module code logs is in the build's result", async () => {
    await using project = await createProject({
      "src/index.ts": `${HELLO}console.warn("made", { at: "build time" }, "ü");\n`,
    });
    const built = await buildComponent({ entry: project.entry });
    expect(built.log).toEqual([{ level: "warn", message: 'made { at: "build time" } ü' }]);
  });

  test("a description reaches the manifest whatever its characters", async () => {
    const description = 'Grüße, „Welt“ {"} 🌍 \\ ';
    await using project = await createProject({
      "src/index.ts": `import { fn } from "@downpour/sdk";
export const greet = fn(() => null, { description: ${JSON.stringify(description)} });\n`,
    });
    const built = await buildComponent({ entry: project.entry });
    expect(built.functions).toEqual([{ name: "greet", description }]);
  });

  test("two builds at once do not disturb each other, and leave nothing behind", async () => {
    await using one = await createProject({ "src/index.ts": HELLO });
    await using two = await createProject({ "src/index.ts": HELLO.replace("hello", "bye") });
    using leftovers = watchLeftovers();
    const built = await Promise.all(
      [one, two].map(({ entry, path }) => {
        return buildComponent({ entry, outFile: join(path, "dist/app.wasm") });
      }),
    );
    expect(built.map(({ functions }) => functions)).toEqual([
      [{ name: "hello" }],
      [{ name: "bye" }],
    ]);
    expect(await readFile(join(one.path, "dist/app.wasm"))).toEqual(
      Buffer.from(built[0]?.component ?? []),
    );
    expect(await readdir(join(two.path, "dist"))).toEqual(["app.wasm"]);
    expect(leftovers.files()).toEqual([]);
  });

  test("StarlingMonkey builds the same source", async () => {
    await using project = await createProject({ "src/index.ts": HELLO });
    const built = await buildComponent({ entry: project.entry, engine: "starlingmonkey" });
    expect(built.functions).toEqual([{ name: "hello" }]);
  });

  test("a minified build has the same functions, and is smaller", async () => {
    await using project = await createProject({ "src/index.ts": HELLO });
    const plain = await buildComponent({ entry: project.entry });
    const small = await buildComponent({ entry: project.entry, minify: true });
    expect(small.functions).toEqual(plain.functions);
    expect(small.bytes).toBeLessThan(plain.bytes);
  });
});

describe("what is refused before anything is built", () => {
  test("every type error is reported, and nothing is written", async () => {
    await using project = await createProject({
      "src/index.ts": `${HELLO}export const n: number = "text";\nhello.missing();\n`,
    });
    const outFile = join(project.path, "app.wasm");
    const error = await failureOf({ entry: project.entry, outFile });
    expect(error.kind).toBe("type-error");
    expect(error.diagnostics).toMatchObject([
      { file: "src/index.ts", line: 3, column: 14, code: "TS2322" },
      { file: "src/index.ts", line: 4, column: 7, code: "TS2339" },
    ]);
    expect(error.message).toMatch(/^src\/index\.ts:3:14 Type 'string' is not assignable/);
    expect(existsSync(outFile)).toBe(false);
  });

  test("every import that no function can have is reported with its line, and what to do instead", async () => {
    const error = await failureOfProject({
      "src/index.ts": `// import "node:fs" in a comment
import { readFile } from "node:fs/promises";
import { helper } from "./helper.ts";
import { fn } from "@downpour/sdk";
export const read = fn(async () => String(await readFile("x")) + helper());
`,
      "src/helper.ts": `import http from "http";
export const helper = () => String(http) + import("https://example.com/module.js");
`,
    });
    expect(error.kind).toBe("unsupported-import");
    expect(error.diagnostics).toMatchObject([
      { file: "src/helper.ts", line: 1, column: 18, code: "unsupported-import" },
      { file: "src/helper.ts", line: 2, column: 51 },
      { file: "src/index.ts", line: 2, column: 26 },
    ]);
    const texts = error.diagnostics.map(formatDiagnostic);
    expect(texts[0]).toContain("no network yet");
    expect(texts[1]).toContain("Install it with npm");
    expect(texts[2]).toContain("Keep data in state");
  });

  test("a package made for Node is named with the file that needs it", async () => {
    const error = await failureOfProject({
      "node_modules/nodeish/package.json": '{ "name": "nodeish", "main": "main.js" }',
      "node_modules/nodeish/main.js": 'const fs = require("fs"); exports.x = fs;',
      "node_modules/nodeish/main.d.ts": "export const x: unknown;",
      "src/index.ts": `import { fn } from "@downpour/sdk";
import { x } from "nodeish";
export const f = fn(() => String(x));\n`,
    });
    expect(error.diagnostics).toMatchObject([
      { file: "node_modules/nodeish/main.js", line: 1, column: 20 },
    ]);
  });

  test("every global that no function has is reported with its line, whatever the compiler knows", async () => {
    const error = await failureOfProject({
      "tsconfig.json": JSON.stringify({
        compilerOptions: { lib: ["esnext", "dom"], strict: true, types: [] },
      }),
      "src/index.ts": `import { fn } from "@downpour/sdk";
import { wait } from "./wait.ts";
export const pay = fn((cents: number) => new Intl.NumberFormat("de").format(cents / 100));
export const later = fn(() => wait());
`.replace("wait.ts", "wait"),
      "src/wait.ts": `// setTimeout in a comment, and "Intl" in a text
export const wait = () => new Promise<null>((go) => {
  globalThis.setTimeout(() => go(null), 10);
});
`,
    });
    expect(error.kind).toBe("unsupported-global");
    expect(error.diagnostics).toMatchObject([
      { file: "src/wait.ts", line: 3, code: "unsupported-global" },
      { file: "src/index.ts", line: 3, code: "unsupported-global" },
    ]);
    const texts = error.diagnostics.map(formatDiagnostic);
    expect(texts[0]).toContain("A function has no setTimeout");
    expect(texts[0]).toContain("invoke it again later");
    expect(texts[1]).toContain("A function has no Intl");
    expect(texts[1]).toContain("without a locale");
  });

  test("a name that the compiler does not know comes with what to use in its place", async () => {
    const error = await failureOfProject({
      "src/index.ts": `${HELLO}export const home = process.env;\n`,
    });
    expect(error.kind).toBe("type-error");
    expect(error.diagnostics).toMatchObject([
      { file: "src/index.ts", line: 3, hint: expect.stringContaining("import { context }") },
    ]);
  });

  test("a package may name such a global, and the author is told", async () => {
    await using project = await createProject({
      "node_modules/words/package.json": '{ "name": "words", "main": "main.js" }',
      "node_modules/words/main.js": `exports.words = (n) => {
  if (typeof Intl === "undefined") return String(n);
  return new Intl.NumberFormat().format(n);
};`,
      "node_modules/words/main.d.ts": "export function words(n: number): string;",
      "src/index.ts": `import { fn } from "@downpour/sdk";
import { words } from "words";
const setTimeout = (text: string) => text;
export const f = fn((n: number) => setTimeout(words(n)) + typeof Intl);\n`,
    });
    const { warnings } = await buildComponent({ entry: project.entry });
    expect(warnings).toMatchObject([
      { file: "node_modules/words/main.js", line: 3, code: "unsupported-global" },
    ]);
  });

  test("a package that is not installed", async () => {
    const error = await failureOfProject({
      "src/index.ts": `${HELLO}import "not-installed";\nimport { x } from "nowhere";\nexport { x };\n`,
    });
    expect(error.kind).toBe("bundle-failed");
    expect(error.diagnostics).toMatchObject([
      { file: "src/index.ts", line: 3 },
      { file: "src/index.ts", line: 4 },
    ]);
    expect(error.diagnostics[1]?.message).toContain("Cannot find module 'nowhere'");
  });

  test("a syntax error is told from other failures, and has its line", async () => {
    const error = await failureOfProject({ "src/index.ts": `${HELLO}export const = 3;\n` });
    expect(error.kind).toBe("syntax-error");
    expect(error.diagnostics[0]).toMatchObject({ file: "src/index.ts", line: 3, code: "TS1134" });
  });

  test("so is one in JSON, in a line of words", async () => {
    const error = await failureOfProject({
      "src/index.ts": `${HELLO}import data from "./data.json";\nexport { data };\n`,
      "src/data.json": '{\n  "a": 1,\n}\n',
    });
    expect(error.kind).toBe("syntax-error");
    expect(error.diagnostics).toMatchObject([
      { file: "src/data.json", line: 3, message: "trailing comma" },
    ]);
  });

  test("so is what the compiler takes and the engine does not know", async () => {
    const error = await failureOfProject({
      "src/index.ts": `${HELLO}export class Box {\n  accessor size = 1;\n}\n`,
    });
    expect(error.kind).toBe("syntax-error");
    expect(error.diagnostics).toMatchObject([
      { file: "src/index.ts", line: 4, code: "unknown-syntax" },
    ]);
  });

  test("a file that is not UTF-8 is named, and what is wrong with it", async () => {
    await using project = await createProject({ "src/index.ts": HELLO });
    await writeFile(project.entry, Buffer.from(`\uFEFF${HELLO}`, "utf16le"));
    const error = await failureOf({ entry: project.entry });
    expect(error.message).toMatch(/src\/index\.ts.*UTF-8/);
  });

  test("there is no such entry", async () => {
    const error = await failureOf({ entry: "/nowhere/src/index.ts" });
    expect(error.kind).toBe("entry-not-found");
  });
});

describe("what is refused while the module is loaded", () => {
  test("an exception outside any function has the author's file and line", async () => {
    const error = await failureOfProject({
      "src/index.ts": `import { fn } from "@downpour/sdk";
import { load } from "./load.ts";
export const table = load(3);
export const f = fn(() => table);
`,
      "src/load.ts": `
export function load(limit: number): string {
  throw new RangeError("limit " + limit + " is\\nwrong");
}
`,
    });
    expect(error.kind).toBe("load-failed");
    expect(error.diagnostics).toMatchObject([
      { file: "src/load.ts", line: 3, code: "top-level-exception" },
    ]);
    expect(error.message).toContain("Loading the module threw: limit 3 is");
    expect(error.message).toMatch(/at load \(src\/load\.ts:3:\d+\)\n\s+at src\/index\.ts:3:\d+/);
    expect(error.message).not.toContain("user.js");
  });

  test("the same on StarlingMonkey", async () => {
    await using project = await createProject({
      "src/index.ts": `${HELLO}\nthrow new RangeError("too early");\n`,
    });
    const error = await failureOf({ entry: project.entry, engine: "starlingmonkey" });
    expect(error.kind).toBe("load-failed");
    expect(error.diagnostics).toMatchObject([{ file: "src/index.ts", line: 4 }]);
    expect(error.diagnostics[0]?.message).toMatch(
      /^Loading the module threw: RangeError: too early\n\s+at src\/index\.ts:4:\d+$/,
    );
  });

  test.each<[JavaScriptEngine, string, string]>([
    ["quickjs", 'throw "too early";', '"too early", which is no Error'],
    ["quickjs", "throw { code: 1 };", "an object, which is no Error"],
    ["quickjs", "throw undefined;", "undefined, which is no Error"],
    ["starlingmonkey", 'throw "too early";', "too early, which is no Error"],
  ])("on %s, %s says what was thrown", async (engine, source, message) => {
    await using project = await createProject({ "src/index.ts": `${HELLO}${source}\n` });
    const error = await failureOf({ entry: project.entry, engine });
    expect(error.kind).toBe("load-failed");
    expect(error.diagnostics[0]?.message).toBe(
      `Loading the module threw: ${message} and so has no stack`,
    );
  });

  test.each<JavaScriptEngine>(["quickjs", "starlingmonkey"])(
    "a top-level await on %s that nothing can end",
    async (engine) => {
      await using project = await createProject({
        "src/index.ts": `${HELLO}await new Promise(() => {});\n`,
      });
      const error = await failureOf({ entry: project.entry, engine });
      expect(error.kind).toBe("load-failed");
      expect(error.message).toContain("A top-level await waits for what nothing can settle");
    },
  );

  test.each([
    [
      "state",
      'import { state } from "@downpour/sdk"; export const v = state.counter("x").value();',
    ],
    ["crypto.randomUUID", "export const id = crypto.randomUUID();"],
    ["context", 'import { context } from "@downpour/sdk"; export const t = context.tenant;'],
  ])("%s outside any function says why it is not there", async (what, source) => {
    const error = await failureOfProject({ "src/index.ts": `${HELLO}${source}\n` });
    expect(error.kind).toBe("load-failed");
    expect(error.message).toContain(`${what} is not available while the module is loaded`);
    expect(error.diagnostics).toMatchObject([{ file: "src/index.ts", line: 3 }]);
  });

  test.each([
    ["no function", "export const x = 1;", "exports no function"],
    ["a plain function", "export const greet = () => 1;", "write `export const greet = fn(…)`"],
    [
      "a name that none can have",
      'import { fn } from "@downpour/sdk"; const f = fn(() => 1); export { f as "no name" };',
      '"no name" cannot name a function',
    ],
    [
      "a default export",
      'import { fn } from "@downpour/sdk"; const f = fn(() => 1); export { f as default };',
      "A function needs a name",
    ],
  ])("%s", async (_, source, message) => {
    const error = await failureOfProject({ "src/index.ts": `${source}\n` });
    expect(error.kind).toBe("no-functions");
    expect(error.message).toContain(message);
  });

  test.each<JavaScriptEngine>(["quickjs", "starlingmonkey"])(
    "a build on %s that is aborted ends with the reason, and leaves neither process nor folder",
    async (engine) => {
      await using project = await createProject({ "src/index.ts": `${HELLO}for (;;) {}\n` });
      const outFile = join(project.path, "app.wasm");
      using leftovers = watchLeftovers();
      const abort = new AbortController();
      const reason = new Error("nobody wants it");
      const building = buildComponent({
        entry: project.entry,
        engine,
        outFile,
        signal: abort.signal,
      });
      await leftovers.untilRunning(engine === "quickjs" ? "componentize-child" : "wizer");
      abort.abort(reason);
      await expect(building).rejects.toBe(reason);
      expect(leftovers.processes()).toEqual([]);
      expect(leftovers.files()).toEqual([]);
      expect(existsSync(outFile)).toBe(false);
      await expect(buildComponent({ entry: project.entry, signal: abort.signal })).rejects.toBe(
        reason,
      );
    },
  );

  test("a loop that does not end is ended at the time limit", async () => {
    await using project = await createProject({ "src/index.ts": `${HELLO}for (;;) {}\n` });
    const error = await failureOf({ entry: project.entry, stepTimeoutMs: 5_000 });
    expect(error.kind).toBe("timeout");
    expect(error.message).toContain("look for a loop");
  });
});
