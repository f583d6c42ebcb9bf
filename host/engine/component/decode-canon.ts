import { readFlag, readResultList } from "./decode-types.ts";
import { malformed, unsupported } from "./reader.ts";
import type { BinaryReader } from "./reader.ts";
import type { CanonOptionsSyntax, CanonSyntax, EndKind, StringEncoding } from "./syntax.ts";

// The canonical section: functions lifted, lowered, and built in.

const ENCODINGS: ReadonlyMap<number, StringEncoding> = new Map([
  [0x00, "utf8"],
  [0x01, "utf16"],
  [0x02, "latin1+utf16"],
]);

const PLAIN_BUILTINS: ReadonlyMap<number, CanonSyntax> = new Map([
  [0x05, { kind: "task-cancel" }],
  // No longer in the specification, and still in what toolchains emit.
  [0x08, { kind: "backpressure-set" }],
  [0x0d, { kind: "subtask-drop" }],
  [0x1f, { kind: "waitable-set-new" }],
  [0x22, { kind: "waitable-set-drop" }],
  [0x23, { kind: "waitable-join" }],
  [0x24, { kind: "backpressure-inc" }],
  [0x25, { kind: "backpressure-dec" }],
]);

const REFUSED_BUILTINS: ReadonlyMap<number, string> = new Map([
  [0x07, "resource.drop async"],
  [0x1c, "error-context.new"],
  [0x1d, "error-context.debug-message"],
  [0x1e, "error-context.drop"],
  [0x26, "thread.index"],
  [0x27, "thread.new-indirect"],
  [0x28, "thread.resume-later"],
  [0x29, "thread.suspend"],
  [0x2a, "thread.suspend-then-resume"],
  [0x2b, "thread.yield-then-resume"],
  [0x2c, "thread.suspend-then-promote"],
  [0x2d, "thread.yield-then-promote"],
  [0x40, "thread.spawn-ref"],
  [0x41, "thread.spawn-indirect"],
  [0x42, "thread.available-parallelism"],
]);

/** The built-ins of streams follow each other, and those of futures after them in the same order. */
const END_OPCODES: ReadonlyMap<number, EndKind> = new Map([
  [0x0e, "stream"],
  [0x15, "future"],
]);

/** The part of the opcode that says which built-in it is; undefined for others. */
function endBuiltin(opcode: number): { readonly end: EndKind; readonly which: number } | undefined {
  for (const [first, end] of END_OPCODES) {
    if (opcode >= first && opcode < first + 7) return { end, which: opcode - first };
  }
  return undefined;
}

function readEndBuiltin(reader: BinaryReader, end: EndKind, which: number): CanonSyntax {
  const type = reader.u32(`the index of the type of a ${end}`);
  if (which === 0) return { kind: "end-new", end, type };
  const side = which % 2 === 1 ? "readable" : "writable";
  if (which <= 2) return { kind: "end-copy", end, side, type, options: readOptions(reader) };
  if (which > 4) return { kind: "end-drop", end, side, type };
  return { kind: "end-cancel", end, side, type, async: readFlag(reader, "whether it is async") };
}

