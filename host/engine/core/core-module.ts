import { malformed, unsupported } from "../component/reader.ts";
import { ComponentError } from "../engine.ts";
import { CoreReader } from "./core-reader.ts";

// What the rewriter has to know of a core module: where its sections lie, and how many of each index
// space there are. Function bodies are not looked at here.
//
// M1. Sections are in the order of the specification, and each is there once: what is added to one
//     is found by V8 where it is looked for.
// M2. What could not be metered, or not be bounded, is refused by name.

export const sections = {
  custom: 0,
  type: 1,
  import: 2,
  function: 3,
  table: 4,
  memory: 5,
  global: 6,
  export: 7,
  start: 8,
  element: 9,
  code: 10,
  data: 11,
  dataCount: 12,
  tag: 13,
} as const;

export interface Section {
  readonly id: number;
  /** Of its header. */
  readonly start: number;
  /** Behind its header. */
  readonly bodyStart: number;
  readonly end: number;
}

export interface FunctionType {
  readonly params: readonly CoreValueType[];
  readonly results: readonly CoreValueType[];
  /** Neither in a group with others, nor with a place among subtypes: the same as any that is made of the same. */
  readonly isPlain: boolean;
}

/** As in the text format, so that equal types are equal strings. */
export type CoreValueType = string;

/** A reference to a type by its number, which means something in this module only. */
export const NUMBERED_REFERENCE: CoreValueType = "(ref $n)";

export interface MemoryType {
  readonly is64: boolean;
  /** In pages of 64 KiB. */
  readonly initialPages: number;
  readonly maximumPages: number | undefined;
}

export interface CoreModule {
  readonly bytes: Uint8Array;
  readonly sections: readonly Section[];
  /** By the number of a type; undefined for one that is not of functions. */
  readonly types: readonly (FunctionType | undefined)[];
  /** With imported ones. */
  readonly functions: number;
  readonly importedFunctions: number;
  /** The number of the type of each of them. */
  readonly importedFunctionTypes: readonly number[];
  /** Imported ones first. */
  readonly memories: readonly MemoryType[];
  readonly importedMemories: number;
  /** With imported ones. */
  readonly globals: number;
  /** The function that runs when the module is instantiated. */
  readonly start: number | undefined;
}

/** The names that the engine gives to what it adds to a module. */
export const ADDED_NAMES_PREFIX = "downpour:";

const PREAMBLE_BYTES = 8;

export function readCoreModule(bytes: Uint8Array): CoreModule {
  const found = readSections(bytes);
  const bodyOf = (id: number): CoreReader | undefined => {
    const section = found.find((candidate) => candidate.id === id);
    return section && new CoreReader(bytes, section.bodyStart, section.end);
  };
  const types = readTypes(bodyOf(sections.type));
  const imports = readImports(bodyOf(sections.import));
  const memories = readMemories(bodyOf(sections.memory));
  refuseAddedNames(bodyOf(sections.export));
  refuseWideTags(bodyOf(sections.tag), types);
  return {
    bytes,
    sections: found,
    types,
    importedFunctions: imports.functionTypes.length,
    importedFunctionTypes: imports.functionTypes,
    functions: imports.functionTypes.length + (bodyOf(sections.function)?.u32() ?? 0),
    memories: [...imports.memories, ...memories],
    importedMemories: imports.memories.length,
    globals: imports.globals + readGlobals(bodyOf(sections.global)),
    start: bodyOf(sections.start)?.u32(),
  };
}

/**
 * How many sections a module has, and how many functions it says that it defines. Nothing is made for
 * them; where the module is invalid, as far as it can be read.
 */
export function countParts(bytes: Uint8Array): {
  readonly sections: number;
  readonly functions: number;
} {
  let found = 0;
  let functions = 0;
  try {
    const reader = new CoreReader(bytes);
    reader.skip(PREAMBLE_BYTES);
    while (reader.at < reader.end) {
      const id = reader.byte();
      const body = reader.part(reader.u32());
      found += 1;
      if (id === sections.function) functions += body.u32();
    }
  } catch (error) {
    // What is wrong V8 says better, when it validates the module.
    if (!(error instanceof ComponentError && error.kind === "malformed")) throw error;
  }
  return { sections: found, functions };
}

/** Tags stand between memories and globals, the count of data segments between elements and code. */
const ORDER = [
  sections.type,
  sections.import,
  sections.function,
  sections.table,
  sections.memory,
  sections.tag,
  sections.global,
  sections.export,
  sections.start,
  sections.element,
  sections.dataCount,
  sections.code,
  sections.data,
] as const;

