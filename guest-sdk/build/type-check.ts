// The author's project through the compiler, in a process of its own.

import { execFile } from "node:child_process";
import { createRequire } from "node:module";
import { mkdtemp, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { hintForName } from "./absent-globals.ts";
import { BuildError, diagnostic } from "./build-error.ts";
import type { BuildDiagnostic } from "./build-error.ts";
import { displayPath, isWithin, sdkSourceFolder, sdkTypes } from "./project.ts";
import type { Project } from "./project.ts";

/** For an entry that no tsconfig.json of the author's covers. */
const DEFAULT_COMPILER_OPTIONS = {
  target: "es2024",
  lib: ["es2025", "esnext.disposable", "esnext.typedarrays", "esnext.collection"],
  types: [],
  module: "esnext",
  moduleResolution: "bundler",
  moduleDetection: "force",
  allowImportingTsExtensions: true,
  resolveJsonModule: true,
  strict: true,
  noUncheckedIndexedAccess: true,
  verbatimModuleSyntax: true,
  skipLibCheck: true,
  noEmit: true,
};

const OUTPUT_BYTES_MAX = 8 * 1024 * 1024;
const DIAGNOSTICS_MAX = 100;

/** Every type error of the project; none is the answer that allows a build. */
export async function typeCheck(
  project: Project,
  options: CompilerRun,
): Promise<readonly BuildDiagnostic[]> {
  const folder = await mkdtemp(join(tmpdir(), "downpour-types-"));
  try {
    if (project.tsconfig !== undefined) {
      const config = project.hasSdkInstalled
        ? project.tsconfig
        : await writeConfig(folder, "project.json", await withSdk(project, options));
      const run = await compile(project, config, options);
      const entry = await realpath(project.entry);
      if (run.files.has(entry)) return run.findings;
      // A configuration that is itself wrong lists no files.
      const ofConfiguration = run.findings.filter((finding) => finding.file === undefined);
      if (ofConfiguration.length > 0) return ofConfiguration;
    }
    const config = await writeConfig(folder, "entry.json", ofEntry(project));
    return (await compile(project, config, options)).findings;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

interface CompilerRun {
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/**
 * The author's configuration with the SDK's types, which no installation of the author's has. Path
 * mappings replace those of a configuration that is extended, so the author's are repeated.
 */
async function withSdk(project: Project, options: CompilerRun): Promise<object> {
  const { tsconfig } = project;
  if (tsconfig === undefined) return ofEntry(project);
  const { output } = await runCompiler(["-p", tsconfig, "--showConfig"], project.root, options);
  const paths = { ...sdkPaths(), ...pathsOf(output, dirname(tsconfig)) };
  return { extends: tsconfig, compilerOptions: { paths } };
}

/** None where the configuration is wrong: the compiler says so when it runs. */
function pathsOf(shownConfig: string, folder: string): Record<string, string[]> {
  const paths: Record<string, string[]> = {};
  const shown = memberOf(memberOf(parseJson(shownConfig), "compilerOptions"), "paths");
  for (const [pattern, targets] of Object.entries(shown ?? {})) {
    if (!Array.isArray(targets)) continue;
    paths[pattern] = targets.map((target) => resolve(folder, String(target)));
  }
  return paths;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function memberOf(value: unknown, name: string): object | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const member: unknown = new Map<string, unknown>(Object.entries(value)).get(name);
  return typeof member === "object" && member !== null ? member : undefined;
}

function ofEntry(project: Project): object {
  const paths = project.hasSdkInstalled ? {} : { paths: sdkPaths() };
  return { compilerOptions: { ...DEFAULT_COMPILER_OPTIONS, ...paths }, files: [project.entry] };
}

function sdkPaths(): Record<string, string[]> {
  return { "@downpour/sdk": [sdkTypes] };
}

async function writeConfig(folder: string, name: string, config: object): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, JSON.stringify(config));
  return path;
}

interface Compilation {
  readonly findings: readonly BuildDiagnostic[];
  readonly files: ReadonlySet<string>;
}

async function compile(
  project: Project,
  config: string,
  options: CompilerRun,
): Promise<Compilation> {
  // The compiler answers 1 or 2 where it has findings; they are on its standard output.
  const flags = ["--noEmit", "--composite", "false", "--incremental", "false"];
  const args = ["-p", config, ...flags, "--pretty", "false", "--listFiles"];
  const { output, exitCode } = await runCompiler(args, project.root, options);
  const compilation = parseOutput(project, output);
  if (exitCode !== 0 && compilation.files.size === 0 && compilation.findings.length === 0) {
    throw new BuildError("toolchain-failed", [
      diagnostic("toolchain-failed", `The compiler failed: ${output.slice(0, 2_000).trim()}`),
    ]);
  }
  return compilation;
}

function runCompiler(
  args: readonly string[],
  cwd: string,
  options: CompilerRun,
): Promise<{ readonly output: string; readonly exitCode: number }> {
  const {
    promise,
    resolve: settle,
    reject,
  } = Promise.withResolvers<{
    readonly output: string;
    readonly exitCode: number;
  }>();
  execFile(
    process.execPath,
    [compilerPath(), ...args],
    {
      cwd,
      signal: options.signal,
      timeout: options.timeoutMs,
      killSignal: "SIGKILL",
      maxBuffer: OUTPUT_BYTES_MAX,
    },
    (error, stdout, stderr) => {
      if (error === null) settle({ output: stdout, exitCode: 0 });
      else if (typeof error.code === "number") {
        settle({ output: stdout + stderr, exitCode: error.code });
      } else if (error.killed === true && !options.signal.aborted) {
        reject(timedOut(options.timeoutMs));
      } else reject(error);
    },
  );
  return promise;
}

function timedOut(timeoutMs: number): BuildError {
  return new BuildError("timeout", [
    diagnostic("timeout", `Checking types took longer than ${timeoutMs} ms`),
  ]);
}

function compilerPath(): string {
  const manifest = createRequire(import.meta.url).resolve("typescript/package.json");
  return join(dirname(manifest), "bin", "tsc");
}

const UNKNOWN_NAME = /^Cannot find name '([^']+)'/;

