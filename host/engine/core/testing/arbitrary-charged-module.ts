import fc from "fast-check";
import { section, u32 } from "../../testing/binary.ts";
import type { Bytes } from "../../testing/binary.ts";
import { op } from "../instructions.ts";

// Valid core modules at random whose functions are long and branch a lot, to look at what they pay: of () -> (), with
// stretches about as long as what a point pays for at most, deep blocks, calls of functions that are short, long and
// recursive, tail calls, and handlers. They are made to be looked at, and not to run.

/** Functions with these numbers are short: most of them are leaves, and some call each other. */
const SHORT = 4;
const FUNCTIONS = 7;
const DEPTH_MAX = 12;
const STATEMENTS_MAX = 6;
/** Of all functions of a module. */
const BLOCKS_MAX = 250;

/** What a point pays for at most, and what a function may cost that pays nothing. */
const LENGTHS = [64, 128, 256, 384];

const FUNCTION_TYPE: Bytes = [0x60, 0, 0];
const EMPTY = 0x40;

class Writer {
  readonly #choices: readonly number[];
  /** V8 takes handlers of one kind in a module. */
  readonly #hasNewHandlers: boolean;
  #next = 0;
  #blocks = 0;

  constructor(choices: readonly number[]) {
    this.#choices = choices;
    this.#hasNewHandlers = this.#choose(2) === 0;
  }

  /** When there are no more numbers, it is the first choice: that ends everything. */
  #choose(count: number): number {
    const choice = this.#choices[this.#next] ?? 0;
    this.#next += 1;
    return choice % count;
  }

  body(index: number): Bytes {
    const statements = index < SHORT ? this.#shortBody(index) : this.#statements(1);
    const code = [0, ...statements, op.end];
    return [...u32(code.length), ...code];
  }

  /** About as long as what a caller pays for. */
  #shortBody(index: number): Bytes {
    const before = this.#run(this.#choose(40));
    const after = this.#run(this.#choose(30));
    switch (this.#choose(4)) {
      case 0:
        return [...before, ...after];
      case 1:
        return [...before, ...CONDITION, op.if, EMPTY, ...after, op.else, op.return, op.end];
      case 2:
        return [op.block, EMPTY, ...before, ...CONDITION, op.brIf, 0, ...after, op.end];
      default:
        // Also itself, or one that calls it.
        return [...before, op.call, this.#choose(index + 2), ...after];
    }
  }

  /** `depth`: how many labels there are. */
  #statements(depth: number): Bytes {
    const count = this.#choose(STATEMENTS_MAX + 1);
    return Array.from({ length: count }, () => this.#statement(depth)).flat();
  }

  #statement(depth: number): Bytes {
    this.#blocks += 1;
    const isFlat = depth > DEPTH_MAX || this.#blocks > BLOCKS_MAX;
    switch (this.#choose(isFlat ? 8 : 14)) {
      case 0:
        return this.#run(this.#choose(12));
      case 1:
        return this.#run((LENGTHS[this.#choose(LENGTHS.length)] ?? 0) - 4 + this.#choose(9));
      case 2:
        return [...CONDITION, op.brIf, this.#choose(depth)];
      case 3:
        return [op.call, this.#choose(FUNCTIONS)];
      case 4:
        return [op.call, this.#choose(SHORT)];
      case 5:
        return [...CONDITION, op.if, EMPTY, ...this.#ending(depth + 1), op.end];
      case 6:
        return this.#ending(depth);
      case 7:
        // memory.fill
        return [...CONDITION, ...CONDITION, ...CONDITION, 0xfc, 0x0b, 0];
      case 8:
        return [op.block, EMPTY, ...this.#statements(depth + 1), op.end];
      case 9:
        return [op.loop, EMPTY, ...this.#statements(depth + 1), op.end];
      case 10:
        return [...CONDITION, op.if, EMPTY, ...this.#statements(depth + 1), op.end];
      case 11:
        return [
          ...CONDITION,
          op.if,
          EMPTY,
          ...this.#statements(depth + 1),
          op.else,
          ...this.#statements(depth + 1),
          op.end,
        ];
      case 12:
        return this.#cases(depth);
      default:
        return this.#handler(depth);
    }
  }

  /** What nothing runs after. */
  #ending(depth: number): Bytes {
    switch (this.#choose(6)) {
      case 0:
        return [op.br, this.#choose(depth)];
      case 1: {
        const labels = Array.from({ length: this.#choose(4) }, () => this.#choose(depth));
        return [...CONDITION, op.brTable, labels.length, ...labels, this.#choose(depth)];
      }
      case 2:
        return [op.return];
      case 3:
        return [op.returnCall, this.#choose(FUNCTIONS)];
      case 4:
        return [op.throw, 0];
      default:
        return [op.unreachable];
    }
  }

  /** A branch to the ends of some blocks, behind each of which something else follows. */
  #cases(depth: number): Bytes {
    const count = 1 + this.#choose(4);
    const arms = Array.from({ length: count }, (_, index) => [
      op.end,
      ...this.#statements(depth + count - 1 - index),
    ]);
    const labels = Array.from({ length: count }, (_, label) => label);
    const begin = Array.from({ length: count }, () => [op.block, EMPTY]).flat();
    return [...begin, ...CONDITION, op.brTable, count, ...labels, count, ...arms.flat()];
  }

  #handler(depth: number): Bytes {
    if (this.#hasNewHandlers) {
      const label = this.#choose(depth);
      const inside = this.#statements(depth + 1);
      // try_table (catch 0 label)
      return [op.tryTable, EMPTY, 1, 0, 0, label, ...inside, op.end];
    }
    return [
      op.try,
      EMPTY,
      ...this.#statements(depth + 1),
      op.catch,
      0,
      ...this.#statements(depth + 1),
      op.catchAll,
      ...this.#statements(depth + 1),
      op.end,
    ];
  }

  #run(length: number): Bytes {
    return Array.from({ length }, () => [...CONDITION, op.drop]).flat();
  }
}

/** Costs one unit. */
const CONDITION: Bytes = [op.memorySize, 0];

function moduleOf(choices: readonly number[]): Uint8Array {
  const writer = new Writer(choices);
  return Uint8Array.from([
    0x00,
    0x61,
    0x73,
    0x6d,
    0x01,
    0x00,
    0x00,
    0x00,
    ...section(1, FUNCTION_TYPE),
    ...section(3, ...Array.from({ length: FUNCTIONS }, () => [0])),
    ...section(5, [0, 1]),
    ...section(13, [0, 0]),
    ...section(10, ...Array.from({ length: FUNCTIONS }, (_, index) => writer.body(index))),
  ]);
}

export const arbitraryChargedModule: fc.Arbitrary<Uint8Array> = fc
  .array(fc.nat(255), { minLength: 100, maxLength: 1_500, size: "max" })
  .map(moduleOf);
