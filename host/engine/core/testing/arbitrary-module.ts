import fc from "fast-check";
import { name, section, u32 } from "../../testing/binary.ts";
import type { Bytes } from "../../testing/binary.ts";

// Valid core modules at random: functions of (i32) -> i32 with loops, branches, calls, memory and
// exceptions, that may run without an end. They have no imports, so that two instances run alike.

/** What a statement stands in, from the innermost block outwards: a branch to a valued one needs a value. */
type Blocks = readonly ("plain" | "valued")[];

const FUNCTIONS = 4;
const LOCALS = 3;
const STATEMENTS_MAX = 4;
const STATEMENTS_MAX_OF_LONG = 30;
const BLOCKS_MAX = 6;

const DEFINITION_TYPES: readonly Bytes[] = [
  [0x60, 1, 0x7f, 1, 0x7f],
  [0x60, 1, 0x7f, 0],
];
const EMPTY = 0x40;
const I32 = 0x7f;

/** Each choice takes a number; when there are no more, it is the first: that ends everything. */
class Writer {
  readonly #choices: readonly number[];
  readonly #isLong: boolean;
  #next = 0;

  /** V8 takes handlers of one kind in a module. */
  readonly #handler: 14 | 15;

  constructor(choices: readonly number[], isLong: boolean) {
    this.#choices = choices;
    this.#isLong = isLong;
    this.#handler = this.#choose(2) === 0 ? 14 : 15;
  }

