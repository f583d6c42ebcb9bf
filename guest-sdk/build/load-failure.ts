// A componentizer's text, when the author's module could not be loaded, as findings in the author's
// files. Both engines report an exception as text; the stack in it points into the bundle.

import { LineTableReader } from "../src/errors/line-table.ts";
import { formatStack } from "../src/errors/stack-trace.ts";
import { BuildError, diagnostic } from "./build-error.ts";
import type { LineTable } from "../src/errors/line-table.ts";

const MESSAGE_CHARACTERS_MAX = 4_000;

export function loadFailed(text: string, lineTable: LineTable): BuildError {
  const problems = problemsIn(text);
  if (problems !== undefined) {
    return new BuildError(
      "no-functions",
      problems.map((problem) => diagnostic("no-functions", problem)),
    );
  }
  const exception = exceptionIn(text);
  if (exception === undefined) {
    return new BuildError("toolchain-failed", [
      diagnostic("toolchain-failed", text.slice(0, MESSAGE_CHARACTERS_MAX).trim()),
    ]);
  }
  const frames = formatStack(text, new LineTableReader(lineTable));
  const place = /\(?([^\s()]+):(\d+):(\d+)\)?$/m.exec(frames);
  return new BuildError("load-failed", [
    diagnostic(
      "top-level-exception",
      [
        `Loading the module threw: ${exception.slice(0, MESSAGE_CHARACTERS_MAX)}`,
        ...frames.split("\n"),
      ]
        .join("\n    ")
        .trim(),
      {
        file: place?.[1],
        line: place === null ? undefined : Number(place[2]),
        column: place === null ? undefined : Number(place[3]),
        hint: "Code outside functions runs once, at build time, and its result is kept.",
      },
    ),
  ]);
}

/** What the runtime found wrong with the exports. */
function problemsIn(text: string): readonly string[] | undefined {
  const match = /\{"downpour-build-problem":(\[.*\])\}/.exec(text);
  if (match === null) return undefined;
  const parsed: unknown = JSON.parse(match[1] ?? "[]");
  return Array.isArray(parsed) ? parsed.map(String) : undefined;
}

// QuickJS's binding says "Error" for every class of exceptions: the class is left out.
const QUICKJS =
  /Failed to evaluate user JavaScript module: (?:Failed to \w+ JavaScript module(?: \w+)?: )?(?:Error: )?([\s\S]*?)(?=\n\s+at |\n*$)/;
const STARLINGMONKEY = /Exception while evaluating top-level script\s*([\s\S]*?)(?=\nStack:|\n*$)/;

function exceptionIn(text: string): string | undefined {
  return (QUICKJS.exec(text) ?? STARLINGMONKEY.exec(text))?.[1]?.trim();
}
