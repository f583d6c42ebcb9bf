import { dirname, relative, resolve } from "node:path";
import { mkdir, writeFile } from "node:fs/promises";
import type { Command } from "commander";
import { buildProject, formatBuilt, showBuildNotes } from "../build-project.ts";
import { examples } from "../command-context.ts";
import type { CommandContext, OpenContext } from "../command-context.ts";
import { interruptible } from "../interruptible.ts";
import { engine } from "../parse-option.ts";
import type { BuildEngine } from "../project-file.ts";
import { resolveApp, resolveEngine, resolveEntry } from "../settings.ts";
import { formatBytes, shortList } from "../terminal.ts";

interface BuildFlags {
  readonly out?: string;
  readonly engine?: BuildEngine;
  readonly minify?: boolean;
}

export function registerBuild(program: Command, open: OpenContext): void {
  program
    .command("build")
    .description("turn TypeScript into a WebAssembly component, after checking its types")
    .argument("[entry]", "the entry file; the project's, or src/index.ts, where absent")
    .option("-o, --out <file>", "where the component goes; dist/<app>.wasm where absent")
    .option("--engine <engine>", "quickjs (small, quick) or starlingmonkey (more web APIs)", engine)
    .option("--minify", "smaller source; stacks then name nothing")
    .addHelpText(
      "after",
      examples(
        ["downpour build", "this project, into dist/"],
        ["downpour build src/index.ts -o app.wasm", "one file"],
        ["downpour build --engine starlingmonkey", "for code that needs its web APIs"],
      ),
    )
    .action(async (entry: string | undefined, flags: BuildFlags, command: Command) => {
      await build(open(command), entry, flags);
    });
}

async function build(
  { settings, terminal, io }: CommandContext,
  named: string | undefined,
  flags: BuildFlags,
): Promise<void> {
  const { project } = settings;
  const app = resolveApp(project, undefined);
  const entry = resolveEntry(project, named, io.workingDirectory);
  const outFile =
    flags.out === undefined
      ? resolve(project.directory, "dist", `${app}.wasm`)
      : resolve(io.workingDirectory, flags.out);

  const built = await interruptible((signal) => {
    const engineName = resolveEngine(project, flags.engine);
    const minify = flags.minify === true;
    return buildProject({ entry, engine: engineName, minify, signal }, terminal);
  });
  await mkdir(dirname(outFile), { recursive: true });
  await writeFile(outFile, built.component);

  showBuildNotes(built, terminal);
  terminal.result(
    {
      entry,
      outFile,
      componentBytes: built.component.byteLength,
      functions: built.functions,
      warnings: built.warnings,
      durationMs: built.durationMs,
    },
    [
      `${terminal.out("green", "✓")} ${formatBuilt(built, app)}`,
      `  ${relative(io.workingDirectory, outFile)}  ${formatBytes(built.component.byteLength)}`,
      ...shortList(built.functions.map((name) => `  ${app}/${name}`)),
    ].join("\n"),
  );
}
