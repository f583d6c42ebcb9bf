import { ByteWriter } from "../core/byte-writer.ts";
import { rankOf, readCoreModule, sections } from "../core/core-module.ts";
import type { CoreModule, Section } from "../core/core-module.ts";
import { CoreReader } from "../core/core-reader.ts";
import { op, prefixes } from "../core/instructions.ts";
import { ComponentError } from "../engine.ts";

/**
 * Makes all that changes in an instance of a core module reachable from outside, so that it can be put
 * aside: its memories and its mutable globals become exports where they are none yet.
 *
 * S1. An instance of an exposed module holds no other state. A module that could have some (elements of
 *     a table that its code sets, segments that it drops, references in globals) stays as it is.
 * S2. Only the export section is written anew; the other bytes stay. The same module always gives the
 *     same bytes, so what is shared by its hash stays shared.
 * S3. Nothing is refused: what is not understood here stays as it is, and others judge it.
 */
export function exposeState(module: Uint8Array): ExposedModule {
  try {
    return expose(module) ?? { bytes: module, globals: undefined };
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

const exportKinds = { memory: 2, global: 3 } as const;

interface Exported {
  readonly name: string;
  readonly kind: number;
  readonly index: number;
}

function expose(bytes: Uint8Array): ExposedModule | undefined {
  const module = readCoreModule(bytes);
  const mutableGlobals = findMutableGlobals(module);
  const memories = module.memories.slice(module.importedMemories);
  // The engine grows memories with numbers.
  if (mutableGlobals === undefined || memories.some(({ is64 }) => is64)) return undefined;
  if (!changesOnlyMemoriesAndGlobals(module)) return undefined;

  const exports = readExports(module);
  const added: Exported[] = [];
  const exportAs = (kind: number, index: number, name: string): string => {
    const known = exports.find((item) => item.kind === kind && item.index === index);
    if (known !== undefined) return known.name;
    added.push({ kind, index, name });
    return name;
  };
  for (let index = module.importedMemories; index < module.memories.length; index += 1) {
    exportAs(exportKinds.memory, index, `downpour.memory.${index}`);
  }
  const globals = mutableGlobals.map((index) =>
    exportAs(exportKinds.global, index, `downpour.global.${index}`),
  );
  if (added.length === 0) return { bytes, globals };
  const names = new Set(exports.map(({ name }) => name));
  if (added.some(({ name }) => names.has(name))) return undefined;
  return { bytes: withExports(module, exports.length, added), globals };
}

function sectionOf(module: CoreModule, id: number): Section | undefined {
  return module.sections.find((section) => section.id === id);
}

/** Of a section that is not there: one that is empty. */
function readerOf(module: CoreModule, id: number): CoreReader {
  const section = sectionOf(module, id);
  if (section === undefined) return new CoreReader(NO_ITEMS);
  return new CoreReader(module.bytes, section.bodyStart, section.end);
}

const NO_ITEMS = Uint8Array.of(0);

/** i32, i64, f32 and f64: JavaScript can read and write globals of these. */
const NUMBER_TYPES: readonly (number | undefined)[] = [0x7f, 0x7e, 0x7d, 0x7c];
const MUTABLE = 1;

/** Those that it defines. Undefined where one of them holds no number. */
function findMutableGlobals(module: CoreModule): number[] | undefined {
  const reader = readerOf(module, sections.global);
  const found: number[] = [];
  const count = reader.u32();
  for (let index = module.globals - count; index < module.globals; index += 1) {
    const type = reader.bytes[reader.at];
    reader.skipType();
    const isMutable = reader.byte() === MUTABLE;
    if (isMutable && !NUMBER_TYPES.includes(type)) return undefined;
    if (isMutable) found.push(index);
    reader.skipConstantExpression();
  }
  return found;
}

/** Whether no function changes anything but memories, globals, and its own locals. */
function changesOnlyMemoriesAndGlobals(module: CoreModule): boolean {
  const reader = readerOf(module, sections.code);
  for (let count = reader.u32(); count > 0; count -= 1) {
    const body = reader.part(reader.u32());
    for (let locals = body.u32(); locals > 0; locals -= 1) {
      body.u32();
      body.skipType();
    }
    while (body.at < body.end) {
      const opcode = body.next();
      if (OTHER_CHANGES.has(opcode) || isOfGarbageCollector(opcode)) return false;
    }
  }
  return true;
}

const OTHER_CHANGES: ReadonlySet<number> = new Set([
  op.tableSet,
  op.dataDrop,
  op.elementDrop,
  op.tableInit,
  op.tableCopy,
  op.tableGrow,
  op.tableFill,
]);

function isOfGarbageCollector(opcode: number): boolean {
  return Math.floor(opcode / 0x1000) === prefixes.gc;
}

const utf8 = new TextDecoder("utf-8", { ignoreBOM: true });

function readExports(module: CoreModule): Exported[] {
  const reader = readerOf(module, sections.export);
  const exports: Exported[] = [];
  for (let count = reader.u32(); count > 0; count -= 1) {
    const name = reader.part(reader.u32());
    const text = utf8.decode(reader.bytes.subarray(name.at, name.end));
    exports.push({ name: text, kind: reader.byte(), index: reader.u32() });
  }
  return exports;
}

function withExports(module: CoreModule, count: number, added: readonly Exported[]): Uint8Array {
  const before = readerOf(module, sections.export);
  before.u32();
  const body = new ByteWriter(before.end - before.at);
  body.u32(count + added.length);
  body.all(before.bytes.subarray(before.at, before.end));
  for (const { name, kind, index } of added) {
    body.name(name);
    body.byte(kind);
    body.u32(index);
  }
  const header = new ByteWriter(0);
  header.byte(sections.export);
  header.u32(body.length);
  const { start, end } = placeOfExports(module);
  const { bytes } = module;
  return Buffer.concat([
    bytes.subarray(0, start),
    header.written,
    body.written,
    bytes.subarray(end),
  ]);
}

/** Where the export section is, or belongs. */
function placeOfExports(module: CoreModule): { readonly start: number; readonly end: number } {
  const own = sectionOf(module, sections.export);
  if (own !== undefined) return own;
  const rank = rankOf(sections.export);
  const { length } = module.bytes;
  const start = module.sections.find(({ id }) => rankOf(id) > rank)?.start ?? length;
  return { start, end: start };
}