/** Where a section stands among the others; custom ones stand anywhere. */
export function rankOf(id: number): number {
  return ORDER.findIndex((known) => known === id);
}

export function readSections(bytes: Uint8Array): Section[] {
  const reader = new CoreReader(bytes);
  reader.skip(PREAMBLE_BYTES);
  const found: Section[] = [];
  let last = -1;
  while (reader.at < reader.end) {
    const start = reader.at;
    const id = reader.byte();
    const byteLength = reader.u32();
    const bodyStart = reader.at;
    reader.skip(byteLength);
    found.push({ id, start, bodyStart, end: reader.at });
    if (id === sections.custom) continue;
    const rank = rankOf(id);
    if (rank === -1) throw malformed(`expected a section, found one of the number ${id}`, start);
    if (rank <= last) throw malformed("expected the sections in their order, each once", start);
    last = rank;
  }
  return found;
}

export function vector<T>(reader: CoreReader | undefined, item: (reader: CoreReader) => T): T[] {
  const items: T[] = [];
  if (reader === undefined) return items;
  for (let count = reader.u32(); count > 0; count -= 1) items.push(item(reader));
  return items;
}

const typeForms = {
  recursiveGroup: 0x4e,
  subtype: 0x50,
  finalSubtype: 0x4f,
  function: 0x60,
  struct: 0x5f,
  array: 0x5e,
} as const;

export function readTypes(reader: CoreReader | undefined): (FunctionType | undefined)[] {
  const types: (FunctionType | undefined)[] = [];
  vector(reader, (group) => {
    if (group.bytes[group.at] !== typeForms.recursiveGroup) {
      types.push(readSubtype(group, true));
      return;
    }
    group.skip(1);
    for (let count = group.u32(); count > 0; count -= 1) types.push(readSubtype(group, false));
  });
  return types;
}

function readSubtype(reader: CoreReader, isAlone: boolean): FunctionType | undefined {
  let form = reader.byte();
  const isSubtype = form === typeForms.subtype || form === typeForms.finalSubtype;
  if (isSubtype) {
    for (let count = reader.u32(); count > 0; count -= 1) reader.u32();
    form = reader.byte();
  }
  switch (form) {
    case typeForms.function: {
      const params = vector(reader, readValueType);
      return { params, results: vector(reader, readValueType), isPlain: isAlone && !isSubtype };
    }
    case typeForms.struct:
      for (let count = reader.u32(); count > 0; count -= 1) skipField(reader);
      return undefined;
    case typeForms.array:
      skipField(reader);
      return undefined;
    default:
      throw malformed(`expected a type, found 0x${form.toString(16)}`, reader.at - 1);
  }
}

const VALUE_TYPES: ReadonlyMap<number, CoreValueType> = new Map([
  [0x7f, "i32"],
  [0x7e, "i64"],
  [0x7d, "f32"],
  [0x7c, "f64"],
  [0x7b, "v128"],
  [0x70, "funcref"],
  [0x6f, "externref"],
]);

const NOT_NULLABLE = 0x64;

function readValueType(reader: CoreReader): CoreValueType {
  const start = reader.at;
  reader.skipType();
  const last = reader.bytes[reader.at - 1] ?? 0;
  const isReference = reader.at - start > 1;
  // As a signed number, those of one byte with this bit are below zero: types without a number.
  const isNumbered = isReference && (reader.at - start > 2 || (last & 0x40) === 0);
  if (isNumbered) return NUMBERED_REFERENCE;
  const name = VALUE_TYPES.get(last) ?? `0x${last.toString(16)}`;
  return isReference && reader.bytes[start] === NOT_NULLABLE ? `(ref ${name})` : name;
}

function skipField(reader: CoreReader): void {
  reader.skipType();
  reader.skip(1);
}

/** Of imports and exports. */
export const itemKinds = { function: 0, table: 1, memory: 2, global: 3, tag: 4 } as const;

interface Imports {
  readonly functionTypes: readonly number[];
  readonly memories: readonly MemoryType[];
  readonly globals: number;
}

function readImports(reader: CoreReader | undefined): Imports {
  const memories: MemoryType[] = [];
  const functionTypes: number[] = [];
  let globals = 0;
  vector(reader, (imports) => {
    imports.skip(imports.u32());
    imports.skip(imports.u32());
    const kind = imports.byte();
    switch (kind) {
      case itemKinds.function:
        functionTypes.push(imports.u32());
        return;
      case itemKinds.table:
        readTableType(imports);
        return;
      case itemKinds.memory:
        memories.push(readMemoryType(imports));
        return;
      case itemKinds.global:
        readGlobalType(imports);
        globals += 1;
        return;
      case itemKinds.tag:
        imports.skip(1);
        imports.u32();
        return;
      default:
        throw malformed(`expected the kind of an import, found ${kind}`, imports.at - 1);
    }
  });
  return { functionTypes, memories, globals };
}

