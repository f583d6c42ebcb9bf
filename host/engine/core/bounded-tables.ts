import type { CoreReader } from "./core-reader.ts";
import type { ByteWriter } from "./byte-writer.ts";
import { readTableType } from "./core-module.ts";

// Keeps the tables of a core module small. The elements of a table lie in V8's own heap, and where
// they do not fit, V8 ends the whole process, whatever the limits of the thread.
//
// T1. Every table gets a maximum: the given one, or its initial size where that is larger. A maximum
//     that was there is only ever lowered, so what imports the table can import it still.

export interface BoundedTables {
  readonly tables: number;
  /** The sum of their maxima. */
  readonly tableElements: number;
}

const HAS_MAXIMUM = 0x01;

/** Reads the body of a section of tables, and writes it anew. */
export function boundTables(
  section: CoreReader,
  grownElementsMax: number,
  writer: ByteWriter,
): BoundedTables {
  const tables = section.u32();
  writer.u32(tables);
  let tableElements = 0;
  for (let i = 0; i < tables; i += 1) {
    const { elementBytes, initial, maximum } = readTableType(section);
    const bounded = Math.min(maximum ?? Infinity, Math.max(initial, grownElementsMax));
    tableElements += bounded;
    writer.all(elementBytes);
    writer.byte(HAS_MAXIMUM);
    writer.u32(initial);
    writer.u32(bounded);
  }
  section.expectEnd("the tables");
  return { tables, tableElements };
}
