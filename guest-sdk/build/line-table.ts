import { isAbsolute, resolve } from "node:path";
import { decodeMappings, encodeMappings } from "../src/errors/line-table.ts";
import type { LineTable, Segment } from "../src/errors/line-table.ts";
import { displayPath, isWithin, sdkSourceFolder } from "./project.ts";
import type { Project } from "./project.ts";

/** What a bundler gives; the names are of no use here. */
export interface SourceMap {
  readonly sources: readonly (string | null)[];
  readonly mappings: string;
}

/** Above this, the columns go: a large table would weigh on every instance. */
const MAPPINGS_CHARACTERS_MAX = 256 * 1024;

/** The places of the author's code, and of the packages it uses, in the bundle. */
export function createLineTable(project: Project, map: SourceMap, folder: string): LineTable {
  const sources: string[] = [];
  const kept = new Map<number, number>();
  for (const [index, source] of map.sources.entries()) {
    const path = source === null ? undefined : pathOf(source, folder);
    if (path === undefined || isWithin(path, sdkSourceFolder) || isPolyfill(path)) continue;
    kept.set(index, sources.length);
    sources.push(displayPath(project, path));
  }
  const lines = decodeMappings(map.mappings).map((segments) => keep(segments, kept));
  const mappings = encodeMappings(lines);
  if (mappings.length <= MAPPINGS_CHARACTERS_MAX) return { sources, mappings };
  return { sources, mappings: encodeMappings(lines.map((segments) => segments.slice(0, 1))) };
}

/** The entry that the build makes up, and the bundler's own helpers, have no file. */
function pathOf(source: string, folder: string): string | undefined {
  if (source.includes("\0") || source.includes("rolldown/runtime")) return undefined;
  return isAbsolute(source) ? source : resolve(folder, source);
}

function isPolyfill(path: string): boolean {
  return /[/\\]node_modules[/\\](?:core-js-pure|@oxc-project)[/\\]/.test(path);
}

function keep(segments: readonly Segment[], kept: ReadonlyMap<number, number>): Segment[] {
  const result: Segment[] = [];
  for (const segment of segments) {
    const source = kept.get(segment.source);
    if (source !== undefined) result.push({ ...segment, source });
  }
  return result;
}
