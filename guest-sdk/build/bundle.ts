// The author's entry, its packages and the SDK's runtime in one module.

import { readFile } from "node:fs/promises";
import { isAbsolute } from "node:path";
import { rolldown } from "rolldown";
import type { OutputChunk, Plugin, RolldownLog } from "rolldown";
import { absentGlobalsMarked, findAbsentGlobals } from "./absent-globals.ts";
import { BuildError, diagnostic } from "./build-error.ts";
import type { BuildDiagnostic } from "./build-error.ts";
import type { JavaScriptEngine } from "./componentize.ts";
import { createLineTable } from "./line-table.ts";
import type { LineTable } from "../src/errors/line-table.ts";
import { polyfillsFor } from "./polyfills.ts";
import { displayPath, isWithin, sdkModule, sdkSourceFolder } from "./project.ts";
import type { Project } from "./project.ts";
import { judgeImport } from "./unsupported-imports.ts";

export interface Bundle {
  readonly source: string;
  readonly lineTable: LineTable;
  readonly warnings: readonly BuildDiagnostic[];
}

const GENERATED_ENTRY = "\0downpour-entry";
const LINE_TABLE = "__DOWNPOUR_LINE_TABLE__";
const LINE_TABLE_TEXT = new RegExp(`(["'\`])${LINE_TABLE}\\1(?![\\s\\S]*${LINE_TABLE})`);

/** Interfaces that the host serves. */
const HOST_IMPORT = /^(?:downpour:faas|wasi:random|wasi:cli)\//;

export async function bundle(
  project: Project,
  options: { readonly engine: JavaScriptEngine; readonly minify: boolean },
): Promise<Bundle> {
  const imports = new ImportCheck(project);
  const warnings: BuildDiagnostic[] = [];
  const unresolved: BuildDiagnostic[] = [];
  let chunk: OutputChunk | undefined;
  try {
    const build = await rolldown({
      input: GENERATED_ENTRY,
      cwd: project.root,
      platform: "neutral",
      tsconfig: project.tsconfig ?? false,
      resolve: {
        mainFields: ["module", "main"],
        conditionNames: ["downpour", "import", "module", "default"],
      },
      transform: {
        target: "es2024",
        define: {
          DOWNPOUR_ENGINE: JSON.stringify(options.engine),
          "process.env.NODE_ENV": '"production"',
          ...absentGlobalsMarked,
        },
      },
      plugins: [entryPlugin(project, options.engine), imports.plugin],
      onLog: (level, log) => {
        if (log.code === "UNRESOLVED_IMPORT") unresolved.push(diagnosticOf(project, log));
        else if (level === "warn") warnings.push(diagnosticOf(project, log));
      },
    });
    try {
      const { output } = await build.generate({
        format: "esm",
        dir: project.root,
        sourcemap: "hidden",
        minify: options.minify,
        codeSplitting: false,
        comments: false,
      });
      [chunk] = output;
    } finally {
      await build.close();
    }
  } catch (cause) {
    // An import that is refused may also be one that leads nowhere: the refusal says more.
    await imports.throwRefusals();
    throw bundleFailed(project, cause);
  }
  await imports.throwRefusals();
  if (unresolved.length > 0) throw new BuildError("bundle-failed", unresolved);
  const polyfills = options.engine === "quickjs" ? await polyfillsFor(sourcesOf(chunk)) : "";
  return finish(project, chunk, { polyfills, warnings });
}

/** The bundled code of everything but this SDK. */
function sourcesOf(chunk: OutputChunk): string[] {
  return Object.entries(chunk.modules)
    .filter(([id]) => !isWithin(id, sdkSourceFolder))
    .map(([, { code }]) => code ?? "");
}

function finish(
  project: Project,
  chunk: OutputChunk,
  extras: { readonly polyfills: string; readonly warnings: readonly BuildDiagnostic[] },
): Bundle {
  if (chunk.map === null) throw new Error("the bundler gave no source map");
  const { sources, mappings } = createLineTable(project, chunk.map, project.root);
  const absent = findAbsentGlobals(chunk.code, { sources, mappings });
  if (absent.errors.length > 0) throw new BuildError("unsupported-global", absent.errors);
  // What stands in front moves every line of the bundle down.
  const lineTable = {
    sources,
    mappings: extras.polyfills.replaceAll(/[^\n]+|\n/g, toShift) + mappings,
  };
  const table = JSON.stringify(JSON.stringify(lineTable));
  const source = chunk.code.replace(LINE_TABLE_TEXT, () => table);
  if (source === chunk.code) throw new Error("the bundler changed the generated entry");
  const warnings = [...extras.warnings, ...absent.warnings];
  return { source: extras.polyfills + source, lineTable, warnings };
}

function toShift(text: string): string {
  return text === "\n" ? ";" : "";
}

