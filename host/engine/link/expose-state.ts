import { BinaryReader } from "../component/reader.ts";
import { ComponentError } from "../engine.ts";
import { skipInstruction } from "./skip-instruction.ts";

/**
 * Makes all that changes in an instance of a core module reachable from outside, so that it can be put
 * aside: its memories and its mutable globals become exports where they are none yet.
 *
 * S1. An instance of an exposed module holds no other state. A module that could have some (elements of
 *     a table that its code sets, segments that it drops, references in globals) stays as it is.
 * S2. Only the export section is written anew; the other bytes stay. The same module always gives the
 *     same bytes, so what is shared by its hash stays shared.
 * S3. Nothing is refused: what is not understood here stays as it is, and V8 judges it.
 */
export function exposeState(module: Uint8Array): ExposedModule {
  try {
    return expose(module, readState(module)) ?? { bytes: module, globals: undefined };
  } catch (error) {
    if (error instanceof ComponentError) return { bytes: module, globals: undefined };
    throw error;
  }
}

export interface ExposedModule {
  readonly bytes: Uint8Array;
  /** Under what names it exports its mutable globals; undefined where it may hold other state. */
  readonly globals: readonly string[] | undefined;
}

const PREAMBLE_BYTES = 8;
const IMPORT_SECTION = 2;
const MEMORY_SECTION = 5;
const GLOBAL_SECTION = 6;
const EXPORT_SECTION = 7;
const CODE_SECTION = 10;
/** Start, elements, code, data and their count: what comes behind the exports. */
const LATER_SECTIONS: readonly number[] = [8, 9, 10, 11, 12];

const MEMORY = 2;
const GLOBAL = 3;

interface Exported {
  readonly name: string;
  readonly kind: number;
  readonly index: number;
}

/** What a module defines; the indices count imported ones, too. */
interface ModuleState {
  readonly memories: readonly number[];
  readonly mutableGlobals: readonly number[];
  readonly exports: readonly Exported[];
  /** Where the export section is, or belongs. */
  readonly exportSection: { readonly start: number; readonly end: number };
  /** The exports as they are written there, without their number. */
  readonly exportBytes: Uint8Array;
}

/** Undefined where an instance may hold other state than memories and numbers in globals. */
function readState(module: Uint8Array): ModuleState | undefined {
  const range = { start: 0, end: module.byteLength };
  const reader = new BinaryReader(module, range, module.byteLength);
  reader.slice(PREAMBLE_BYTES, "the preamble of a core module");
  let imported = { memories: 0, globals: 0 };
  let memories = 0;
  let mutableGlobals: readonly number[] = [];
  let exports: readonly Exported[] = [];
  let exportBytes = new Uint8Array();
  let exportSection: ModuleState["exportSection"] | undefined;
  while (reader.remainingBytes > 0) {
    const start = reader.offset;
    const id = reader.byte("a section");
    const byteLength = reader.u32("the size of a section");
    const section = reader.section(byteLength, "a section of its announced size");
    if (LATER_SECTIONS.includes(id)) exportSection ??= { start, end: start };
    if (id === IMPORT_SECTION) imported = readImports(section);
    else if (id === MEMORY_SECTION)
      memories = section.vector("memories", () => readLimits(section)).length;
    else if (id === GLOBAL_SECTION) {
      const found = findMutableGlobals(section, module, imported.globals);
      if (found === undefined) return undefined;
      mutableGlobals = found;
    } else if (id === EXPORT_SECTION) {
      const count = section.count("the number of exports");
      const from = section.offset;
      exports = Array.from({ length: count }, () => readExport(section));
      exportBytes = module.slice(from, reader.offset);
      exportSection = { start, end: reader.offset };
    } else if (id === CODE_SECTION && !isAllInMemoriesAndGlobals(section, module)) {
      return undefined;
    }
  }
  return {
    memories: Array.from({ length: memories }, (_, index) => imported.memories + index),
    mutableGlobals,
    exports,
    exportBytes,
    exportSection: exportSection ?? { start: module.byteLength, end: module.byteLength },
  };
}

function expose(module: Uint8Array, state: ModuleState | undefined): ExposedModule | undefined {
  if (state === undefined) return undefined;
  const added: Exported[] = [];
  const exportAs = (kind: number, index: number, name: string): string => {
    const known = state.exports.find((item) => item.kind === kind && item.index === index);
    if (known !== undefined) return known.name;
    added.push({ kind, index, name });
    return name;
  };
  for (const index of state.memories) exportAs(MEMORY, index, `downpour.memory.${index}`);
  const globals = state.mutableGlobals.map((index) =>
    exportAs(GLOBAL, index, `downpour.global.${index}`),
  );
  if (added.length === 0) return { bytes: module, globals };
  const names = new Set(state.exports.map(({ name }) => name));
  if (added.some(({ name }) => names.has(name))) return undefined;
  const { start, end } = state.exportSection;
  const body = Buffer.concat([
    leb128(state.exports.length + added.length),
    state.exportBytes,
    ...added.map(writeExport),
  ]);
  const bytes = Buffer.concat([
    module.subarray(0, start),
    Uint8Array.of(EXPORT_SECTION),
    leb128(body.length),
    body,
    module.subarray(end),
  ]);
  return { bytes, globals };
}

