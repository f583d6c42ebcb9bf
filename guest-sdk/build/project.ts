import { existsSync, statSync } from "node:fs";
import { dirname, join, relative, resolve, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { BuildError, diagnostic } from "./build-error.ts";

/** Where an author's files are. */
export interface Project {
  /** Absolute. */
  readonly entry: string;
  /** The nearest folder with a package.json, else the entry's. Absolute. */
  readonly root: string;
  /** The author's, if there is one between the entry and the root. */
  readonly tsconfig: string | undefined;
  /** Whether the author's own installation has the SDK: its types are the ones to check against. */
  readonly hasSdkInstalled: boolean;
}

export function findProject(entryPath: string): Project {
  const entry = resolve(entryPath);
  if (!isFile(entry)) {
    throw new BuildError("entry-not-found", [
      diagnostic("entry-not-found", `There is no file ${entryPath}`, {
        hint: "Pass the file whose exports are the functions, for example src/index.ts.",
      }),
    ]);
  }
  const folder = dirname(entry);
  const root = findUp(folder, "package.json") ?? folder;
  const withTsconfig = findUp(folder, "tsconfig.json");
  const isInside = withTsconfig !== undefined && isWithin(withTsconfig, root);
  return {
    entry,
    root,
    tsconfig: isInside ? join(withTsconfig, "tsconfig.json") : undefined,
    hasSdkInstalled: findUp(folder, "node_modules/@downpour/sdk/package.json") !== undefined,
  };
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() === true;
}

/** The nearest folder, from `folder` up, that has `name`. */
function findUp(folder: string, name: string): string | undefined {
  for (let current = folder; ; current = dirname(current)) {
    if (existsSync(join(current, name))) return current;
    if (dirname(current) === current) return undefined;
  }
}

export function isWithin(path: string, folder: string): boolean {
  return path === folder || path.startsWith(folder.endsWith(sep) ? folder : folder + sep);
}

/** A path for people: from the project's folder, with slashes. */
export function displayPath(project: Project, path: string): string {
  return relative(project.root, path).split(sep).join("/");
}

/** This package runs from its sources in the repository, and compiled where it is published. */
const sourceExtension = import.meta.url.endsWith(".ts") ? "ts" : "js";

/** A module of this package, by its path in the sources without an extension. */
export function sdkModule(path: string): string {
  return fileURLToPath(new URL(`../${path}.${sourceExtension}`, import.meta.url));
}

export const sdkSourceFolder: string = fileURLToPath(new URL("../src", import.meta.url));

/** The types that authors write against. */
export const sdkTypes: string = fileURLToPath(
  new URL(sourceExtension === "ts" ? "../src/index.ts" : "../src/index.d.ts", import.meta.url),
);

/** `wit/` stands beside `guest-sdk/` in the repository, and two folders up from the compiled build. */
export const witFolder: string = fileURLToPath(new URL("../../wit", import.meta.url));
