import { name, section, u32, wholeSection } from "../../testing/binary.ts";
import type { Bytes } from "../../testing/binary.ts";
import { readCoreModule, sections } from "../core-module.ts";
import { CoreReader } from "../core-reader.ts";
import { op } from "../instructions.ts";

const I32 = 0x7f;
const MUTABLE = 0x01;
const GLOBAL_KIND = 0x03;

/** They are written down, and nothing runs that would take time. */
export const STRUCTURE: ReadonlySet<number> = new Set([
  op.nop,
  op.drop,
  op.block,
  op.loop,
  op.else,
  op.try,
  op.catch,
  op.catchAll,
  op.tryTable,
  op.end,
  op.delegate,
  op.return,
  op.unreachable,
]);

/**
 * The same module with a global variable `count` of how many of its instructions have run, one by one: what
 * metering may not fall below. For modules without imports and global variables.
 */
export function countInstructions(bytes: Uint8Array): Uint8Array {
  const written: Bytes[] = [[...bytes.subarray(0, 8)]];
  for (const { id, start, bodyStart, end } of readCoreModule(bytes).sections) {
    if (id === sections.export) {
      const reader = new CoreReader(bytes, bodyStart, end);
      const exports = reader.u32();
      written.push(section(sections.global, [I32, MUTABLE, op.i32Const, 0, op.end]));
      const added = [...name("count"), GLOBAL_KIND, 0];
      written.push(
        wholeSection(id, [...u32(exports + 1), ...bytes.subarray(reader.at, end), ...added]),
      );
    } else if (id === sections.code) {
      written.push(section(id, ...countedBodies(new CoreReader(bytes, bodyStart, end))));
    } else {
      written.push([...bytes.subarray(start, end)]);
    }
  }
  return Uint8Array.from(written.flat());
}

function countedBodies(code: CoreReader): Bytes[] {
  return Array.from({ length: code.u32() }, () => {
    const body = code.part(code.u32());
    const counted: number[] = [];
    const locals = body.at;
    for (let groups = body.u32(); groups > 0; groups -= 1) {
      body.u32();
      body.skipType();
    }
    counted.push(...body.bytes.subarray(locals, body.at));
    while (body.at < body.end) {
      const start = body.at;
      const isCounted = !STRUCTURE.has(body.next());
      if (isCounted) counted.push(op.globalGet, 0, op.i32Const, 1, op.i32Add, op.globalSet, 0);
      counted.push(...body.bytes.subarray(start, body.at));
    }
    return [...u32(counted.length), ...counted];
  });
}