function readImports(section: BinaryReader): {
  readonly memories: number;
  readonly globals: number;
} {
  const counts = { memories: 0, globals: 0 };
  const kinds = section.vector("imports", () => readImport(section));
  for (const kind of kinds) {
    if (kind === MEMORY) counts.memories += 1;
    if (kind === GLOBAL) counts.globals += 1;
  }
  return counts;
}

function readImport(section: BinaryReader): number {
  section.slice(section.count("the length of a name"), "a name");
  section.slice(section.count("the length of a name"), "a name");
  const kind = section.byte("the kind of an import");
  switch (kind) {
    case 0: // A function.
      section.u32("the type of a function");
      return kind;
    case 1: // A table.
      readValueType(section);
      readLimits(section);
      return kind;
    case MEMORY:
      readLimits(section);
      return kind;
    case GLOBAL:
      readValueType(section);
      section.byte("whether a global is mutable");
      return kind;
    case 4: // A tag.
      section.byte("the attribute of a tag");
      section.u32("the type of a tag");
      return kind;
    default:
      throw section.unexpected(kind, "the kind of an import");
  }
}

const HAS_MAXIMUM = 0x01;

/** Other flags (a memory for threads, indices of 64 bits, pages of another size) are not understood here. */
function readLimits(section: BinaryReader): void {
  const flags = section.byte("limits");
  if (flags > HAS_MAXIMUM) throw section.unexpected(flags, "limits");
  section.u32("a minimum");
  if ((flags & HAS_MAXIMUM) !== 0) section.u32("a maximum");
}

const NULLABLE_REFERENCE = 0x63;
const REFERENCE = 0x64;

function readValueType(section: BinaryReader): number {
  const type = section.byte("a value type");
  if (type === NULLABLE_REFERENCE || type === REFERENCE) section.signedIndex("a heap type");
  return type;
}

/** i32, i64, f32 and f64: JavaScript can read and write globals of these. */
const NUMBER_TYPES: readonly number[] = [0x7f, 0x7e, 0x7d, 0x7c];
const END = 0x0b;

function findMutableGlobals(
  section: BinaryReader,
  module: Uint8Array,
  imported: number,
): number[] | undefined {
  const found: number[] = [];
  const count = section.count("the number of globals");
  for (let index = imported; index < imported + count; index += 1) {
    const type = readValueType(section);
    const isMutable = section.byte("whether a global is mutable") === 1;
    if (isMutable && !NUMBER_TYPES.includes(type)) return undefined;
    if (isMutable) found.push(index);
    const next = endOfExpression(module, section.offset);
    if (next === undefined) return undefined;
    section.slice(next - section.offset, "the initial value of a global");
  }
  return found;
}

/** Initial values have no blocks: the first end is theirs. */
function endOfExpression(module: Uint8Array, offset: number): number | undefined {
  let at: number | undefined = offset;
  while (at !== undefined && at < module.length) {
    const isEnd = module[at] === END;
    at = skipInstruction(module, at);
    if (isEnd) return at;
  }
  return undefined;
}

function readExport(section: BinaryReader): Exported {
  const name = section.name("the name of an export");
  const kind = section.byte("the kind of an export");
  return { name, kind, index: section.u32("the index of an export") };
}

/** Whether no function changes anything but memories, globals, and its own locals. */
function isAllInMemoriesAndGlobals(section: BinaryReader, module: Uint8Array): boolean {
  const count = section.count("the number of functions");
  for (let i = 0; i < count; i += 1) {
    const byteLength = section.count("the size of a function");
    const start = section.offset;
    section.slice(byteLength, "a function");
    const end = section.offset;
    let at: number | undefined = skipLocals(module.subarray(start, end)) + start;
    while (at !== undefined && at < end) at = skipInstruction(module, at);
    if (at !== end) return false;
  }
  return true;
}

function skipLocals(body: Uint8Array): number {
  const reader = new BinaryReader(body, { start: 0, end: body.byteLength }, 0);
  const count = reader.count("the number of locals");
  for (let i = 0; i < count; i += 1) {
    reader.u32("how many locals");
    readValueType(reader);
  }
  return reader.offset;
}

function writeExport({ name, kind, index }: Exported): Uint8Array {
  const text = Buffer.from(name);
  return Buffer.concat([leb128(text.length), text, Uint8Array.of(kind), leb128(index)]);
}

function leb128(value: number): Uint8Array {
  const bytes: number[] = [];
  let rest = value;
  while (rest > 0x7f) {
    bytes.push((rest & 0x7f) | 0x80);
    rest >>>= 7;
  }
  bytes.push(rest);
  return Uint8Array.from(bytes);
}
