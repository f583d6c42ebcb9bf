import type { CoreResources } from "../component/budget.ts";
import { BinaryReader, malformed, unsupported } from "../component/reader.ts";
import { ComponentError } from "../engine.ts";

/**
 * Keeps the tables of a core module small. The elements of a table lie in V8's own heap, and where
 * they do not fit, V8 ends the whole process, whatever the limits of the thread.
 *
 * T1. Every table gets a maximum: the given one, or its initial size where that is larger. A maximum
 *     that was there is only ever lowered, so what imports the table can import it still.
 * T2. Only table sections are written anew, and only where a maximum changes; the other bytes stay.
 * T3. Nothing is validated but what is read: V8 does that, with the bytes that are returned.
 *
 * Imported tables and memories are not looked at: some other module of the component makes them.
 */
export function boundTables(module: Uint8Array, grownElementsMax: number): BoundedModule {
  try {
    return readSections(module, grownElementsMax);
  } catch (error) {
    // Its offset is one in the module, which means nothing to who knows only the upload.
    if (!(error instanceof ComponentError && error.kind === "malformed")) throw error;
    throw malformed(`a core module is invalid: ${error.message} of the module`);
  }
}

export interface BoundedModule {
  /** The module itself where there was nothing to change. */
  readonly bytes: Uint8Array;
  /** What each instance of it makes. */
  readonly makes: CoreResources;
}

const PREAMBLE_BYTES = 8;
const TABLE_SECTION = 4;
const MEMORY_SECTION = 5;
const NO_NAMES_BYTES_MAX = 0;

function readSections(module: Uint8Array, grownElementsMax: number): BoundedModule {
  const range = { start: 0, end: module.byteLength };
  const reader = new BinaryReader(module, range, NO_NAMES_BYTES_MAX);
  reader.slice(PREAMBLE_BYTES, "the preamble of a core module");
  const chunks: Uint8Array[] = [];
  let keptUntil = 0;
  let tables = 0;
  let tableElements = 0;
  let memories = 0;
  while (reader.remainingBytes > 0) {
    const start = reader.offset;
    const id = reader.byte("a section");
    const byteLength = reader.u32("the size of a section");
    const section = reader.section(byteLength, "a section of its announced size");
    if (id === MEMORY_SECTION) memories += section.count("the number of memories");
    if (id !== TABLE_SECTION) continue;
    const read = readTables(section, module, grownElementsMax);
    tables += read.tables;
    tableElements += read.tableElements;
    if (read.rewritten === undefined) continue;
    chunks.push(module.subarray(keptUntil, start), read.rewritten);
    keptUntil = reader.offset;
  }
  const bytes =
    chunks.length === 0 ? module : Buffer.concat([...chunks, module.subarray(keptUntil)]);
  return { bytes, makes: { tables, tableElements, memories } };
}

interface TableSection {
  readonly tables: number;
  readonly tableElements: number;
  /** With its header; undefined where the section can stay. */
  readonly rewritten: Uint8Array | undefined;
}

const HAS_MAXIMUM = 0x01;

function readTables(
  section: BinaryReader,
  module: Uint8Array,
  grownElementsMax: number,
): TableSection {
  const tables = section.count("the number of tables");
  const body = leb128(tables);
  let tableElements = 0;
  let isChanged = false;
  for (let i = 0; i < tables; i += 1) {
    const start = section.offset;
    skipReferenceType(section);
    const type = module.subarray(start, section.offset);
    const { initial, maximum } = readLimits(section);
    const bounded = Math.min(maximum ?? Infinity, Math.max(initial, grownElementsMax));
    isChanged ||= bounded !== maximum;
    tableElements += bounded;
    body.push(...type, HAS_MAXIMUM, ...leb128(initial), ...leb128(bounded));
  }
  section.expectEnd("the tables");
  const rewritten = isChanged
    ? Uint8Array.from([TABLE_SECTION, ...leb128(body.length)].concat(body))
    : undefined;
  return { tables, tableElements, rewritten };
}

const INITIAL_EXPRESSION = 0x40;
const NULLABLE_REFERENCE = 0x63;
const REFERENCE = 0x64;

/** What is no type after all, V8 refuses. */
function skipReferenceType(section: BinaryReader): void {
  const first = section.byte("the type of a table");
  if (first === INITIAL_EXPRESSION) throw unsupported("a table with an initial expression");
  if (first !== NULLABLE_REFERENCE && first !== REFERENCE) return;
  const BYTES_MAX = 5;
  for (let i = 0; i < BYTES_MAX; i += 1) {
    if (section.byte("the heap type of a table") < 0x80) return;
  }
}

function readLimits(section: BinaryReader): { initial: number; maximum: number | undefined } {
  const flags = section.byte("the limits of a table");
  if (flags === 0x04 || flags === 0x05) throw unsupported("a table with 64-bit indices");
  if (flags > HAS_MAXIMUM) throw section.unexpected(flags, "the limits of a table");
  const initial = section.u32("the initial size of a table");
  const maximum = flags === HAS_MAXIMUM ? section.u32("the maximum of a table") : undefined;
  return { initial, maximum };
}

function leb128(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  while (rest > 0x7f) {
    bytes.push((rest & 0x7f) | 0x80);
    rest >>>= 7;
  }
  bytes.push(rest);
  return bytes;
}
