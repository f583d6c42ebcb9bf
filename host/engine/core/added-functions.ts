import {
  addressing,
  const32,
  const64,
  get,
  prefixed,
  set,
  types,
  u32,
  when,
  whileTrue,
} from "./assembly.ts";
import type { Addressing, Code } from "./assembly.ts";
import type { CoreModule } from "./core-module.ts";
import { op } from "./instructions.ts";

// The functions that are added behind those of a module, so that no function changes its number: what
// a check does when fuel is spent, and long instructions in pieces. Each is added when it is first
// asked for.

/** The global variables that are added behind those of a module. */
export interface AddedGlobals {
  /** What is left, an i32; below zero it is spent. */
  readonly fuel: number;
  /** The engine's function that gives more, and is asked for memory. */
  readonly hook: number;
  /** Whose fuel it is: the hook's first argument. */
  readonly meter: number;
}

/**
 * Memory that is touched for the first time comes from the operating system, at about a nanosecond for each byte: what
 * is paid for between two checks takes no more than a slice. The same bytes again cost a tenth of that.
 */
const BYTES_PER_UNIT_LOG2 = 1;
/** So many units at most that one instruction costs: what would cost more, traps. */
const UNITS_MAX = 0x3fff_ffff;
/** A call of the engine, and the operating system's tables. */
const GROW_COST = 2_000;
/** So many bytes are filled or copied between two checks. */
const PIECE_BYTES = 256 * 1024;
const PAGES_ASKED_MAX = 0x7fff_ffff;
const PAGE_BYTES_LOG2 = 16;
const FUNCTION = 0x60;

/**
 * V8 does not inline functions of so many bytes. In a check these calls are nearly never made: what stands
 * there in their place would only make loops too long to be unrolled.
 */
const NOT_INLINED: Code = Array.from({ length: 512 }, () => op.nop);

interface Signature {
  readonly params: Code;
  readonly results: Code;
  readonly locals?: Code;
}

interface AddedFunction {
  readonly type: number;
  /** Locals and code. */
  body: Code;
}

export class AddedFunctions {
  readonly #module: CoreModule;
  readonly #globals: AddedGlobals;
  readonly #functions: AddedFunction[] = [];
  readonly #functionIndices = new Map<string, number>();
  readonly #types: Code[] = [];
  readonly #typeIndices = new Map<string, number>();
  /** Of the hook: (meter, pages) -> fuel, or whether there is as much memory. */
  readonly hookType: number;

  constructor(module: CoreModule, globals: AddedGlobals) {
    this.#module = module;
    this.#globals = globals;
    this.hookType = this.functionType([types.externReference, types.i32], [types.i32]);
  }

  get functions(): readonly Readonly<AddedFunction>[] {
    return this.#functions;
  }

  get types(): readonly Code[] {
    return this.#types;
  }

