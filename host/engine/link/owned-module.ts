import { ByteWriter } from "../core/byte-writer.ts";
import { sections } from "../core/core-module.ts";

const MARK = "downpour:owner";

/**
 * The module as its owner's alone. Modules of equal bytes have one machine code in all threads of a
 * process: how long it takes to compile one, or to call it first, would tell who else has it. So the
 * owner is written at the end of the module, in a section that nothing reads. `owner` has no colon.
 */
export function ownModule(module: Uint8Array, owner: string): Uint8Array {
  const mark = new ByteWriter(MARK.length + owner.length + 8);
  mark.name(MARK);
  mark.all(Buffer.from(owner));
  const writer = new ByteWriter(module.byteLength + mark.length + 8);
  writer.all(module);
  writer.byte(sections.custom);
  writer.u32(mark.length);
  writer.all(mark.written);
  return writer.written;
}
