import type { BuildDiagnostic, BuildError, BuildLogEntry } from "@downpour/sdk/build";
import { relative } from "node:path";
import process from "node:process";
import { CliError } from "./cli-error.ts";
import type { BuildEngine } from "./project-file.ts";
import { formatBytes, formatDuration, printable } from "./terminal.ts";
import type { Terminal } from "./terminal.ts";

export interface BuiltProject {
  readonly component: Uint8Array<ArrayBuffer>;
  readonly functions: readonly string[];
  readonly warnings: readonly BuildDiagnostic[];
  /** What code outside functions wrote to the console: it ran during the build. */
  readonly log: readonly BuildLogEntry[];
  readonly durationMs: number;
}

/** Type-checks, bundles and componentizes an entry file. A failure names every place that is wrong. */
export async function buildProject(
  options: {
    readonly entry: string;
    readonly engine: BuildEngine;
    readonly minify?: boolean;
    /** Ends it, with the signal's reason. */
    readonly signal: AbortSignal;
  },
  terminal: Terminal,
): Promise<BuiltProject> {
  const progress = terminal.progress(`building ${relative(process.cwd(), options.entry)}`);
  try {
    // The compilers behind it take a while to load: only commands that build pay for them.
    const sdk = await import("@downpour/sdk/build");
    try {
      const built = await sdk.buildComponent(options);
      return {
        component: new Uint8Array(built.component),
        functions: built.functions.map(({ name }) => name),
        warnings: built.warnings,
        log: built.log,
        durationMs: built.durationMs,
      };
    } catch (cause) {
      if (cause instanceof sdk.BuildError) throw toCliError(cause);
      throw cause;
    }
  } finally {
    progress.clear();
  }
}

/** What the author should see of a build that worked. */
export function showBuildNotes(built: BuiltProject, terminal: Terminal): void {
  for (const warning of built.warnings) {
    terminal.note(terminal.err("yellow", `warning: ${formatFinding(warning)}`));
  }
  for (const { level, message } of built.log) {
    terminal.note(terminal.err("dim", `[build] ${level} ${printable(message)}`));
  }
}

export function formatBuilt(built: BuiltProject, app: string): string {
  const count = built.functions.length;
  return `built ${app}: ${count} ${count === 1 ? "function" : "functions"}, ${formatBytes(built.component.byteLength)}, in ${formatDuration(built.durationMs)}`;
}

const SUMMARIES = {
  "entry-not-found": "there is nothing to build",
  "unsupported-import": "a function cannot import this",
  "unsupported-global": "a function does not have this",
  "type-error": "the types do not fit",
  "syntax-error": "the syntax is wrong",
  "bundle-failed": "an import leads nowhere",
  "load-failed": "code outside functions threw while it was loaded",
  "no-functions": "the exports are not functions to call",
  timeout: "the build took too long",
  "toolchain-failed": "the toolchain failed",
} as const satisfies Record<BuildError["kind"], string>;

function toCliError(error: BuildError): CliError {
  const { kind, diagnostics } = error;
  const count = diagnostics.length > 1 ? ` (${diagnostics.length} findings)` : "";
  return new CliError("BUILD_FAILED", `${SUMMARIES[kind]}${whereOf(error)}${count}`, {
    exit: "buildFailed",
    body: diagnostics.map((finding) => indent(formatFinding(finding))).join("\n"),
    details: { kind, diagnostics },
    cause: error,
  });
}

/** A syntax error is at one place, and what follows from it is noise: the head line says where to look. */
function whereOf({ kind, diagnostics: [first] }: BuildError): string {
  if (kind !== "syntax-error" || first?.file === undefined) return "";
  return ` in ${first.file}${first.line === undefined ? "" : `, line ${first.line}`}`;
}

function formatFinding({ file, line, column, message, code, hint }: BuildDiagnostic): string {
  const place = [file, line, column].filter((part) => part !== undefined).join(":");
  const text = `${place === "" ? "" : `${place} `}${printable(message)} (${code})`;
  return hint === undefined ? text : `${text}\n  ${printable(hint)}`;
}

function indent(text: string): string {
  return text
    .split("\n")
    .map((line) => `    ${line}`)
    .join("\n");
}