  /** The number of a type that stands behind those of the module. */
  functionType(params: Code, results: Code): number {
    return this.#type([
      FUNCTION,
      ...u32(params.length),
      ...params,
      ...u32(results.length),
      ...results,
    ]);
  }

  #type(bytes: Code): number {
    const key = bytes.join();
    const known = this.#typeIndices.get(key);
    if (known !== undefined) return known;
    const index = this.#module.types.length + this.#types.length;
    this.#types.push(bytes);
    this.#typeIndices.set(key, index);
    return index;
  }

  /** () -> (): gets fuel. What is missing is taken from it. */
  spent(): number {
    return this.#add("spent", { params: [], results: [] }, () =>
      this.#setFuel([...this.#fuel(), ...this.#askHook(const32(0)), op.i32Add]),
    );
  }

  /** (i32) -> (i32): pays for so many bytes, and gives their number back. */
  payBytes(): number {
    return this.#add("pay bytes", { params: [types.i32], results: [types.i32] }, () => [
      ...this.#payAndCheck([...get(0), ...const32(BYTES_PER_UNIT_LOG2), op.i32ShrU]),
      ...get(0),
    ]);
  }

  /** (i32) -> (i32): pays for so many elements of a table, and gives their number back. */
  payElements(): number {
    return this.#add("pay elements", { params: [types.i32], results: [types.i32] }, () => [
      ...this.#payAndCheck([...get(0), ...const32(UNITS_MAX), op.i32And]),
      ...get(0),
    ]);
  }

  /** In place of `memory.grow`: asks the hook before. */
  memoryGrow(memory: number): number {
    const { type, constant, equals, toI64 } = this.#addressing(memory);
    const [delta, pages] = [0, 1];
    const signature = { params: [type], results: [type], locals: [types.i32] };
    return this.#add(`grow ${memory}`, signature, () => [
      ...this.#payAndCheck(const32(GROW_COST)),
      ...get(delta),
      ...constant(0),
      equals,
      ...when([op.memorySize, ...u32(memory), op.return]),
      ...get(delta),
      ...toI64,
      ...const64(PAGES_ASKED_MAX),
      op.i64GtU,
      ...when([...constant(-1), op.return]),
      ...get(delta),
      ...toI64,
      op.i32WrapI64,
      ...set(pages),
      ...this.#askHook(get(pages)),
      op.i32Eqz,
      ...when([...constant(-1), op.return]),
      ...get(delta),
      op.memoryGrow,
      ...u32(memory),
      op.localTee,
      ...u32(delta),
      ...constant(-1),
      equals,
      // It did not come to it: what was asked for is given back.
      ...when([...this.#askHook([...const32(0), ...get(pages), op.i32Sub]), op.drop]),
      ...get(delta),
    ]);
  }

  /** In place of `memory.fill`: in pieces, between which it pays. */
  memoryFill(memory: number): number {
    const address = this.#addressing(memory);
    const [startParam, value, lengthParam, start, left] = [0, 1, 2, 3, 4];
    const fill = (length: Code): Code => [
      ...get(start),
      ...address.fromI64,
      ...get(value),
      ...length,
      ...prefixed(op.memoryFill),
      ...u32(memory),
    ];
    const signature = {
      params: [address.type, types.i32, address.type],
      results: [],
      locals: [types.i64, types.i64],
    };
    return this.#add(`fill ${memory}`, signature, () => [
      ...widen(startParam, address, start),
      ...widen(lengthParam, address, left),
      ...this.#pieces(left, isWithin(start, left, memory, address), [
        ...fill(address.constant(PIECE_BYTES)),
        ...advance(start, op.i64Add),
        ...advance(left, op.i64Sub),
      ]),
      ...fill([...get(left), ...address.fromI64]),
    ]);
  }

  /** In place of `memory.copy`: in pieces, between which it pays. */
  memoryCopy(to: number, from: number): number {
    const [target, source] = [this.#addressing(to), this.#addressing(from)];
    // The shorter one of the two says how long a length is.
    const lengths = target.type === types.i32 ? target : source;
    const [toParam, fromParam, lengthParam, toAt, fromAt, left] = [0, 1, 2, 3, 4, 5];
    const copy = (offset: Code, length: Code): Code => [
      ...get(toAt),
      ...offset,
      ...target.fromI64,
      ...get(fromAt),
      ...offset,
      ...source.fromI64,
      ...length,
      ...prefixed(op.memoryCopy),
      ...u32(to),
      ...u32(from),
    ];
    const piece = lengths.constant(PIECE_BYTES);
    const signature = {
      params: [target.type, source.type, lengths.type],
      results: [],
      locals: [types.i64, types.i64, types.i64],
    };
    return this.#add(`copy ${to} ${from}`, signature, () => [
      ...widen(toParam, target, toAt),
      ...widen(fromParam, source, fromAt),
      ...widen(lengthParam, lengths, left),
      ...this.#pieces(
        left,
        [...isWithin(toAt, left, to, target), ...isWithin(fromAt, left, from, source), op.i32And],
        [
          // Where the two overlap, each piece is read before another one is written over it: what
          // moves up is copied from its end.
          ...get(toAt),
          ...get(fromAt),
          op.i64GtU,
          ...when(
            [...advance(left, op.i64Sub), ...copy([...get(left), op.i64Add], piece)],
            [
              ...copy([], piece),
              ...advance(toAt, op.i64Add),
              ...advance(fromAt, op.i64Add),
              ...advance(left, op.i64Sub),
            ],
          ),
        ],
      ),
      ...copy([], [...get(left), ...lengths.fromI64]),
    ]);
  }

  /**
   * Does a piece, and pays for it, as often as there is more than one left; then pays for the rest.
   * What is out of bounds stays whole, to trap.
   */
  #pieces(left: number, isWithinBounds: Code, piece: Code): Code {
    const hasMore = [...get(left), ...const64(PIECE_BYTES), op.i64GtU];
    const payForPiece = this.#payAndCheck(const32(PIECE_BYTES >>> BYTES_PER_UNIT_LOG2));
    return [
      ...hasMore,
      ...when([...isWithinBounds, ...when(whileTrue([...payForPiece, ...piece], hasMore))]),
      ...this.#payAndCheck([
        ...get(left),
        ...const64(BYTES_PER_UNIT_LOG2),
        op.i64ShrU,
        op.i32WrapI64,
        ...const32(UNITS_MAX),
        op.i32And,
      ]),
    ];
  }

  #payAndCheck(units: Code): Code {
    return [
      ...this.#setFuel([...this.#fuel(), ...units, op.i32Sub]),
      ...this.#fuel(),
      ...const32(0),
      op.i32LtS,
      ...when([op.call, ...u32(this.spent())]),
    ];
  }

  #fuel(): Code {
    return [op.globalGet, ...u32(this.#globals.fuel)];
  }

  #setFuel(value: Code): Code {
    return [...value, op.globalSet, ...u32(this.#globals.fuel)];
  }

  #askHook(argument: Code): Code {
    return [
      op.globalGet,
      ...u32(this.#globals.meter),
      ...argument,
      op.globalGet,
      ...u32(this.#globals.hook),
      op.callRef,
      ...u32(this.hookType),
    ];
  }

  #addressing(memory: number): Addressing {
    const type = this.#module.memories[memory];
    if (type === undefined) throw new Error(`there is no memory ${memory}`);
    return addressing(type);
  }

  #add(key: string, { params, results, locals = [] }: Signature, code: () => Code): number {
    const known = this.#functionIndices.get(key);
    if (known !== undefined) return known;
    const index = this.#module.functions + this.#functions.length;
    this.#functionIndices.set(key, index);
    // It has its number before its code, which may add others.
    const added: AddedFunction = { type: this.functionType(params, results), body: [] };
    this.#functions.push(added);
    const groups = locals.flatMap((type) => [1, type]);
    added.body = [...u32(locals.length), ...groups, ...code(), ...NOT_INLINED, op.end];
    return index;
  }
}

function widen(param: number, { toI64 }: Addressing, local: number): Code {
  return [...get(param), ...toI64, ...set(local)];
}

function advance(local: number, operation: number): Code {
  return [...get(local), ...const64(PIECE_BYTES), operation, ...set(local)];
}

/** Whether `length` bytes from `start` lie in the memory; without an overflow. */
function isWithin(start: number, length: number, memory: number, { toI64 }: Addressing): Code {
  const size = [op.memorySize, ...u32(memory), ...toI64, ...const64(PAGE_BYTES_LOG2), op.i64Shl];
  return [
    ...get(length),
    ...size,
    op.i64LeU,
    ...get(start),
    ...size,
    ...get(length),
    op.i64Sub,
    op.i64LeU,
    op.i32And,
  ];
}
