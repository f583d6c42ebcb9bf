import { malformed } from "../component/reader.ts";
import { ComponentError } from "../engine.ts";
import { readCoreModule, sections, TAG_PARAMS_MAX } from "./core-module.ts";
import type { CoreModule, FunctionType } from "./core-module.ts";
import { CoreReader } from "./core-reader.ts";
import { op } from "./instructions.ts";

// How much work V8 has with the machine code of a module, counted from above and without doing it.
//
// V8 compiles a function when it is first called, on the thread that calls it. No deadline and no limit of the
// thread ends that. At each arm, branch, loop and call its baseline compiler notes where every local and every
// operand lies, and keeps these notes until the function is done: 5 kB of code, with 50,000 locals and 1,000 `if`,
// took 1.2 GB and six seconds. So the work of a function is the sum of the values that are live at these places.
//
// Before that V8 validates the whole module, which nothing ends either. At each branch, call and block it looks at every
// value that the label or the type names, also where the code is never reached and the values need not be there. With a
// block of 1,000 results, each `br_if` of two bytes takes 2 us then. So these values are counted as well.
//
// W1. Operands are counted from above: what an instruction takes off is counted where it is known.
// W2. Linear in the bytes of the module, whatever they are. Whether they are valid, V8 decides, and only of
//     a module that was counted.

/** About 100 MB and half a second. The largest function of QuickJS has 0.2 million, that of StarlingMonkey 0.7. */
const FUNCTION_WORK_MAX = 4_000_000;
/** Of all functions of a module together. QuickJS has 2 million, StarlingMonkey 13. */
const MODULE_WORK_MAX = 64_000_000;

/** Throws where V8 would need more memory or time for one function, or for all, than a guest may take. */
export function requireCompilable(bytes: Uint8Array): void {
  try {
    countAll(readCoreModule(bytes));
  } catch (error) {
    if (!isMalformed(error)) throw error;
    // What is wrong V8 says better, unless it does not see it.
    if (!WebAssembly.validate(bytes)) return;
    throw malformed(`a core module is invalid: ${error.message} of the module`);
  }
}

function countAll(module: CoreModule): void {
  const code = readerOf(module, sections.code);
  if (code === undefined) return;
  const signatures = signaturesOf(module);
  const { importedFunctions } = module;
  const functions = code.u32();
  let sum = 0;
  let firstMalformed: ComponentError | undefined;
  for (let index = importedFunctions; index < importedFunctions + functions; index += 1) {
    const body = code.part(code.u32());
    let work = 0;
    try {
      work = new FunctionWork(body, module, signatures, index).count();
    } catch (error) {
      if (!isMalformed(error)) throw error;
      // V8 validates several functions at a time: those behind it as well.
      firstMalformed ??= error;
    }
    if (work > FUNCTION_WORK_MAX) {
      throw tooComplex(
        `function ${index} has too many locals or operands for its branches and calls`,
      );
    }
    sum += work;
    if (sum > MODULE_WORK_MAX) {
      throw tooComplex(
        "its functions together have too many locals or operands for their branches and calls",
      );
    }
  }
  if (firstMalformed !== undefined) throw firstMalformed;
}

function isMalformed(error: unknown): error is ComponentError {
  return error instanceof ComponentError && error.kind === "malformed";
}

function readerOf(module: CoreModule, id: number): CoreReader | undefined {
  const section = module.sections.find((candidate) => candidate.id === id);
  return section && new CoreReader(module.bytes, section.bodyStart, section.end);
}

/** Of each function, the imported ones first. */
function signaturesOf(module: CoreModule): readonly FunctionType[] {
  const signatures = module.importedFunctionTypes.map((type) => signatureOf(module, type));
  const defined = readerOf(module, sections.function);
  for (let count = defined?.u32() ?? 0; count > 0; count -= 1) {
    signatures.push(signatureOf(module, defined?.u32() ?? 0));
  }
  return signatures;
}