/** Adds the generated entry, and makes the author's `@downpour/sdk` this very copy. */
function entryPlugin(project: Project, engine: JavaScriptEngine): Plugin {
  const source = [
    `import ${JSON.stringify(sdkModule(`src/globals/install-${engine}`))};`,
    `import * as exported from ${JSON.stringify(project.entry)};`,
    `import { serve } from ${JSON.stringify(sdkModule("src/serve/serve"))};`,
    `const app = serve({ ...exported }, "${LINE_TABLE}");`,
    "export const describe = app.describe;",
    "export const handle = app.handle;",
    "export const handleJson = app.handleJson;",
  ].join("\n");
  return {
    name: "downpour-entry",
    resolveId: {
      filter: { id: [/^\0downpour-entry$/, /^@downpour\/sdk$/, HOST_IMPORT] },
      handler(id) {
        if (id === GENERATED_ENTRY) return id;
        if (id === "@downpour/sdk") return sdkModule("src/index");
        return { id, external: true };
      },
    },
    load: {
      filter: { id: /^\0downpour-entry$/ },
      handler: () => ({ code: source, moduleType: "js" }),
    },
  };
}

interface Refusal {
  readonly specifier: string;
  readonly importer: string;
  readonly message: string;
  readonly hint: string;
}

/** Collects every import that no function can have, instead of ending at the first. */
class ImportCheck {
  readonly #project: Project;
  readonly #refusals: Refusal[] = [];

  constructor(project: Project) {
    this.#project = project;
  }

  get plugin(): Plugin {
    return {
      name: "downpour-imports",
      resolveId: {
        order: "pre",
        handler: (specifier, importer) => {
          const judgement = judgeImport(specifier);
          if (judgement === undefined || importer === undefined) return null;
          this.#refusals.push({ specifier, importer, ...judgement });
          return { id: specifier, external: true };
        },
      },
    };
  }

  async throwRefusals(): Promise<void> {
    if (this.#refusals.length === 0) return;
    const findings = await Promise.all(this.#refusals.map((refusal) => this.#locate(refusal)));
    findings.sort((a, b) => {
      return (a.file ?? "").localeCompare(b.file ?? "") || (a.line ?? 0) - (b.line ?? 0);
    });
    throw new BuildError("unsupported-import", findings);
  }

  async #locate(refusal: Refusal): Promise<BuildDiagnostic> {
    const { specifier, importer, message, hint } = refusal;
    const path = importer.split("?")[0] ?? importer;
    const file = displayPath(this.#project, path);
    const source = isAbsolute(path) ? await readFile(path, "utf8").catch(() => "") : "";
    return diagnostic("unsupported-import", message, { file, hint, ...find(source, specifier) });
  }
}

/** Where a file imports a module; nothing where it cannot be told. */
function find(source: string, specifier: string): { line?: number; column?: number } {
  const quoted = specifier.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`);
  const match = new RegExp(
    String.raw`(?:\bfrom|\bimport|\brequire)\s*\(?\s*(["'\`])${quoted}\1`,
  ).exec(source);
  if (match === null) return {};
  const before = source.slice(0, match.index + match[0].indexOf(specifier) - 1).split("\n");
  return { line: before.length, column: (before.at(-1)?.length ?? 0) + 1 };
}

function bundleFailed(project: Project, cause: unknown): BuildError {
  const errors = isRolldownFailure(cause) ? cause.errors : [];
  if (errors.length === 0) {
    const message = cause instanceof Error ? cause.message : String(cause);
    return new BuildError("bundle-failed", [diagnostic("bundle-failed", message)], { cause });
  }
  const isSyntax = errors.every(({ code }) => SYNTAX_CODES.has(code ?? ""));
  return new BuildError(
    isSyntax ? "syntax-error" : "bundle-failed",
    errors.map((error) => diagnosticOf(project, error)),
    { cause },
  );
}

const SYNTAX_CODES: ReadonlySet<string> = new Set(["PARSE_ERROR", "JSON_PARSE"]);

function isRolldownFailure(cause: unknown): cause is { readonly errors: readonly RolldownLog[] } {
  return cause instanceof Error && "errors" in cause && Array.isArray(cause.errors);
}

function diagnosticOf(project: Project, log: RolldownLog): BuildDiagnostic {
  const path = log.loc?.file ?? log.id;
  // What the generated entry imports is the author's entry: there is no place to show.
  if (path?.includes(GENERATED_ENTRY.slice(1)) === true)
    return diagnostic(codeOf(log), wordsOf(log));
  return diagnostic(codeOf(log), wordsOf(log), {
    file: path === undefined ? undefined : displayPath(project, path),
    line: log.loc?.line,
    column: log.loc === undefined ? undefined : log.loc.column + 1,
  });
}

function codeOf({ code }: RolldownLog): string {
  return code?.toLowerCase().replaceAll("_", "-") ?? "bundler";
}

/** Without the code, which the finding has, and the drawing of the place, which it says. */
function wordsOf({ code, message }: RolldownLog): string {
  const [first = ""] = message.split("\n", 1);
  const words = first.replace(/^\[\w+\] /, "").replace(/ at line \d+ column \d+$/, "");
  if (code !== "UNLOADABLE_DEPENDENCY") return words;
  // Only the drawing says why.
  const reason = /╰─+ (.+)/.exec(message)?.[1];
  return reason === undefined ? words : `${words}: ${reason.trim()}`;
}
