import { malformed } from "../component/reader.ts";
import type { AddedFunctions } from "./added-functions.ts";
import type { CoreReader } from "./core-reader.ts";
import { op } from "./instructions.ts";

// Where a function pays, and how much: found in one walk over its body, in linear time.
//
// A unit of fuel is about one instruction. A function pays at points of its code. A point pays
// for instructions that are reached only through it, before they run:
//
// P1. Nothing runs that was not paid: each instruction belongs to a point which dominates it, with no
//     loop header between the two. In structured code that holds for what follows a point inside of
//     the same block; behind the end of the block, the point before the block is the current one again.
// P2. A point pays for the straight line behind it, and for at most `SPECULATIVE_MAX` of what may not
//     run at all: arms and what stands behind branches. What is more gets a point of its own. So an interpreter's
//     loop does not pay for all of its cases, but for the one that it takes.
// P3. Whether fuel is spent, is checked at the entry of a function, at each loop header, and at the latest
//     after `POINTS_UNCHECKED_MAX` points on any path. A loop and a recursion pass a check.
// P4. A function without loops, calls and long instructions, of at most `LEAF_MAX`, pays nothing: who calls
//     it, pays for it as a part of the call.

/** What one point pays for in a row. */
const STRAIGHT_MAX = 256;
const SPECULATIVE_MAX = 256;
/** Points are checked so rarely that it costs nothing, and so often that a function of megabytes is not long. */
const POINTS_UNCHECKED_MAX = 256;
const LEAF_MAX = 100;

const COST = 1;
/** With the leaf that may be called. */
const CALL_COST = 4 + LEAF_MAX;
/** V8 makes an object of JavaScript, with a stack trace. */
const THROW_COST = 4_000;

export type EditKind =
  /** Insert: take `value` from the fuel. */
  | "pay"
  /** Insert: the same, and get more where it is spent. */
  | "check"
  /** Insert or replace: call the function of the number `value`. */
  | "call";

/** One change of a function's body: the bytes from `start` to `end` become what `kind` says. */
export interface Edit {
  readonly kind: EditKind;
  readonly start: number;
  readonly end: number;
  value: number;
  /** Of what a point pays: that which may not run. */
  speculative: number;
}

interface Block {
  /** The point that is current again behind its end. */
  readonly point: Edit;
  /** The most points since a check on any branch to its end; `DEAD` where there is none. */
  unchecked: number;
  readonly uncheckedAtStart: number;
  readonly kind: number;
}

const DEAD = -1;

/** In the order of the code; none for a function that pays nothing (P4). `body` is all of one function. */
export function planCharges(body: CoreReader, added: AddedFunctions): readonly Edit[] {
  const walk = new Walk(body, added);
  return walk.plan();
}

class Walk {
  readonly #body: CoreReader;
  readonly #added: AddedFunctions;
  readonly #edits: Edit[] = [];
  readonly #blocks: Block[] = [];
  #point: Edit;
  /** Nothing since the current point was conditional. */
  #isStraight = true;
  #unchecked = 0;
  #isLeaf = true;

  constructor(body: CoreReader, added: AddedFunctions) {
    this.#body = body;
    this.#added = added;
    skipLocals(body);
    this.#point = this.#open("check", body.at);
    this.#push(op.block);
  }

  plan(): readonly Edit[] {
    while (this.#blocks.length > 0) this.#instruction();
    this.#body.expectEnd("a function");
    return this.#isLeaf && this.#point.value <= LEAF_MAX ? [] : this.#edits;
  }

  #instruction(): void {
    const body = this.#body;
    const start = body.at;
    const opcode = body.next();
    switch (opcode) {
      case op.nop:
      case op.drop:
        return;
      case op.block:
        return this.#push(opcode);
      case op.loop:
        return this.#loop();
      case op.if:
        this.#pay(COST, start);
        this.#push(opcode);
        this.#isStraight = false;
        return;
      case op.else:
        return this.#otherArm(this.#top().uncheckedAtStart);
      case op.try:
        return this.#push(opcode);
      case op.catch:
      case op.catchAll:
        // It may come from anywhere in the block.
        return this.#otherArm(POINTS_UNCHECKED_MAX);
      case op.tryTable:
        for (const label of body.labels) this.#branch(label, POINTS_UNCHECKED_MAX);
        return this.#push(opcode);
      case op.end:
      case op.delegate:
        return this.#pop();
      case op.br:
        this.#pay(COST, start);
        this.#branch(body.first, this.#unchecked);
        return this.#die();
      case op.brTable:
        this.#pay(COST, start);
        for (const label of body.labels) this.#branch(label, this.#unchecked);
        return this.#die();
      case op.brIf:
      case op.brOnNull:
      case op.brOnNonNull:
      case op.brOnCast:
      case op.brOnCastFail:
        this.#pay(COST, start);
        this.#branch(body.first, this.#unchecked);
        this.#isStraight = false;
        return;
      case op.return:
      case op.unreachable:
        return this.#die();
      case op.throw:
      case op.throwRef:
      case op.rethrow:
        this.#isLeaf = false;
        this.#edit("pay", start, start, THROW_COST);
        return this.#die();
      case op.returnCall:
      case op.returnCallIndirect:
      case op.returnCallRef:
        this.#isLeaf = false;
        this.#pay(CALL_COST, start);
        return this.#die();
      case op.call:
      case op.callIndirect:
      case op.callRef:
        this.#isLeaf = false;
        return this.#pay(CALL_COST, start);
      default:
        this.#pay(COST, start);
        if (opcode === op.memoryGrow || opcode > 0xfc000) this.#longInstruction(opcode, start);
    }
  }