const limitFlags = { hasMaximum: 0x01, isShared: 0x02, is64: 0x04 } as const;

function readMemories(reader: CoreReader | undefined): MemoryType[] {
  return vector(reader, readMemoryType);
}

export function readMemoryType(reader: CoreReader): MemoryType {
  const flags = reader.byte();
  if ((flags & limitFlags.isShared) !== 0) throw unsupported("a shared memory");
  if (flags > 0x07) throw unsupported("a memory with pages of another size");
  const initialPages = u64(reader);
  const maximumPages = (flags & limitFlags.hasMaximum) === 0 ? undefined : u64(reader);
  return { is64: (flags & limitFlags.is64) !== 0, initialPages, maximumPages };
}

export interface TableType {
  readonly element: CoreValueType;
  /** As in the module: without the limits. */
  readonly elementBytes: Uint8Array;
  readonly initial: number;
  readonly maximum: number | undefined;
}

const TABLE_WITH_INITIAL_EXPRESSION = 0x40;
const EXCEPTION_REFERENCES: ReadonlySet<number | undefined> = new Set([0x69, 0x74]);

export function readTableType(reader: CoreReader): TableType {
  const start = reader.at;
  if (reader.bytes[start] === TABLE_WITH_INITIAL_EXPRESSION) {
    throw unsupported("a table with an initial expression");
  }
  const element = readStorableType(reader, "a table of exceptions");
  const elementBytes = reader.bytes.subarray(start, reader.at);
  const flags = reader.byte();
  if ((flags & limitFlags.isShared) !== 0) throw unsupported("a shared table");
  if ((flags & limitFlags.is64) !== 0) throw unsupported("a table with 64-bit indices");
  if (flags > 0x07) throw malformed("expected the limits of a table", reader.at - 1);
  const initial = reader.u32();
  const maximum = (flags & limitFlags.hasMaximum) === 0 ? undefined : reader.u32();
  return { element, elementBytes, initial, maximum };
}

/** An exception lies in V8's heap: those that a guest could keep there without an end are refused. */
function readStorableType(reader: CoreReader, refused: string): CoreValueType {
  const start = reader.at;
  const type = readValueType(reader);
  if (EXCEPTION_REFERENCES.has(reader.bytes[reader.at - 1]) && reader.at - start <= 2) {
    throw unsupported(refused);
  }
  return type;
}

export interface GlobalType {
  readonly value: CoreValueType;
  readonly isMutable: boolean;
}

export function readGlobalType(reader: CoreReader): GlobalType {
  const value = readStorableType(reader, "a global variable with an exception");
  return { value, isMutable: reader.byte() === 1 };
}

function readGlobals(reader: CoreReader | undefined): number {
  return vector(reader, (globals) => {
    readGlobalType(globals);
    globals.skipConstantExpression();
  }).length;
}

function refuseAddedNames(reader: CoreReader | undefined): void {
  const prefix = Buffer.from(ADDED_NAMES_PREFIX);
  vector(reader, (exports) => {
    const byteLength = exports.u32();
    const start = exports.at;
    exports.skip(byteLength);
    const isAdded = prefix.equals(exports.bytes.subarray(start, start + prefix.length));
    if (isAdded && byteLength >= prefix.length) {
      throw unsupported(`an export of a core module whose name begins with ${ADDED_NAMES_PREFIX}`);
    }
    exports.skip(1);
    exports.u32();
  });
}

export const TAG_PARAMS_MAX = 16;

/** Each exception that is thrown carries its values, in V8's heap. */
function refuseWideTags(
  reader: CoreReader | undefined,
  types: readonly (FunctionType | undefined)[],
): void {
  vector(reader, (tags) => {
    tags.skip(1);
    const params = types[tags.u32()]?.params.length ?? 0;
    if (params > TAG_PARAMS_MAX) {
      throw unsupported(`an exception of more than ${TAG_PARAMS_MAX} values`);
    }
  });
}

/** Of ten bytes at most; past 2^53 it is not exact, and too large for whatever it counts. */
function u64(reader: CoreReader): number {
  let value = 0;
  for (let shift = 0; shift < 70; shift += 7) {
    const byte = reader.byte();
    value += (byte & 0x7f) * 2 ** shift;
    if (byte < 0x80) return value;
  }
  throw malformed("expected an integer of at most 64 bits", reader.at);
}
