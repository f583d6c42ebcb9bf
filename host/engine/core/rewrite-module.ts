import { escapeText } from "../component/names.ts";
import { malformed } from "../component/reader.ts";
import type { CoreResources } from "../component/budget.ts";
import { ComponentError } from "../engine.ts";
import { AddedFunctions } from "./added-functions.ts";
import type { AddedGlobals } from "./added-functions.ts";
import { types as valueTypes } from "./assembly.ts";
import { boundTables } from "./bounded-tables.ts";
import type { BoundedTables } from "./bounded-tables.ts";
import { ByteWriter } from "./byte-writer.ts";
import { ChargePlan } from "./charge-plan.ts";
import type { FunctionBody } from "./charge-plan.ts";
import { ADDED_NAMES_PREFIX, rankOf, readCoreModule, sections } from "./core-module.ts";
import type { CoreModule, Section } from "./core-module.ts";
import { CoreReader } from "./core-reader.ts";
import { op } from "./instructions.ts";
import { FunctionWriter } from "./write-function.ts";

// Rewrites a core module so that whoever instantiates it can stop it: its functions pay for what they
// do, it asks before its memories grow, and its tables are bounded.
//
// R1. No index changes: types, functions, global variables and exports are added behind the others.
// R2. It computes what it computed: what is added cannot be seen from inside, but as a `memory.grow` or
//     `table.grow` that fails sooner.
// R3. All of its code pays, also that of its start function: it becomes an export, which the
//     engine calls when the instance has its fuel.
// R4. V8 validates a module before it is rewritten: so nothing in it refers to what will be added, and
//     all else is read as V8 reads it. What it takes is rewritten or refused with `ComponentError`, in time
//     and memory linear in its size.

/** The names of what is added: no export of a guest's own has such a name. */
export const addedExports = {
  fuel: `${ADDED_NAMES_PREFIX}fuel`,
  hook: `${ADDED_NAMES_PREFIX}hook`,
  meter: `${ADDED_NAMES_PREFIX}meter`,
  start: `${ADDED_NAMES_PREFIX}start`,
} as const;

export interface RewrittenModule {
  /** The module itself where there was nothing to change. */
  readonly bytes: Uint8Array;
  /** What each instance of it makes. */
  readonly makes: CoreResources;
}

export function rewriteModule(
  bytes: Uint8Array,
  limits: { readonly grownTableElementsMax: number },
): RewrittenModule {
  requireValid(bytes);
  try {
    return new Rewrite(readCoreModule(bytes), limits.grownTableElementsMax).run();
  } catch (error) {
    // Its offset is one in the module, which means nothing to who knows only the upload.
    if (!(error instanceof ComponentError && error.kind === "malformed")) throw error;
    throw malformed(`a core module is invalid: ${error.message} of the module`);
  }
}

const MESSAGE_CHARACTERS_MAX = 300;

function requireValid(bytes: Uint8Array): void {
  if (WebAssembly.validate(bytes)) return;
  let problem = "it is not valid";
  try {
    // Only this says why.
    void new WebAssembly.Module(bytes);
  } catch (error) {
    if (!(error instanceof WebAssembly.CompileError)) throw error;
    problem = error.message;
  }
  throw malformed(`a core module is invalid: ${escapeText(problem, MESSAGE_CHARACTERS_MAX)}`);
}

const NO_TABLES: BoundedTables = { tables: 0, tableElements: 0 };

class Rewrite {
  readonly #module: CoreModule;
  readonly #grownTableElementsMax: number;
  readonly #globals: AddedGlobals;
  readonly #added: AddedFunctions;
  readonly #written = new Map<number, Uint8Array>();
  #branchHints: Uint8Array | undefined;

  constructor(module: CoreModule, grownTableElementsMax: number) {
    this.#module = module;
    this.#grownTableElementsMax = grownTableElementsMax;
    const { globals } = module;
    this.#globals = { fuel: globals, hook: globals + 1, meter: globals + 2 };
    this.#added = new AddedFunctions(module, this.#globals);
  }

