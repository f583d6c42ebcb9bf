// `console` as the function's log. It writes to the host, one entry for each call.
//
// L1. What module code logs at build time goes into the build's output, up to a limit.
// L2. An entry is cut here to what the host takes, so that a huge object does not cross for nothing.
// L3. An entry is well formed: half a character, of the author's or of a cut, ends an instance of QuickJS.

import { write } from "downpour:faas/log@0.1.0";
import type { WitLogLevel } from "downpour:faas/log@0.1.0";
import { stackOf } from "../errors/stack-trace.ts";
import { isServing } from "../phase.ts";
import { leaveTraces, onWipe } from "../traces.ts";
import { cut, formatArguments, inspect } from "./inspect.ts";

const MESSAGE_CHARACTERS_MAX = 16_000;
const BUILD_ENTRIES_MAX = 100;
const BUILD_MESSAGE_CHARACTERS_MAX = 1_000;
const LABELS_MAX = 1_000;

interface BuildLogEntry {
  readonly level: WitLogLevel;
  readonly message: string;
}

const buildLog: BuildLogEntry[] = [];

/** What module code logged while the snapshot was made. */
export function takeBuildLog(): readonly BuildLogEntry[] {
  return buildLog.splice(0);
}

let indent = "";
const counts = new Map<string, number>();
const timersMs = new Map<string, number>();

// Labels and groups of one invocation are not the next one's.
onWipe(() => {
  indent = "";
  counts.clear();
  timersMs.clear();
});

function emit(level: WitLogLevel, text: string): void {
  const message = indent === "" ? text : indent + text.replaceAll("\n", `\n${indent}`);
  if (isServing) {
    write(level, message.toWellFormed());
  } else if (buildLog.length < BUILD_ENTRIES_MAX) {
    buildLog.push({ level, message: cut(message, BUILD_MESSAGE_CHARACTERS_MAX).toWellFormed() });
  }
}

function log(level: WitLogLevel, data: readonly unknown[]): void {
  emit(level, formatArguments(data, MESSAGE_CHARACTERS_MAX));
}

function elapsed(label: string): string | undefined {
  const startMs = timersMs.get(label);
  return startMs === undefined ? undefined : `${(performance.now() - startMs).toFixed(3)} ms`;
}

function remember<T>(labels: Map<string, T>, label: string, value: T): void {
  if (labels.size >= LABELS_MAX && !labels.has(label)) return;
  labels.set(label, value);
  leaveTraces();
}

export const functionConsole: Console = {
  log: (...data) => log("info", data),
  info: (...data) => log("info", data),
  debug: (...data) => log("debug", data),
  warn: (...data) => log("warn", data),
  error: (...data) => log("error", data),
  trace(...data) {
    const text = formatArguments(data, MESSAGE_CHARACTERS_MAX);
    const stack = stackOf(new Error("trace"));
    emit("trace", [text === "" ? "Trace" : `Trace: ${text}`, stack].filter(Boolean).join("\n"));
  },
  assert(condition, ...data) {
    if (condition) return;
    log("error", data.length === 0 ? ["Assertion failed"] : ["Assertion failed:", ...data]);
  },
  dir: (item) => emit("info", cut(inspect(item), MESSAGE_CHARACTERS_MAX)),
  table: (data) => emit("info", cut(inspect(data), MESSAGE_CHARACTERS_MAX)),
  group(...data) {
    if (data.length > 0) log("info", data);
    if (indent.length < 40) indent += "  ";
    leaveTraces();
  },
  groupEnd() {
    indent = indent.slice(2);
  },
  count(label = "default") {
    remember(counts, label, (counts.get(label) ?? 0) + 1);
    emit("info", `${label}: ${counts.get(label) ?? 0}`);
  },
  countReset(label = "default") {
    counts.delete(label);
  },
  time(label = "default") {
    remember(timersMs, label, performance.now());
  },
  timeLog(label = "default", ...data) {
    const text = elapsed(label);
    if (text !== undefined) log("info", [`${label}: ${text}`, ...data]);
  },
  timeEnd(label = "default") {
    const text = elapsed(label);
    timersMs.delete(label);
    if (text !== undefined) emit("info", `${label}: ${text}`);
  },
};
