// Finds and reads `downpour.json`, the few settings that belong to a project and not to a person.
//
// J1. Every key is optional, and an unknown key is refused with the nearest known one.
// J2. A token is never read from here: the file is meant to be committed.

import { readFileSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { CliError } from "./cli-error.ts";

export const PROJECT_FILE_NAME = "downpour.json";

export const ENGINES = ["quickjs", "starlingmonkey"] as const;
export type BuildEngine = (typeof ENGINES)[number];

/** As the host takes them: names become store keys, labels and addresses. */
const APP_NAME = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/u;

export interface ProjectFile {
  readonly app?: string;
  /** Relative to the project directory. */
  readonly entry?: string;
  readonly url?: string;
  readonly engine?: BuildEngine;
}

export interface Project {
  readonly directory: string;
  /** Undefined where no project file was found: the directory is then the working directory. */
  readonly filePath: string | undefined;
  readonly file: ProjectFile;
}

/** The project around a directory: the nearest `downpour.json` upwards, or the directory itself. */
export function findProject(workingDirectory: string): Project {
  let directory = resolve(workingDirectory);
  for (;;) {
    const filePath = join(directory, PROJECT_FILE_NAME);
    const text = readIfThere(filePath);
    if (text !== undefined) return { directory, filePath, file: parseProjectFile(text, filePath) };
    const parent = dirname(directory);
    if (parent === directory) break;
    directory = parent;
  }
  return { directory: resolve(workingDirectory), filePath: undefined, file: {} };
}

/** Checks the whole file at once; `filePath` is for the message only. */
export function parseProjectFile(text: string, filePath: string): ProjectFile {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw invalid(filePath, `is not JSON: ${cause instanceof Error ? cause.message : "malformed"}`);
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw invalid(filePath, "must be a JSON object");
  }
  const file: { app?: string; entry?: string; url?: string; engine?: BuildEngine } = {};
  for (const [key, entry] of Object.entries(value)) {
    if (key === "$schema") continue;
    if (typeof entry !== "string") throw invalid(filePath, `"${key}" must be a string`);
    switch (key) {
      case "app":
        if (!APP_NAME.test(entry)) throw invalid(filePath, `"app": ${appNameProblem(entry)}`);
        file.app = entry;
        break;
      case "entry":
        file.entry = entry;
        break;
      case "url":
        file.url = entry;
        break;
      case "engine":
        file.engine = parseEngine(entry, () =>
          invalid(filePath, `"engine" must be one of ${ENGINES.join(", ")}`),
        );
        break;
      default: {
        const near = nearest(key, ["app", "entry", "url", "engine"]);
        throw invalid(
          filePath,
          `does not know "${key}"${near === undefined ? "" : `; did you mean "${near}"?`}`,
        );
      }
    }
  }
  return file;
}

export function parseEngine(text: string, refuse: () => Error): BuildEngine {
  const engine = ENGINES.find((name) => name === text);
  if (engine === undefined) throw refuse();
  return engine;
}

export function isAppName(text: string): boolean {
  return APP_NAME.test(text);
}

/** The app's name where none is given: the project directory's, made to fit. */
export function appNameFromDirectory(directory: string): string | undefined {
  const name = basename(directory)
    // An accent is a character of its own then, and is left out.
    .normalize("NFKD")
    .replaceAll(/\p{M}/gu, "")
    .toLowerCase()
    .replaceAll(/[^a-z0-9-]+/gu, "-")
    .slice(0, 63)
    .replaceAll(/^-+|-+$/gu, "");
  return isAppName(name) ? name : undefined;
}

export function appNameProblem(name: string): string {
  return `${JSON.stringify(name)} is not an app name (1 to 63 of a-z, 0-9 and "-", not at an end)`;
}

/** The known word that a misspelt one is closest to, if it is close at all. */
export function nearest(word: string, known: readonly string[]): string | undefined {
  const distanceMax = Math.max(2, Math.floor(word.length / 3));
  let best: { readonly word: string; readonly distance: number } | undefined;
  for (const candidate of known) {
    const distance = editDistance(word.toLowerCase(), candidate);
    if (distance <= distanceMax && (best === undefined || distance < best.distance)) {
      best = { word: candidate, distance };
    }
  }
  return best?.word;
}

function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row += 1) {
    const current = [row];
    for (let column = 1; column <= b.length; column += 1) {
      const substitution = (previous[column - 1] ?? 0) + (a[row - 1] === b[column - 1] ? 0 : 1);
      current.push(
        Math.min(substitution, (previous[column] ?? 0) + 1, (current[column - 1] ?? 0) + 1),
      );
    }
    previous = current;
  }
  return previous[b.length] ?? 0;
}

function readIfThere(filePath: string): string | undefined {
  try {
    return readFileSync(filePath, "utf8");
  } catch (cause) {
    const code = cause instanceof Error && "code" in cause ? cause.code : undefined;
    if (code === "ENOENT" || code === "ENOTDIR") return undefined;
    throw new CliError("FILE_UNREADABLE", `${filePath} cannot be read (${String(code)})`, {
      exit: "usage",
      cause,
    });
  }
}

function invalid(filePath: string, problem: string): CliError {
  return new CliError("PROJECT_INVALID", `${filePath} ${problem}`, {
    exit: "usage",
    hint: `The keys are: "app", "entry", "url" and "engine" (${ENGINES.join(" or ")}).`,
    details: { file: filePath },
  });
}