  run(): RewrittenModule {
    const { bytes, memories, importedMemories, start } = this.#module;
    const { tables, tableElements } = this.#boundTables();
    const pays = this.#writeCode();
    if (pays) this.#addDefinitions();
    if (pays || start !== undefined) this.#addExports(pays);
    const own = memories.slice(importedMemories);
    return {
      bytes: this.#written.size === 0 ? bytes : this.#join(),
      makes: {
        tables,
        tableElements,
        memories: own.length,
        memoryPages: own.reduce((sum, { initialPages }) => sum + initialPages, 0),
      },
    };
  }

  #boundTables(): BoundedTables {
    const section = this.#section(sections.table);
    if (section === undefined) return NO_TABLES;
    const writer = new ByteWriter(section.end - section.bodyStart + 16);
    const bounded = boundTables(this.#read(section), this.#grownTableElementsMax, writer);
    const before = this.#module.bytes.subarray(section.bodyStart, section.end);
    if (Buffer.compare(before, writer.written) !== 0) {
      this.#written.set(sections.table, writer.written);
    }
    return bounded;
  }

  /** False where no function pays, and nothing has to be added. */
  #writeCode(): boolean {
    const { bytes, importedFunctions } = this.#module;
    const section = this.#section(sections.code);
    if (section === undefined) return false;
    const bodies = this.#bodies(section);
    const plan = new ChargePlan(bodies, importedFunctions, this.#added);
    const byteLength = section.end - section.bodyStart;
    const writer = new ByteWriter(byteLength + (byteLength >>> 2));
    const rewritten = new ByteWriter(4_096);
    const functionWriter = new FunctionWriter(bytes, this.#globals, this.#added);
    const hints = new ByteWriter(4_096);
    let hinted = 0;
    for (const [index, body] of bodies.entries()) {
      const edits = plan.editsOf(body);
      if (edits.length === 0) {
        writer.u32(body.end - body.start);
        writer.copy(bytes, body.start, body.end);
        continue;
      }
      rewritten.clear();
      functionWriter.write(edits, body.start, body.end, rewritten);
      writer.u32(rewritten.length);
      writer.all(rewritten.written);
      hinted += 1;
      writeHints(importedFunctions + index, functionWriter.unlikelyBranches, hints);
    }
    if (hinted === 0) return false;
    this.#branchHints = withCount(hinted, hints.written);
    const added = this.#added.functions;
    for (const { body: code } of added) {
      writer.u32(code.length);
      writer.all(code);
    }
    this.#replace(sections.code, bodies.length + added.length, writer.written);
    return true;
  }

  #bodies(section: Section): readonly FunctionBody[] {
    const reader = this.#read(section);
    const bodies = Array.from({ length: reader.u32() }, () => {
      const { bytes, at, end } = reader.part(reader.u32());
      return { bytes, start: at, end };
    });
    reader.expectEnd("the functions");
    return bodies;
  }

