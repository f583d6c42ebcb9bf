// Globals that authors know from elsewhere and that a function has not, or not yet. The compiler finds
// those that no library of the project declares. A project with the "dom" library declares many, and
// `Intl` is part of the language: these are found where the bundle names them.
//
// A1. Only names that nothing in the file declares are found: the bundler, which knows scopes, writes
//     each as a member of `globalThis`.
// A2. In the author's files it is an error. A package may name what it can do without: a warning.

import { diagnostic } from "./build-error.ts";
import type { BuildDiagnostic } from "./build-error.ts";
import { LineTableReader } from "../src/errors/line-table.ts";
import type { LineTable } from "../src/errors/line-table.ts";
import { NOT_YET } from "../src/globals/not-yet.ts";

const FOUND_IN_BUNDLES: ReadonlyMap<string, string> = new Map([
  ...Object.entries(NOT_YET).map(([name, reason]) => [name, sentence(reason)] as const),
  [
    "Intl",
    "Numbers and dates are put into words without a locale, or by a package with its own tables.",
  ],
]);

const FOUND_BY_COMPILER: ReadonlyMap<string, string> = new Map([
  ...FOUND_IN_BUNDLES,
  ["process", 'Who calls, and until when: import { context } from "@downpour/sdk".'],
  ["Buffer", "Use Uint8Array, with toBase64(), toHex(), TextEncoder and TextDecoder."],
  ["require", "Use import."],
  [
    "__dirname",
    'A function has no files. Keep data in state: import { state } from "@downpour/sdk".',
  ],
]);

function sentence(reason: string): string {
  return `${reason.charAt(0).toUpperCase()}${reason.slice(1)}.`;
}

/** What to do without a name that the compiler does not know. */
export function hintForName(name: string): string | undefined {
  return FOUND_BY_COMPILER.get(name);
}

/** For the bundler's `define`. */
export const absentGlobalsMarked: Readonly<Record<string, string>> = Object.fromEntries(
  Array.from(FOUND_IN_BUNDLES.keys(), (name) => [name, `globalThis.${name}`]),
);

const MARK = new RegExp(
  String.raw`\bglobalThis\.(${[...FOUND_IN_BUNDLES.keys()].join("|")})\b`,
  "g",
);
const TYPEOF = /\btypeof\s+$/;
const PACKAGES = /(?:^|[/\\])node_modules[/\\]/;

export interface AbsentGlobals {
  readonly errors: readonly BuildDiagnostic[];
  readonly warnings: readonly BuildDiagnostic[];
}

/** Where a bundle names them; `typeof` alone is a question, and no use. One finding for each line. */
export function findAbsentGlobals(code: string, lineTable: LineTable): AbsentGlobals {
  const reader = new LineTableReader(lineTable);
  const found = new Map<string, BuildDiagnostic>();
  for (const [index, line] of code.split("\n").entries()) {
    for (const match of line.matchAll(MARK)) {
      if (TYPEOF.test(line.slice(0, match.index))) continue;
      const place = reader.find(index + 1, match.index + 1);
      if (place === undefined) continue;
      const { source: file, line: row, column } = place;
      const [, name = ""] = match;
      const hint = FOUND_IN_BUNDLES.get(name);
      const finding = diagnostic("unsupported-global", `A function has no ${name}`, {
        file,
        line: row,
        column,
        hint,
      });
      found.set(`${file}:${row} ${name}`, finding);
    }
  }
  const all = [...found.values()];
  return {
    errors: all.filter(({ file }) => !PACKAGES.test(file ?? "")),
    warnings: all.filter(({ file }) => PACKAGES.test(file ?? "")),
  };
}
