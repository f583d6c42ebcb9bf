import { hash } from "node:crypto";
import { ByteWriter } from "../core/byte-writer.ts";
import { sections } from "../core/core-module.ts";

const MARK = "downpour:owner";

/**
 * The module as its owner's alone. Modules of equal bytes have one machine code in all threads of a
 * process: how long it takes to compile one, or to call it first, would tell who else has it. So whose it
 * is stands at the end of the module, in a section that nothing reads; of one length for all owners,
 * because sizes are told to people.
 */
export function ownModule(module: Uint8Array, owner: string): Uint8Array {
  const mark = new ByteWriter(MARK_BYTES);
  mark.name(MARK);
  mark.all(hash("sha256", owner, "buffer"));
  const writer = new ByteWriter(module.byteLength + MARK_BYTES);
  writer.all(module);
  writer.byte(sections.custom);
  writer.u32(mark.length);
  writer.all(mark.written);
  return writer.written;
}

/** Whether it is one owner's alone. */
export function isOwned(code: WebAssembly.Module): boolean {
  return WebAssembly.Module.customSections(code, MARK).length > 0;
}

/** With its header, and some to spare. */
const MARK_BYTES = 64;