function tooComplex(what: string): ComponentError {
  return new ComponentError("too-complex", [
    `a core module would take too long to compile: ${what}`,
  ]);
}

const NOTHING: FunctionType = { params: [], results: [], isPlain: true };
/** Of whatever type. */
const ONE_RESULT: FunctionType = { ...NOTHING, results: ["i32"] };

/** A type that is none of functions is invalid where it is used as one. */
function signatureOf(module: CoreModule, type: number): FunctionType {
  return module.types[type] ?? NOTHING;
}

interface Block {
  /** The operands below it. */
  readonly base: number;
  readonly type: FunctionType;
  /** How many values a branch to it brings. */
  readonly labelValues: number;
}

class FunctionWork {
  readonly #body: CoreReader;
  readonly #module: CoreModule;
  readonly #signatures: readonly FunctionType[];
  readonly #blocks: Block[] = [];
  readonly #locals: number;
  #operands = 0;
  #work = 0;

  constructor(
    body: CoreReader,
    module: CoreModule,
    signatures: readonly FunctionType[],
    index: number,
  ) {
    this.#body = body;
    this.#module = module;
    this.#signatures = signatures;
    const { params, results } = signatures[index] ?? NOTHING;
    this.#locals = params.length + readLocals(body);
    this.#open({ ...NOTHING, results });
  }

  count(): number {
    while (this.#blocks.length > 0 && this.#work <= FUNCTION_WORK_MAX) this.#instruction();
    return this.#work;
  }

  #instruction(): void {
    const body = this.#body;
    const start = body.at;
    const opcode = body.next();
    switch (opcode) {
      case op.block:
        return this.#open(blockTypeAt(this.#module, start + 1, body.end));
      case op.if:
        this.#take(1);
        this.#note(1);
        return this.#open(blockTypeAt(this.#module, start + 1, body.end));
      case op.loop: {
        this.#note(1);
        const type = blockTypeAt(this.#module, start + 1, body.end);
        return this.#open(type, type.params.length);
      }
      case op.try:
        this.#note(1);
        return this.#open(blockTypeAt(this.#module, start + 1, body.end));
      case op.tryTable:
        this.#note(1);
        for (const label of body.labels) this.#branch(label);
        return this.#open(blockTypeAt(this.#module, start + 1, body.end));
      case op.else:
      case op.catchAll:
        return this.#otherArm(0);
      case op.catch:
        return this.#otherArm(TAG_PARAMS_MAX);
      case op.end:
      case op.delegate:
        return this.#close();
      case op.brTable:
        // A label that comes again costs no notes, and some code.
        for (const label of new Set(body.labels)) this.#branch(label);
        this.#work += body.labels.length * LABEL_WORK;
        this.#work += Math.ceil(this.#blocks.length / BLOCKS_PER_WORK);
        return this.#die();
      case op.br:
        this.#branch(body.first);
        return this.#die();
      case op.return:
        this.#branch(this.#blocks.length - 1);
        return this.#die();
      case op.unreachable:
      case op.throw:
      case op.throwRef:
      case op.rethrow:
        return this.#die();
      case op.returnCall:
        this.#call(this.#signatures[body.first] ?? NOTHING);
        return this.#die();
      case op.returnCallIndirect:
      case op.returnCallRef:
        this.#call(signatureOf(this.#module, body.first));
        return this.#die();
      case op.brIf:
        this.#take(1);
        return this.#branch(body.first);
      case op.brOnNull:
      case op.brOnNonNull:
      case op.brOnCast:
      case op.brOnCastFail:
        return this.#branch(body.first);
      case op.call:
        return this.#call(this.#signatures[body.first] ?? NOTHING);
      case op.callIndirect:
      case op.callRef:
        return this.#call(signatureOf(this.#module, body.first));
      default:
        this.#work += 1;
        if (PUSHING.has(opcode)) this.#operands += 1;
        else this.#take(takenBy(opcode));
    }
  }

  /** Where the compiler writes down where everything lies. */
  #note(times: number): void {
    this.#work += times * (1 + this.#locals + this.#operands);
  }

