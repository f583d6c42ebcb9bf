import type { Row } from "../report.ts";

const WIDTH = 760;
const LEFT = 190;
const RIGHT = 90;
const TOP = 46;
const BAR = 16;
const GAP = 8;

/**
 * The victim's p99 under each attack as bars over a logarithmic scale, with a line where it stands
 * alone. The rows' first one is the victim alone; each has `p99Ms` and `lost`.
 */
export function plotIsolation(rows: readonly Row[]): string {
  const height = TOP + rows.length * (BAR + GAP) + 20;
  const values = rows.map(({ values: { p99Ms = 0 } }) => p99Ms);
  const lowest = 10 ** Math.floor(Math.log10(Math.min(...values)));
  const highest = 10 ** Math.ceil(Math.log10(Math.max(...values)));
  const scale = (ms: number): number =>
    LEFT + (Math.log(ms / lowest) / Math.log(highest / lowest)) * (WIDTH - LEFT - RIGHT);
  const alone = scale(values[0] ?? lowest);
  const bars = rows.map(({ subject, values: { p99Ms = 0, lost = 0 } }, index) => {
    const y = TOP + index * (BAR + GAP);
    const note = `${p99Ms.toFixed(1)} ms${lost > 0 ? `, ${String(lost)} lost` : ""}`;
    return [
      `<text x="${String(LEFT - 8)}" y="${String(y + 12)}" text-anchor="end">${escape(subject)}</text>`,
      `<rect x="${String(LEFT)}" y="${String(y)}" width="${(scale(p99Ms) - LEFT).toFixed(1)}" height="${String(BAR)}" fill="${lost > 0 ? "#b3261e" : "#2b6cb0"}"/>`,
      `<text x="${(scale(p99Ms) + 6).toFixed(1)}" y="${String(y + 12)}">${note}</text>`,
    ].join("\n");
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${String(WIDTH)} ${String(height)}" font-family="sans-serif" font-size="12">`,
    `<rect width="100%" height="100%" fill="#ffffff"/>`,
    `<text x="12" y="20" font-size="14" font-weight="bold">p99 of a stateful function at a steady rate, alone and beside each attack (ms, logarithmic)</text>`,
    ...bars,
    `<line x1="${alone.toFixed(1)}" y1="${String(TOP - 8)}" x2="${alone.toFixed(1)}" y2="${String(height - 12)}" stroke="#222222" stroke-dasharray="4 3"/>`,
    "</svg>",
    "",
  ].join("\n");
}

function escape(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
