import { isMet } from "./report.ts";
import type { Row, SuiteReport, Target } from "./report.ts";

/** A suite's report as text for a terminal. */
export function formatReport(report: SuiteReport): string {
  const lines: string[] = [];
  for (const table of report.tables) lines.push("", table.title, ...formatRows(table.rows));
  if (report.targets.length > 0) lines.push("", "Targets");
  for (const target of report.targets) lines.push(`  ${formatTarget(target)}`);
  if (report.checks.length > 0) lines.push("", "Checks");
  for (const check of report.checks) {
    lines.push(`  ${check.holds ? "holds " : "FAILED"}  ${check.name}: ${check.detail}`);
  }
  if (report.notes.length > 0) lines.push("");
  for (const note of report.notes) lines.push(`  Note: ${note}`);
  return lines.join("\n");
}

function formatRows(rows: readonly Row[]): string[] {
  const columns = [...new Set(rows.flatMap((row) => Object.keys(row.values)))];
  const cells = [
    ["", ...columns],
    ...rows.map((row) => [row.subject, ...columns.map((name) => formatCell(row.values[name]))]),
  ];
  const widths = ["", ...columns].map((_, column) =>
    Math.max(...cells.map((line) => line[column]?.length ?? 0)),
  );
  return cells.map(
    (line) =>
      `  ${line
        .map((cell, column) =>
          column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0),
        )
        .join("  ")}`,
  );
}

function formatTarget(target: Target): string {
  const wants = [
    ...(target.atLeast === undefined ? [] : [`at least ${formatNumber(target.atLeast)}`]),
    ...(target.atMost === undefined ? [] : [`at most ${formatNumber(target.atMost)}`]),
  ];
  return `${isMet(target) ? "met   " : "MISSED"}  ${target.name}: ${formatNumber(target.measured)} (${wants.join(", ")})`;
}

function formatCell(value: number | undefined): string {
  return value === undefined ? "-" : formatNumber(value);
}

/** Three digits that mean something, and no exponent. */
function formatNumber(value: number): string {
  if (!Number.isFinite(value)) return String(value);
  if (Number.isInteger(value) || Math.abs(value) >= 1000) {
    return Math.round(value).toLocaleString("en-US");
  }
  const magnitude = value === 0 ? 0 : Math.floor(Math.log10(Math.abs(value)));
  return value.toFixed(Math.min(6, Math.max(0, 2 - magnitude)));
}
