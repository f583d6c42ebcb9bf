import type { EventSourceMessage } from "eventsource-parser";
import type { LogEntryView, LogNotice } from "@downpour/host/schemas";
import { parseDocument } from "./json-value.ts";
import { printable } from "./terminal.ts";
import type { Terminal } from "./terminal.ts";

const LEVEL_FORMATS = {
  trace: "dim",
  debug: "dim",
  info: "cyan",
  warn: "yellow",
  error: "red",
} as const;

/** One entry, one line; further lines of its message are indented under it. */
export function formatLogEntry(entry: LogEntryView, terminal: Terminal): string {
  const time = entry.at.slice(11, 23);
  const level = terminal.out(LEVEL_FORMATS[entry.level], entry.level.padEnd(5));
  const message = printable(entry.message.trimEnd()).replaceAll("\n", "\n    ");
  return `${terminal.out("dim", time)} ${level} ${printable(entry.function)}  ${message}`;
}

/** An event of a followed log; undefined for kinds that a later host may add. */
export function parseLogEvent(
  event: EventSourceMessage,
):
  | { readonly kind: "log"; readonly entry: LogEntryView }
  | { readonly kind: "notice"; readonly notice: LogNotice }
  | undefined {
  if (event.event === "log") {
    const entry = parseDocument<LogEntryView>(event.data);
    return entry === undefined ? undefined : { kind: "log", entry };
  }
  if (event.event === "notice") {
    const notice = parseDocument<LogNotice>(event.data);
    return notice === undefined ? undefined : { kind: "notice", notice };
  }
  return undefined;
}