  #choose(count: number): number {
    const choice = this.#choices[this.#next] ?? 0;
    this.#next += 1;
    return choice % count;
  }

  body(): Bytes {
    const code = [1, 2, I32, ...this.#statements(["valued"]), ...this.#expression(2), 0x0b];
    return [...u32(code.length), ...code];
  }

  #local(): number {
    return this.#choose(LOCALS);
  }

  #statements(blocks: Blocks): Bytes {
    const max = this.#isLong ? STATEMENTS_MAX_OF_LONG : STATEMENTS_MAX;
    const count = blocks.length > BLOCKS_MAX ? 0 : this.#choose(max + 1);
    return Array.from({ length: count }, () => this.#statement(blocks)).flat();
  }

  #statement(blocks: Blocks): Bytes {
    const inside: Blocks = ["plain", ...blocks];
    const kind = this.#choose(16);
    switch (kind === 14 ? this.#handler : kind === 15 ? undefined : kind) {
      case 0:
        return [...this.#expression(2), 0x21, this.#local()];
      case 1:
        return [...this.#address(), ...this.#expression(2), 0x36, 2, 0];
      case 2:
        return [...this.#expression(1), 0x10, this.#choose(FUNCTIONS), 0x21, this.#local()];
      case 3:
        // Through the table, by whatever number below that of the functions.
        return [
          ...this.#expression(1),
          ...this.#expression(1),
          0x41,
          FUNCTIONS - 1,
          0x71,
          0x11,
          0,
          0,
          0x21,
          this.#local(),
        ];
      case 6:
        // memory.fill
        return [...this.#address(), 0x41, 7, ...this.#address(), 0xfc, 0x0b, 0];
      case 7:
        // memory.copy
        return [...this.#address(), ...this.#address(), 0x41, 48, 0xfc, 0x0a, 0, 0];
      case 8:
        // memory.grow
        return [0x41, 1, 0x40, 0, 0x21, this.#local()];
      case 9:
        // table.fill
        return [0x41, 0, 0xd2, 0, 0x41, this.#choose(FUNCTIONS), 0xfc, 0x11, 0];
      case 11:
        return [0x02, EMPTY, ...this.#statements(inside), 0x0b];
      case 12:
        return [0x03, EMPTY, ...this.#statements(inside), 0x0b];
      case 13:
        return [
          ...this.#expression(1),
          0x04,
          EMPTY,
          ...this.#statements(inside),
          0x05,
          ...this.#statements(inside),
          0x0b,
        ];
      case 14:
        // A handler: block (result i32) try_table (catch 0 0) … end i32.const 1 end
        return [
          0x02,
          I32,
          0x1f,
          EMPTY,
          1,
          0,
          0,
          0,
          ...this.#statements(["plain", "valued", ...blocks]),
          0x0b,
          0x41,
          1,
          0x0b,
          0x21,
          this.#local(),
        ];
      case 15:
        // A handler of the older kind: try … catch 0 … catch_all … end
        return [
          0x06,
          EMPTY,
          ...this.#statements(inside),
          0x07,
          0,
          0x21,
          this.#local(),
          ...this.#statements(inside),
          0x19,
          ...this.#statements(inside),
          0x0b,
        ];
      default:
        // In a long function each way goes on, for some arguments.
        return this.#isLong
          ? [...this.#expression(1), 0x04, EMPTY, ...this.#ending(kind, inside), 0x0b]
          : this.#ending(kind, blocks);
    }
  }

  /** What nothing runs after: a return, a tail call, an exception or a branch. */
  #ending(kind: number, blocks: Blocks): Bytes {
    switch (kind) {
      case 4:
        return [...this.#expression(1), 0x0f];
      case 5:
        return [...this.#expression(1), 0x12, this.#choose(FUNCTIONS)];
      case 10:
        return [...this.#expression(1), 0x08, 0];
      default:
        return this.#branch(blocks);
    }
  }

  #branch(blocks: Blocks): Bytes {
    const label = this.#choose(blocks.length);
    const value = blocks[label] === "valued" ? this.#expression(1) : [];
    if (value.length > 0 || this.#choose(3) === 0) return [...value, 0x0c, label];
    if (this.#choose(2) === 0) return [...this.#expression(1), 0x0d, label];
    const plain = blocks.flatMap((kind, index) => (kind === "plain" ? [index] : []));
    return [...this.#expression(1), 0x0e, ...u32(plain.length), ...plain, label];
  }

  /** Below 512: inside of the memory, with room behind it. */
  #address(): Bytes {
    return [...this.#expression(1), 0x41, 0xff, 0x03, 0x71];
  }

  #expression(depth: number): Bytes {
    const kinds = depth === 0 ? 2 : 5;
    switch (this.#choose(kinds)) {
      case 0:
        return [0x20, this.#local()];
      case 1:
        return [0x41, this.#choose(64)];
      case 2:
        return [...this.#address(), 0x28, 2, 0];
      case 3:
        return [...this.#expression(depth - 1), 0x45];
      default: {
        // Comparisons and arithmetic; a division may trap.
        const operations = [0x46, 0x48, 0x4f, 0x6a, 0x6b, 0x6c, 0x6d, 0x71, 0x73, 0x74];
        const operation = operations[this.#choose(operations.length)] ?? 0x6a;
        return [...this.#expression(depth - 1), ...this.#expression(depth - 1), operation];
      }
    }
  }
}

/** Exports its first function as `run` and its memory as `memory`. */
function moduleOf(choices: readonly number[], isLong: boolean): Uint8Array {
  const writer = new Writer(choices, isLong);
  return Uint8Array.from([
    0x00,
    0x61,
    0x73,
    0x6d,
    0x01,
    0x00,
    0x00,
    0x00,
    ...section(1, ...DEFINITION_TYPES),
    ...section(3, ...Array.from({ length: FUNCTIONS }, () => [0])),
    ...section(4, [0x70, 1, FUNCTIONS, FUNCTIONS]),
    ...section(5, [1, 1, 3]),
    ...section(13, [0, 1]),
    ...section(7, [...name("run"), 0, 0], [...name("memory"), 2, 0]),
    ...section(9, [0, 0x41, 0, 0x0b, FUNCTIONS, ...Array.from({ length: FUNCTIONS }, (_, i) => i)]),
    ...section(10, ...Array.from({ length: FUNCTIONS }, () => writer.body())),
  ]);
}

export const arbitraryModule: fc.Arbitrary<Uint8Array> = fc
  .array(fc.nat(255), { maxLength: 400, size: "max" })
  .map((choices) => moduleOf(choices, false));

/** Those of its functions are long, and more of their instructions run. */
export const arbitraryLongModule: fc.Arbitrary<Uint8Array> = fc
  .array(fc.nat(255), { minLength: 400, maxLength: 2_000, size: "max" })
  .map((choices) => moduleOf(choices, true));
