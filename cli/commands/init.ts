import { constants } from "node:fs";
import { access, mkdir, readFile, readdir, realpath, symlink, writeFile } from "node:fs/promises";
import { dirname, join, relative, resolve, sep } from "node:path";
import { fileURLToPath } from "node:url";
import type { Command } from "commander";
import { CliError, usageError } from "../cli-error.ts";
import { examples } from "../command-context.ts";
import type { CommandContext, OpenContext } from "../command-context.ts";
import {
  PROJECT_FILE_NAME,
  appNameFromDirectory,
  appNameProblem,
  isAppName,
} from "../project-file.ts";
import { DEFAULT_ENTRY } from "../settings.ts";
import { shellPath } from "../shell-path.ts";

/** The template's name for `.gitignore`: packages are published without files of that name. */
const IGNORE_FILE_NAMES: ReadonlySet<string> = new Set(["gitignore", "_gitignore"]);
/** Stands for the app's name in the template's files. */
const APP_PLACEHOLDER = /\{\{\s*(?:app|name)\s*\}\}/gu;

export function registerInit(program: Command, open: OpenContext): void {
  program
    .command("init")
    .description("make a project with a function in it")
    .argument("[directory]", "where; the working directory where absent", ".")
    .option("-a, --app <name>", "the app's name; the directory's where absent")
    .addHelpText(
      "after",
      examples(
        ["downpour init my-app", "a new folder"],
        ["cd my-app && downpour dev", "and run it"],
      ),
    )
    .action(async (directory: string, flags: { readonly app?: string }, command: Command) => {
      await init(open(command), directory, flags.app);
    });
}

async function init(
  context: CommandContext,
  named: string,
  namedApp: string | undefined,
): Promise<void> {
  const { io, flags, terminal } = context;
  const directory = resolve(io.workingDirectory, flags.directory ?? ".", named);
  const app = namedApp ?? appNameFromDirectory(directory);
  if (app === undefined || !isAppName(app)) {
    throw usageError(appNameProblem(app ?? directory), "Name it with --app.");
  }
  const files = await projectFiles(app);
  await refuseToOverwrite(directory, [...files.keys()]);
  for (const [path, content] of files) {
    const target = join(directory, path);
    await mkdir(dirname(target), { recursive: true });
    await writeFile(target, content, { flag: "wx" });
  }
  await linkSdk(directory);
  const shown = relative(io.workingDirectory, directory);
  terminal.result(
    { directory, app, files: [...files.keys()] },
    [
      `${terminal.out("green", "✓")} made ${app} in ${shown === "" ? "." : shown}`,
      ...[...files.keys()].map((path) => `  ${path}`),
      "",
      "Next:",
      ...(shown === "" ? [] : [`  cd ${shellPath(context, directory)}`]),
      "  downpour dev",
    ].join("\n"),
  );
}

/** The SDK's template with the app's name in it, and the project file. */
async function projectFiles(app: string): Promise<ReadonlyMap<string, string>> {
  const template = dirname(
    fileURLToPath(import.meta.resolve("@downpour/sdk/template/package.json")),
  );
  const files = new Map<string, string>();
  for (const entry of await readdir(template, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const source = join(entry.parentPath, entry.name);
    const name = IGNORE_FILE_NAMES.has(entry.name) ? ".gitignore" : entry.name;
    const path = join(relative(template, entry.parentPath), name);
    files.set(path, (await readFile(source, "utf8")).replaceAll(APP_PLACEHOLDER, app));
  }
  if (!files.has(PROJECT_FILE_NAME)) {
    const file = { app, entry: DEFAULT_ENTRY };
    files.set(PROJECT_FILE_NAME, `${JSON.stringify(file, undefined, 2)}\n`);
  }
  return new Map([...files].toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

/**
 * Where the SDK runs from a checkout, no registry has it: a link gives editors its types. The build
 * itself needs none, so a file system that refuses links costs nothing but completion.
 */
async function linkSdk(directory: string): Promise<void> {
  const sdk = await realpath(dirname(dirname(fileURLToPath(import.meta.resolve("@downpour/sdk")))));
  if (sdk.split(sep).includes("node_modules")) return;
  const link = join(directory, "node_modules/@downpour/sdk");
  try {
    await mkdir(dirname(link), { recursive: true });
    await symlink(sdk, link, "junction");
  } catch {
    // There is one already, or links are refused: see above.
  }
}

async function refuseToOverwrite(directory: string, paths: readonly string[]): Promise<void> {
  const there: string[] = [];
  for (const path of paths) {
    const isThere = await access(join(directory, path), constants.F_OK).then(
      () => true,
      () => false,
    );
    if (isThere) there.push(path);
  }
  if (there.length === 0) return;
  throw new CliError("PROJECT_EXISTS", `${directory} has ${there.join(", ")} already`, {
    exit: "usage",
    hint: "Nothing was written. Take another directory, or move these away.",
    details: { directory, files: there },
  });
}
