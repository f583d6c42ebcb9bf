import type { AddedFunctions, AddedGlobals } from "./added-functions.ts";
import type { ByteWriter } from "./byte-writer.ts";
import type { Edit } from "./charge-plan.ts";
import { op } from "./instructions.ts";

const NO_RESULT = 0x40;

/**
 * Writes functions anew, with their payments. What is inserted takes nothing from the operand stack and
 * leaves nothing on it, and uses no local.
 *
 * The fuel is a global variable, not a local that would have to be carried along: measured, V8 makes
 * faster loops of it, for what a local becomes after a check has to be merged with what it was.
 */
export class FunctionWriter {
  readonly #source: Uint8Array;
  readonly #globals: AddedGlobals;
  readonly #added: AddedFunctions;
  /** Where in the function that was written last branches are hardly ever taken. */
  readonly unlikelyBranches: number[] = [];

  constructor(source: Uint8Array, globals: AddedGlobals, added: AddedFunctions) {
    this.#source = source;
    this.#globals = globals;
    this.#added = added;
  }

  /** Locals and code, without their size, into an empty writer. They are from `start` to `end` in the source. */
  write(edits: readonly Edit[], start: number, end: number, writer: ByteWriter): void {
    this.unlikelyBranches.length = 0;
    let at = start;
    for (const edit of edits) {
      writer.copy(this.#source, at, edit.start);
      at = edit.end;
      switch (edit.kind) {
        case "pay":
          this.#pay(edit.value, writer);
          break;
        case "check":
          this.#pay(edit.value, writer);
          this.#check(writer);
          break;
        case "call":
          writer.byte(op.call);
          writer.u32(edit.value);
          break;
        default:
          edit.kind satisfies never;
      }
    }
    writer.copy(this.#source, at, end);
  }

  #pay(cost: number, writer: ByteWriter): void {
    writer.byte(op.globalGet);
    writer.u32(this.#globals.fuel);
    writer.byte(op.i32Const);
    writer.signed(cost);
    writer.byte(op.i32Sub);
    writer.byte(op.globalSet);
    writer.u32(this.#globals.fuel);
  }

  #check(writer: ByteWriter): void {
    writer.byte(op.globalGet);
    writer.u32(this.#globals.fuel);
    writer.byte(op.i32Const);
    writer.signed(0);
    writer.byte(op.i32LtS);
    this.unlikelyBranches.push(writer.length);
    writer.byte(op.if);
    writer.byte(NO_RESULT);
    writer.byte(op.call);
    writer.u32(this.#added.spent());
    writer.byte(op.end);
  }
}
