// Decides which host, which token and which project a command works with. Everything else takes the answer.
//
// S1. Order of sources, and no other: flags, environment, project file, the host started here, defaults.
// S2. A token that `dev` wrote goes to the address that is recorded beside it, and to no other: another port of this
//     machine may be somebody else's.
// S3. A token is never part of a message.

import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { CliError, usageError } from "./cli-error.ts";
import { findLocalHost, readOwnToken } from "./local-directory.ts";
import { appNameFromDirectory, appNameProblem, findProject, isAppName } from "./project-file.ts";
import type { BuildEngine, Project } from "./project-file.ts";

export const DEFAULT_URL = "http://127.0.0.1:8787";
export const DEFAULT_ENTRY = "src/index.ts";

/** The options that every command takes. */
export interface GlobalFlags {
  readonly url?: string;
  readonly token?: string;
  readonly tokenFile?: string;
  readonly directory?: string;
  readonly json?: boolean;
}

export interface Settings {
  readonly project: Project;
  readonly url: string;
  readonly token: string | undefined;
  /** Where they come from, in words: for messages, never the token itself. */
  readonly urlSource: string;
  readonly tokenSource: string | undefined;
  /** Of a host that was started here, and is the one that commands work with. */
  readonly adminTokenPath: string | undefined;
}

export interface SettingsSources {
  readonly flags: GlobalFlags;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly workingDirectory: string;
}

export function resolveSettings(sources: SettingsSources): Settings {
  const { flags, environment, workingDirectory } = sources;
  const start = resolve(workingDirectory, flags.directory ?? ".");
  const project = findProject(start);
  const localHost = findLocalHost(start);

  const [url, urlSource] = first([
    [flags.url, "--url"],
    [environment["DOWNPOUR_URL"], "DOWNPOUR_URL"],
    [project.file.url, project.filePath ?? ""],
    [localHost?.host.url, localHost?.local.hostRecordPath ?? ""],
  ]) ?? [DEFAULT_URL, "the default"];
  const checkedUrl = parseUrl(url, urlSource);
  const ownHost =
    localHost !== undefined && checkedUrl === parseUrl(localHost.host.url, "host.json")
      ? localHost.local
      : undefined;

  const [token, tokenSource] = first([
    [flags.token, "--token"],
    [readTokenFile(flags.tokenFile, workingDirectory), "--token-file"],
    [environment["DOWNPOUR_TOKEN"], "DOWNPOUR_TOKEN"],
    [ownHost === undefined ? undefined : readOwnToken(ownHost.tokenPath), ownHost?.tokenPath ?? ""],
  ]) ?? [undefined, undefined];
  // A line break in a header is refused by fetch, with the token in its message (S3).
  if (token !== undefined && !/^[\x21-\x7e]+$/u.test(token)) {
    throw usageError(`the token from ${tokenSource} holds characters that no token has`);
  }
  return {
    project,
    url: checkedUrl,
    token,
    urlSource,
    tokenSource,
    adminTokenPath: ownHost?.adminTokenPath,
  };
}

/** The app a command is about: named, or the project's. */
export function resolveApp(project: Project, named: string | undefined): string {
  const app = named ?? project.file.app ?? appNameFromDirectory(project.directory);
  if (app === undefined) {
    throw usageError(
      "no app is named",
      `Name it: --app <name>, or "app" in downpour.json (${project.directory}).`,
    );
  }
  if (!isAppName(app)) throw usageError(appNameProblem(app));
  return app;
}

export function resolveEntry(project: Project, named: string | undefined, from: string): string {
  if (named !== undefined) return resolve(from, named);
  return resolve(project.directory, project.file.entry ?? DEFAULT_ENTRY);
}

export function resolveEngine(project: Project, named: BuildEngine | undefined): BuildEngine {
  return named ?? project.file.engine ?? "quickjs";
}

function parseUrl(text: string, source: string): string {
  if (!URL.canParse(text)) {
    throw usageError(
      `the URL from ${source} is not a URL: ${text}`,
      "Write for example http://127.0.0.1:8787",
    );
  }
  const url = new URL(text);
  if (url.protocol !== "http:" && url.protocol !== "https:") {
    throw usageError(
      `the URL from ${source} must start with http:// or https://`,
      !text.includes("://") && URL.canParse(`http://${text}`)
        ? `Did you mean http://${text}?`
        : undefined,
    );
  }
  if (url.username !== "" || url.password !== "") {
    throw usageError(
      `the URL from ${source} holds a password`,
      "Give the token by DOWNPOUR_TOKEN or --token-file.",
    );
  }
  return `${url.origin}${url.pathname.replace(/\/+$/u, "")}`;
}

function readTokenFile(path: string | undefined, workingDirectory: string): string | undefined {
  if (path === undefined) return undefined;
  try {
    return readFileSync(resolve(workingDirectory, path), "utf8").trim();
  } catch (cause) {
    const code = cause instanceof Error && "code" in cause ? String(cause.code) : "unreadable";
    throw new CliError("FILE_UNREADABLE", `the token file ${path} cannot be read (${code})`, {
      exit: "usage",
      cause,
    });
  }
}

function first(
  candidates: readonly (readonly [value: string | undefined, source: string])[],
): readonly [value: string, source: string] | undefined {
  for (const [value, source] of candidates) {
    if (value !== undefined && value !== "") return [value, source];
  }
  return undefined;
}