  #branch(label: number): void {
    this.#note(1);
    this.#work += this.#blocks.at(-1 - label)?.labelValues ?? 0;
  }

  /** Never below the block's own: code that is not reached may take what is not there. */
  #take(operands: number): void {
    const base = this.#blocks.at(-1)?.base ?? 0;
    this.#operands = Math.max(base, this.#operands - operands);
  }

  #call({ params, results }: FunctionType): void {
    this.#work += params.length;
    this.#take(params.length);
    this.#operands += results.length;
    this.#note(1);
  }

  #open(type: FunctionType, labelValues = type.results.length): void {
    this.#work += blockWork(type);
    this.#take(0);
    const base = Math.max(this.#blocks.at(-1)?.base ?? 0, this.#operands - type.params.length);
    this.#blocks.push({ base, type, labelValues });
  }

  #otherArm(caught: number): void {
    this.#note(1);
    const block = this.#blocks.at(-1);
    if (block === undefined) return;
    this.#work += blockWork(block.type);
    this.#operands = block.base + block.type.params.length + caught;
  }

  #close(): void {
    this.#note(1);
    const block = this.#blocks.pop();
    if (block !== undefined) this.#operands = block.base + block.type.results.length;
  }

  #die(): void {
    this.#operands = this.#blocks.at(-1)?.base ?? 0;
  }
}

/** In proportion to a note: about 80 bytes of code and of what leads to it. */
const LABEL_WORK = 4;

/** V8 keeps a byte for each block around a switch, for as long as it validates the function. */
const BLOCKS_PER_WORK = 8;

/** V8 writes down each value that a block takes or gives, and looks at it at the end of each of its arms. */
const BLOCK_VALUE_WORK = 8;

function blockWork({ params, results }: FunctionType): number {
  return (params.length + results.length) * BLOCK_VALUE_WORK;
}

function readLocals(body: CoreReader): number {
  let locals = 0;
  for (let groups = body.u32(); groups > 0; groups -= 1) {
    locals += body.u32();
    body.skipType();
  }
  return locals;
}

const EMPTY_BLOCK = 0x40;

/** Nothing, the type of its one result, or the number of a type of functions. */
function blockTypeAt(module: CoreModule, at: number, end: number): FunctionType {
  const byte = module.bytes[at] ?? EMPTY_BLOCK;
  if (byte === EMPTY_BLOCK) return NOTHING;
  // As a signed number, these are below zero: types of values.
  if (byte > EMPTY_BLOCK && byte < 0x80) return ONE_RESULT;
  return signatureOf(module, new CoreReader(module.bytes, at, end).u32());
}

/** What takes nothing and gives one value; all else that is not named here gives at most as many as it takes. */
const PUSHING: ReadonlySet<number> = new Set([
  op.localGet,
  op.globalGet,
  op.memorySize,
  op.i32Const,
  op.i64Const,
  op.f32Const,
  op.f64Const,
  op.refNull,
  op.refFunc,
  op.tableSize,
  op.v128Const,
]);

/** How many values fewer there are after an instruction; none where that is not known (W1). */
function takenBy(opcode: number): number {
  return TAKEN[opcode] ?? 0;
}

const TAKEN = new Uint8Array(0x100);
/** Stores, and choices between two. */
for (const opcode of [0x1b, 0x1c, 0x36, 0x37, 0x38, 0x39, 0x3a, 0x3b, 0x3c, 0x3d, 0x3e]) {
  TAKEN[opcode] = 2;
}
/** Comparisons and arithmetic of two values. */
for (const [first, last] of [
  [0x46, 0x4f],
  [0x51, 0x66],
  [0x6a, 0x78],
  [0x7c, 0x8a],
  [0x92, 0x98],
  [0xa0, 0xa6],
] as const) {
  TAKEN.fill(1, first, last + 1);
}
for (const opcode of [op.drop, op.localSet, op.globalSet]) TAKEN[opcode] = 1;