function hintFor(message: string): string | undefined {
  const name = UNKNOWN_NAME.exec(message)?.[1];
  return name === undefined ? undefined : hintForName(name);
}

const LOCATED = /^(.+?)\((\d+),(\d+)\): error (TS\d+): (.*)$/;
const GLOBAL = /^error (TS\d+): (.*)$/;

function parseOutput(project: Project, output: string): Compilation {
  const findings: BuildDiagnostic[] = [];
  const files = new Set<string>();
  for (const line of output.split(/\r?\n/)) {
    const located = LOCATED.exec(line);
    const global = GLOBAL.exec(line);
    const last = findings.at(-1);
    if (located !== null) {
      const [, path = "", row, column, code = "", message = ""] = located;
      const file = displayPath(project, resolve(project.root, path));
      const place = { file, line: Number(row), column: Number(column), hint: hintFor(message) };
      findings.push(diagnostic(code, message, place));
    } else if (global !== null) {
      findings.push(diagnostic(global[1] ?? "", global[2] ?? ""));
    } else if (last !== undefined && line.startsWith(" ")) {
      // The compiler explains a finding on the lines after it.
      findings[findings.length - 1] = { ...last, message: `${last.message}\n${line}` };
    } else if (line !== "") {
      files.add(line);
    }
  }
  // In the repository the SDK's types are its sources, which the author's flags may not suit.
  const ofAuthor = findings.filter(({ file }) => {
    return file === undefined || !isWithin(resolve(project.root, file), sdkSourceFolder);
  });
  return { findings: ofAuthor.slice(0, DIAGNOSTICS_MAX), files };
}
