// From a position in the bundle to one in the author's files. The build writes the table from the
// bundler's source map; this reads it. The segments are those of a source map (version 3): for each
// line of the bundle, deltas of bundle column, source, line and column in base64 VLQ.

export interface LineTable {
  /** Paths from the project's folder. */
  readonly sources: readonly string[];
  readonly mappings: string;
}

export interface Segment {
  readonly bundleColumn: number;
  readonly source: number;
  readonly line: number;
  readonly column: number;
}

export interface SourcePosition {
  readonly source: string;
  /** Counted from 1, as is the column. */
  readonly line: number;
  readonly column: number;
}

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const VALUE_OF = new Map(Array.from(ALPHABET, (character, value) => [character, value]));

/** The segments of each bundle line. Segments without a source end the one before, and are dropped. */
export function decodeMappings(mappings: string): Segment[][] {
  let source = 0;
  let line = 0;
  let column = 0;
  return mappings.split(";").map((text) => {
    let bundleColumn = 0;
    const segments: Segment[] = [];
    if (text === "") return segments;
    for (const encoded of text.split(",")) {
      const [columnDelta = 0, sourceDelta, lineDelta = 0, sourceColumnDelta = 0] =
        decodeVlq(encoded);
      bundleColumn += columnDelta;
      if (sourceDelta === undefined) continue;
      source += sourceDelta;
      line += lineDelta;
      column += sourceColumnDelta;
      segments.push({ bundleColumn, source, line, column });
    }
    return segments;
  });
}

function decodeVlq(text: string): number[] {
  const values: number[] = [];
  let value = 0;
  let shift = 0;
  for (const character of text) {
    const digit = VALUE_OF.get(character) ?? 0;
    value += (digit & 31) << shift;
    shift += 5;
    if ((digit & 32) !== 0) continue;
    values.push((value & 1) === 1 ? -(value >> 1) : value >> 1);
    value = 0;
    shift = 0;
  }
  return values;
}

/** Writes what `decodeMappings` reads. */
export function encodeMappings(lines: readonly (readonly Segment[])[]): string {
  let source = 0;
  let line = 0;
  let column = 0;
  return lines
    .map((segments) => {
      let bundleColumn = 0;
      return segments
        .map((segment) => {
          const text =
            encodeVlq(segment.bundleColumn - bundleColumn) +
            encodeVlq(segment.source - source) +
            encodeVlq(segment.line - line) +
            encodeVlq(segment.column - column);
          ({ bundleColumn, source, line, column } = segment);
          return text;
        })
        .join(",");
    })
    .join(";");
}

function encodeVlq(value: number): string {
  let rest = value < 0 ? (-value << 1) | 1 : value << 1;
  let text = "";
  do {
    const digit = rest & 31;
    rest >>>= 5;
    text += ALPHABET.charAt(rest > 0 ? digit | 32 : digit);
  } while (rest > 0);
  return text;
}

/** Looks up positions of one bundle. Decodes at the first look: most instances never throw. */
export class LineTableReader {
  readonly #table: LineTable;
  #lines: readonly (readonly Segment[])[] | undefined;

  constructor(table: LineTable) {
    this.#table = table;
  }

  /** Undefined where the position is not in the author's code. Both are counted from 1. */
  find(bundleLine: number, bundleColumn: number): SourcePosition | undefined {
    this.#lines ??= decodeMappings(this.#table.mappings);
    const segments = this.#lines[bundleLine - 1] ?? [];
    // Engines point a little before or after the segment's start: the first one serves as a floor.
    let found = segments[0];
    for (const segment of segments) {
      if (segment.bundleColumn > bundleColumn - 1) break;
      found = segment;
    }
    const source = found === undefined ? undefined : this.#table.sources[found.source];
    if (found === undefined || source === undefined) return undefined;
    return { source, line: found.line + 1, column: found.column + 1 };
  }
}
