import { CliError } from "./cli-error.ts";
import type { BuildEngine } from "./project-file.ts";
import { formatBytes, formatDuration, printable } from "./terminal.ts";
import type { Terminal } from "./terminal.ts";

export interface BuiltProject {
  readonly component: Uint8Array<ArrayBuffer>;
  readonly functions: readonly string[];
  readonly warnings: readonly string[];
  readonly durationMs: number;
}

/** Type-checks, bundles and componentizes an entry file. A failure names every place that is wrong. */
export async function buildProject(
  options: { readonly entry: string; readonly engine: BuildEngine; readonly outFile?: string },
  terminal: Terminal,
): Promise<BuiltProject> {
  const progress = terminal.progress(`building ${options.entry}`);
  try {
    // The compilers behind it take a while to load: only commands that build pay for them.
    const { buildComponent, BuildError } = await import("@downpour/sdk/build");
    try {
      const built = await buildComponent(options);
      return {
        component: new Uint8Array(built.component),
        functions: built.functions,
        warnings: built.warnings,
        durationMs: built.durationMs,
      };
    } catch (cause) {
      if (cause instanceof BuildError) throw toCliError(cause);
      throw cause;
    }
  } finally {
    progress.clear();
  }
}

export function formatBuilt(built: BuiltProject, app: string): string {
  const count = built.functions.length;
  return `built ${app}: ${count} ${count === 1 ? "function" : "functions"}, ${formatBytes(built.component.byteLength)}, in ${formatDuration(built.durationMs)}`;
}