export function readCanon(reader: BinaryReader): CanonSyntax {
  const offset = reader.offset;
  const opcode = reader.byte("a canonical function");
  const plain = PLAIN_BUILTINS.get(opcode);
  if (plain !== undefined) return plain;
  const refused = REFUSED_BUILTINS.get(opcode);
  if (refused !== undefined) throw unsupported(`the built-in ${refused}`, offset);
  const builtin = endBuiltin(opcode);
  if (builtin !== undefined) return readEndBuiltin(reader, builtin.end, builtin.which);
  switch (opcode) {
    case 0x00: {
      expectFunc(reader);
      const coreFunc = reader.u32("the index of a core func");
      const options = readOptions(reader);
      return { kind: "lift", coreFunc, options, type: reader.u32("the index of a function type") };
    }
    case 0x01: {
      expectFunc(reader);
      const func = reader.u32("the index of a func");
      return { kind: "lower", func, options: readOptions(reader) };
    }
    case 0x02:
      return { kind: "resource-new", resource: reader.u32("the index of a resource") };
    case 0x03:
      return { kind: "resource-drop", resource: reader.u32("the index of a resource") };
    case 0x04:
      return { kind: "resource-rep", resource: reader.u32("the index of a resource") };
    case 0x06:
      return { kind: "subtask-cancel", async: readFlag(reader, "whether it is async") };
    case 0x09: {
      const result = readResultList(reader);
      return { kind: "task-return", result, options: readOptions(reader) };
    }
    case 0x0a:
    case 0x0b:
      return { kind: opcode === 0x0a ? "context-get" : "context-set", slot: readSlot(reader) };
    case 0x0c:
      return { kind: "thread-yield", cancellable: readFlag(reader, "whether it is cancellable") };
    case 0x20:
    case 0x21: {
      const cancellable = readFlag(reader, "whether it is cancellable");
      const memory = reader.u32("the index of a memory");
      const kind = opcode === 0x20 ? "waitable-set-wait" : "waitable-set-poll";
      return { kind, cancellable, memory };
    }
    default:
      throw reader.unexpected(opcode, "a canonical function");
  }
}

function expectFunc(reader: BinaryReader): void {
  const sort = reader.byte("the sort func");
  if (sort !== 0x00) throw reader.unexpected(sort, "the sort func");
}

/** Tasks have two slots of 32 bits each. */
function readSlot(reader: BinaryReader): 0 | 1 {
  const offset = reader.offset;
  const type = reader.byte("the type of a context slot");
  if (type === 0x7e) throw unsupported("a context slot of type i64", offset);
  if (type !== 0x7f) throw reader.unexpected(type, "the type of a context slot");
  const slot = reader.u32("a context slot");
  if (slot !== 0 && slot !== 1) {
    throw malformed(`expected a context slot, 0 or 1, found ${slot}`, offset);
  }
  return slot;
}

function readOptions(reader: BinaryReader): CanonOptionsSyntax {
  const start = reader.offset;
  let stringEncoding: StringEncoding | null = null;
  let async = false;
  const functions: Record<0x03 | 0x04 | 0x05 | 0x07, number | null> = {
    0x03: null,
    0x04: null,
    0x05: null,
    0x07: null,
  };
  const count = reader.count("the number of canonical options");
  for (let i = 0; i < count; i += 1) {
    const offset = reader.offset;
    const tag = reader.byte("a canonical option");
    const encoding = ENCODINGS.get(tag);
    if (encoding !== undefined) {
      if (stringEncoding !== null)
        throw malformed("the option string-encoding is there twice", offset);
      stringEncoding = encoding;
    } else if (tag === 0x03 || tag === 0x04 || tag === 0x05 || tag === 0x07) {
      if (functions[tag] !== null) throw malformed("a canonical option is there twice", offset);
      functions[tag] = reader.u32("the index of a canonical option");
    } else if (tag === 0x06) {
      if (async) throw malformed("the option async is there twice", offset);
      async = true;
    } else {
      throw reader.unexpected(tag, "a canonical option");
    }
  }
  const options = {
    stringEncoding: stringEncoding ?? "utf8",
    memory: functions[0x03],
    realloc: functions[0x04],
    postReturn: functions[0x05],
    async,
    callback: functions[0x07],
  };
  checkCombination(options, start);
  return options;
}

function checkCombination(options: CanonOptionsSyntax, offset: number): void {
  if (options.realloc !== null && options.memory === null) {
    throw malformed("the option realloc needs the option memory", offset);
  }
  if (options.async && options.postReturn !== null) {
    throw malformed("the option post-return excludes the option async", offset);
  }
  if (options.callback !== null && !options.async) {
    throw malformed("the option callback needs the option async", offset);
  }
}