  #addDefinitions(): void {
    const { functions, types } = this.#added;
    this.#append(sections.type, types.length, (writer) => {
      for (const type of types) writer.all(type);
    });
    this.#append(sections.function, functions.length, (writer) => {
      for (const { type } of functions) writer.u32(type);
    });
    this.#append(sections.global, 3, (writer) => {
      writer.all([valueTypes.i32, MUTABLE, op.i32Const, 0, op.end]);
      writer.byte(NULLABLE_REFERENCE);
      writer.signed(this.#added.hookType);
      writer.all([MUTABLE, op.refNull]);
      writer.signed(this.#added.hookType);
      writer.byte(op.end);
      const { externReference } = valueTypes;
      writer.all([externReference, MUTABLE, op.refNull, externReference, op.end]);
    });
  }

  #addExports(pays: boolean): void {
    const { start } = this.#module;
    const count = (pays ? 3 : 0) + (start === undefined ? 0 : 1);
    this.#append(sections.export, count, (writer) => {
      const add = (name: string, kind: number, index: number): void => {
        writer.name(name);
        writer.byte(kind);
        writer.u32(index);
      };
      if (pays) {
        const { fuel, hook, meter } = this.#globals;
        add(addedExports.fuel, GLOBAL_KIND, fuel);
        add(addedExports.hook, GLOBAL_KIND, hook);
        add(addedExports.meter, GLOBAL_KIND, meter);
      }
      if (start !== undefined) add(addedExports.start, FUNCTION_KIND, start);
    });
  }

  /** Adds items behind those that a section of many has. */
  #append(id: number, count: number, write: (writer: ByteWriter) => void): void {
    const section = this.#section(id);
    const items = new ByteWriter(256);
    let before = 0;
    if (section !== undefined) {
      const reader = this.#read(section);
      before = reader.u32();
      items.copy(this.#module.bytes, reader.at, section.end);
    }
    write(items);
    this.#replace(id, before + count, items.written);
  }

  #replace(id: number, count: number, items: Uint8Array): void {
    this.#written.set(id, withCount(count, items));
  }

  #section(id: number): Section | undefined {
    return this.#module.sections.find((section) => section.id === id);
  }

  #read({ bodyStart, end }: Section): CoreReader {
    return new CoreReader(this.#module.bytes, bodyStart, end);
  }

  #join(): Uint8Array {
    const { bytes } = this.#module;
    const writer = new ByteWriter(bytes.length + (bytes.length >>> 2));
    writer.copy(bytes, 0, PREAMBLE_BYTES);
    const pending = [...this.#written.keys()].toSorted((a, b) => rankOf(a) - rankOf(b));
    const flush = (before: number): void => {
      while (pending[0] !== undefined && rankOf(pending[0]) < before) {
        this.#writeSection(pending.shift() ?? 0, writer);
      }
    };
    for (const section of this.#module.sections) {
      if (section.id === sections.custom) {
        if (!this.#isBranchHints(section)) writer.copy(bytes, section.start, section.end);
        continue;
      }
      flush(rankOf(section.id));
      if (section.id === sections.code) this.#writeBranchHints(writer);
      // Its function is called by the engine (R3).
      if (section.id === sections.start) continue;
      if (pending[0] === section.id) this.#writeSection(pending.shift() ?? 0, writer);
      else writer.copy(bytes, section.start, section.end);
    }
    flush(Infinity);
    return writer.written;
  }

  /** Those that the module has name places in functions that are written anew. */
  #isBranchHints(section: Section): boolean {
    const reader = this.#read(section);
    const start = reader.at + 1;
    const name = this.#module.bytes.subarray(start, start + BRANCH_HINTS.length);
    return Buffer.from(name).toString("latin1") === BRANCH_HINTS;
  }

  #writeBranchHints(writer: ByteWriter): void {
    if (this.#branchHints === undefined) return;
    const body = new ByteWriter(this.#branchHints.length + BRANCH_HINTS.length + 1);
    body.name(BRANCH_HINTS);
    body.all(this.#branchHints);
    writer.byte(sections.custom);
    writer.u32(body.length);
    writer.all(body.written);
  }

  #writeSection(id: number, writer: ByteWriter): void {
    const body = this.#written.get(id) ?? new Uint8Array();
    writer.byte(id);
    writer.u32(body.length);
    writer.all(body);
  }
}

function withCount(count: number, items: Uint8Array): Uint8Array {
  const writer = new ByteWriter(items.length + 5);
  writer.u32(count);
  writer.all(items);
  return writer.written;
}

/** That fuel is spent is unlikely: V8 then keeps what happens then out of the way. */
function writeHints(functionIndex: number, branches: readonly number[], writer: ByteWriter): void {
  writer.u32(functionIndex);
  writer.u32(branches.length);
  for (const offset of branches) {
    writer.u32(offset);
    writer.u32(1);
    writer.byte(UNLIKELY);
  }
}

const BRANCH_HINTS = "metadata.code.branch_hint";
const UNLIKELY = 0;
const PREAMBLE_BYTES = 8;
const MUTABLE = 0x01;
const NULLABLE_REFERENCE = 0x63;
const FUNCTION_KIND = 0x00;
const GLOBAL_KIND = 0x03;
