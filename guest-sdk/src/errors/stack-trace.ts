// Stacks in the author's files and lines. Frames of this SDK, of the engine and of the bundler's
// helpers have no place in the line table, and are left out.

import { LineTableReader } from "./line-table.ts";
import type { LineTable } from "./line-table.ts";

const FRAMES_MAX = 50;
const CAUSES_MAX = 5;

let reader: LineTableReader | undefined;

export function installLineTable(table: LineTable): void {
  reader = new LineTableReader(table);
}

/** One frame to a line, `at name (src/index.ts:12:5)`; empty where the stack is unknown. */
export function stackOf(error: Error): string {
  const { stack } = error;
  if (typeof stack !== "string") return "";
  return formatStack(stack, reader);
}

export function formatStack(stack: string, table: LineTableReader | undefined): string {
  const frames: { readonly text: string; times: number }[] = [];
  for (const line of stack.split("\n")) {
    const frame = parseFrame(line);
    if (frame === undefined) continue;
    const position = table?.find(frame.line, frame.column);
    if (position === undefined) continue;
    const place = `${position.source}:${position.line}:${position.column}`;
    const text = frame.name === "" ? `at ${place}` : `at ${frame.name} (${place})`;
    const last = frames.at(-1);
    // A recursion is one line, so that who began it is seen as well.
    if (last?.text === text) last.times += 1;
    else if (frames.length < FRAMES_MAX) frames.push({ text, times: 1 });
    else break;
  }
  return frames
    .map(({ text, times }) => (times === 1 ? text : `${text} ${times} times`))
    .join("\n");
}

interface Frame {
  readonly name: string;
  readonly line: number;
  readonly column: number;
}

// QuickJS: `    at name (file:1:2)`, `    at file:1:2`. SpiderMonkey: `name@file:1:2`.
const QUICKJS_FRAME = /^\s*at (?:(.*) \()?.*?:(\d+):(\d+)\)?$/;
const SPIDERMONKEY_FRAME = /^(.*?)@.*?:(\d+):(\d+)$/;

function parseFrame(text: string): Frame | undefined {
  const match = QUICKJS_FRAME.exec(text) ?? SPIDERMONKEY_FRAME.exec(text);
  if (match === null) return undefined;
  const [, name = "", line = "0", column = "0"] = match;
  return {
    // SpiderMonkey marks what it inferred: `boom<`, `handlers.boom/<`.
    name: name === "<anonymous>" ? "" : name.trim().replace(/[/<]+$/, ""),
    line: Number(line),
    column: Number(column),
  };
}

/** An error with its message, its stack and its causes, for the log. */
export function formatError(error: Error): string {
  const lines: string[] = [];
  const seen = new Set<unknown>();
  for (let cause: unknown = error; cause !== undefined && seen.size < CAUSES_MAX;) {
    if (seen.has(cause)) break;
    seen.add(cause);
    const prefix = lines.length === 0 ? "" : "caused by ";
    if (!(cause instanceof Error)) {
      lines.push(`${prefix}${describeThrown(cause)}`);
      break;
    }
    lines.push(`${prefix}${headOf(cause)}`);
    const stack = stackOf(cause);
    if (stack !== "") lines.push(...stack.split("\n").map((frame) => `    ${frame}`));
    lines.push(...partsOf(cause));
    cause = cause.cause;
  }
  return lines.join("\n");
}

/** What an `AggregateError` is made of, such as the failures of a `Promise.any`; one line for each. */
export function partsOf(error: Error): string[] {
  if (!(error instanceof AggregateError)) return [];
  const parts: readonly unknown[] = error.errors;
  return parts
    .slice(0, CAUSES_MAX)
    .map((part) => `with ${part instanceof Error ? headOf(part) : describeThrown(part)}`);
}

function headOf(error: Error): string {
  return error.message === "" ? error.name : `${error.name}: ${error.message}`;
}

/** What was thrown, where it was no error. */
export function describeThrown(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value);
  if (typeof value !== "object" || value === null) return String(value);
  try {
    return JSON.stringify(value) ?? "an object";
  } catch {
    return "an object";
  }
}