  /** What takes as long as an operand says is paid by its size. */
  #longInstruction(opcode: number, start: number): void {
    const { first, second, at } = this.#body;
    switch (opcode) {
      case op.memoryGrow:
        return this.#call(start, at, this.#added.memoryGrow(first));
      case op.memoryFill:
        return this.#call(start, at, this.#added.memoryFill(first));
      case op.memoryCopy:
        this.#call(start, at, this.#added.memoryCopy(first, second));
        return;
      case op.memoryInit:
        return this.#call(start, start, this.#added.payBytes());
      case op.tableInit:
      case op.tableCopy:
      case op.tableGrow:
      case op.tableFill:
        return this.#call(start, start, this.#added.payElements());
      default:
    }
  }

  #call(start: number, end: number, functionIndex: number): void {
    this.#isLeaf = false;
    this.#edit("call", start, end, functionIndex);
  }

  /** Puts what an instruction costs onto the current point, or onto a new one before it (P2). */
  #pay(cost: number, start: number): void {
    if (this.#unchecked === DEAD) return;
    const point = this.#point;
    if (this.#isStraight) {
      if (point.value + cost <= STRAIGHT_MAX) {
        point.value += cost;
        return;
      }
    } else {
      if (point.speculative + cost <= SPECULATIVE_MAX) {
        point.speculative += cost;
        point.value += cost;
        return;
      }
    }
    this.#isLeaf = false;
    const isChecked = this.#unchecked >= POINTS_UNCHECKED_MAX;
    this.#point = this.#open(isChecked ? "check" : "pay", start);
    this.#unchecked = isChecked ? 0 : this.#unchecked + 1;
    this.#point.value = cost;
    this.#isStraight = true;
  }

  #open(kind: EditKind, at: number): Edit {
    return this.#edit(kind, at, at, 0);
  }

  #edit(kind: EditKind, start: number, end: number, value: number): Edit {
    const edit: Edit = { kind, start, end, value, speculative: 0 };
    this.#edits.push(edit);
    return edit;
  }

  #push(kind: number): void {
    this.#blocks.push({
      kind,
      point: this.#point,
      // An `if` may be without its other arm.
      unchecked: kind === op.if ? this.#unchecked : DEAD,
      uncheckedAtStart: this.#unchecked,
    });
  }

  #loop(): void {
    this.#push(op.loop);
    this.#isLeaf = false;
    this.#point = this.#open("check", this.#body.at);
    this.#unchecked = 0;
    this.#isStraight = true;
  }

  /** Another way into the innermost block than the one before. */
  #otherArm(unchecked: number): void {
    const block = this.#top();
    block.unchecked = Math.max(block.unchecked, this.#unchecked);
    this.#unchecked = unchecked;
    this.#point = block.point;
    this.#isStraight = false;
  }

  #pop(): void {
    const block = this.#top();
    this.#blocks.pop();
    const isJoined = block.unchecked !== DEAD;
    this.#unchecked = Math.max(block.unchecked, this.#unchecked);
    // What nothing branches to is one with the code around it.
    if (block.kind === op.block && !isJoined) return;
    this.#point = block.point;
    this.#isStraight = false;
  }

  #top(): Block {
    const block = this.#blocks.at(-1);
    if (block === undefined) throw malformed("expected the end of a function", this.#body.at);
    return block;
  }

  #branch(label: number, unchecked: number): void {
    const block = this.#blocks.at(-1 - label);
    if (block === undefined || this.#unchecked === DEAD) return;
    if (block.kind !== op.loop) block.unchecked = Math.max(block.unchecked, unchecked);
  }

  #die(): void {
    this.#unchecked = DEAD;
  }
}

function skipLocals(body: CoreReader): void {
  for (let groups = body.u32(); groups > 0; groups -= 1) {
    body.u32();
    body.skipType();
  }
}
