import { malformed } from "../component/reader.ts";
import type { AddedFunctions } from "./added-functions.ts";
import { CoreReader } from "./core-reader.ts";
import { op } from "./instructions.ts";

// Where a function pays, and how much: found in one walk over its body, in linear time.
//
// A unit of fuel is about one instruction. A function pays at points of its code. A point pays
// for instructions that are reached only through it, before they run:
//
// P1. Nothing runs that was not paid: each instruction belongs to a point which dominates it, with no
//     loop header between the two. In structured code that holds for what follows a point inside of
//     the same block; behind the end of the block, the point before the block is the current one again.
// P2. A point pays for the longest of the ways that begin at it: at most `STRAIGHT_MAX` of what surely runs, and
//     `SPECULATIVE_MAX` of what may not. What is further away gets a point of its own. So an interpreter's
//     loop does not pay for all of its cases, and a short case no more than its loop has paid.
// P3. Whether fuel is spent, is checked at each loop header, before a function first calls one that is no
//     leaf, and at the latest after `POINTS_UNCHECKED_MAX` points on any path. A loop and a recursion pass a
//     check, and a function that comes back at once passes none.
// P4. Who calls a function pays for the first `ENTRY_MAX` of it as a part of the call. A leaf pays nothing: no way
//     through it is longer, and it has no loop, and calls only leaves. Who calls one directly pays what it costs.
//     Calls by the engine itself leave that much unpaid.

/** What one point pays for in a row. */
const STRAIGHT_MAX = 256;
const SPECULATIVE_MAX = 128;
const ENTRY_MAX = 64;
/** Points are checked so rarely that it costs nothing, and so often that a function of megabytes is not long. */
const POINTS_UNCHECKED_MAX = 256;
/** So deep leaves call leaves. */
const LEAF_DEPTH_MAX = 8;

const COST = 1;
const CALL_COST = 4;
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
}

/** Where the code from here on is paid. */
interface Point {
  readonly edit: Edit;
  /** How long the way from there to here is: the longest, where there are several. */
  used: number;
  /** How long a way it pays for. */
  max: number;
  /** Nothing behind it was conditional so far. */
  isStraight: boolean;
}

interface Block {
  /** The point that is current again behind its end. */
  readonly point: Point;
  /** How long the ways from that point are: the longest of those that branch to the end. */
  used: number;
  readonly usedAtStart: number;
  /** The most points since a check on any branch to its end; `DEAD` where there is none. */
  unchecked: number;
  readonly uncheckedAtStart: number;
  readonly kind: number;
}

const DEAD = -1;

/** Where a way ends that an exception takes: it begins anywhere. */
const ANYWHERE = Infinity;

/** The charges of all functions of a module: `bodies` are in their order, behind `imported` ones. */
export class ChargePlan {
  readonly #bodies: readonly FunctionBody[];
  readonly #imported: number;
  readonly #added: AddedFunctions;
  /** What each leaf costs that was asked for; `null` for what is none. */
  readonly #leafCosts: (number | null)[] = [];
  #depth = 0;

  constructor(bodies: readonly FunctionBody[], imported: number, added: AddedFunctions) {
    this.#bodies = bodies;
    this.#imported = imported;
    this.#added = added;
  }

  /** In the order of the code; none for a function that pays nothing (P4). */
  editsOf({ bytes, start, end }: FunctionBody): readonly Edit[] {
    return new Walk(new CoreReader(bytes, start, end), this.#added, this.#leafCostOf).edits();
  }

  /** By the number of the function in its module. Null for one that is no leaf, or not known to be one. */
  readonly #leafCostOf = (functionIndex: number): number | null => {
    const index = functionIndex - this.#imported;
    const body = this.#bodies[index];
    if (body === undefined) return null;
    const known = this.#leafCosts[index];
    if (known !== undefined) return known;
    // A function that is asked for while it is looked at, calls itself.
    this.#leafCosts[index] = null;
    if (this.#depth === LEAF_DEPTH_MAX) return null;
    this.#depth += 1;
    const reader = new CoreReader(body.bytes, body.start, body.end);
    const cost = new Walk(reader, this.#added, this.#leafCostOf).leafCost();
    this.#depth -= 1;
    this.#leafCosts[index] = cost;
    return cost;
  };
}

/** Locals and code of one function, without their size. */
export interface FunctionBody {
  readonly bytes: Uint8Array;
  readonly start: number;
  readonly end: number;
}

class Walk {
  readonly #body: CoreReader;
  readonly #added: AddedFunctions;
  readonly #edits: Edit[] = [];
  readonly #blocks: Block[] = [];
  readonly #leafCostOf: (functionIndex: number) => number | null;
  /** Is no edit: whoever calls the function has paid there. */
  readonly #entry: Point;
  #point: Point;
  /** Points since the last check. */
  #unchecked = POINTS_UNCHECKED_MAX;
  #isLeaf = true;

  constructor(
    body: CoreReader,
    added: AddedFunctions,
    leafCostOf: (functionIndex: number) => number | null,
  ) {
    this.#body = body;
    this.#added = added;
    this.#leafCostOf = leafCostOf;
    skipLocals(body);
    const edit: Edit = { kind: "pay", start: body.at, end: body.at, value: 0 };
    this.#entry = { edit, used: 0, max: ENTRY_MAX, isStraight: false };
    this.#point = this.#entry;
    this.#push(op.block);
  }

  edits(): readonly Edit[] {
    while (this.#blocks.length > 0) this.#instruction();
    this.#body.expectEnd("a function");
    return this.#edits;
  }

  /** Null as soon as it is seen to be none. */
  leafCost(): number | null {
    while (this.#blocks.length > 0 && this.#isLeaf) this.#instruction();
    return this.#isLeaf ? this.#entry.edit.value : null;
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
        this.#bend();
        return this.#push(opcode);
      case op.else:
        return this.#otherArm(this.#top().uncheckedAtStart, this.#top().usedAtStart);
      case op.try:
        return this.#push(opcode);
      case op.catch:
      case op.catchAll:
        // It may come from anywhere in the block.
        return this.#otherArm(POINTS_UNCHECKED_MAX, ANYWHERE);
      case op.tryTable:
        for (const label of body.labels) this.#branch(label, POINTS_UNCHECKED_MAX, ANYWHERE);
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
        return this.#bend();
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
        this.#callOf(this.#leafCostOf(body.first), start);
        return this.#die();
      case op.returnCallIndirect:
      case op.returnCallRef:
        this.#callOf(null, start);
        return this.#die();
      case op.call:
        return this.#callOf(this.#leafCostOf(body.first), start);
      case op.callIndirect:
      case op.callRef:
        return this.#callOf(null, start);
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

  #callOf(leafCost: number | null, start: number): void {
    if (leafCost !== null) return this.#pay(CALL_COST + leafCost, start);
    this.#isLeaf = false;
    // It may come back to this function, or it is another one that is called so.
    if (this.#unchecked === POINTS_UNCHECKED_MAX) this.#newPoint(start);
    this.#pay(CALL_COST + ENTRY_MAX, start);
  }

  /** Puts what an instruction costs onto the current point, or onto a new one before it (P2). */
  #pay(cost: number, start: number): void {
    if (this.#unchecked === DEAD) return;
    if (this.#point.used + cost > this.#point.max) this.#newPoint(start);
    this.#point.used += cost;
    const { edit, used } = this.#point;
    edit.value = Math.max(edit.value, used);
  }

  #newPoint(start: number): void {
    this.#isLeaf = false;
    const isChecked = this.#unchecked >= POINTS_UNCHECKED_MAX;
    this.#unchecked = isChecked ? 0 : this.#unchecked + 1;
    this.#point = this.#open(isChecked ? "check" : "pay", start);
  }

  /** From here on there is more than one way. */
  #bend(): void {
    const point = this.#point;
    if (point.isStraight) point.max = Math.min(point.used, STRAIGHT_MAX) + SPECULATIVE_MAX;
    point.isStraight = false;
  }

  #open(kind: EditKind, at: number): Point {
    return { edit: this.#edit(kind, at, at, 0), used: 0, max: STRAIGHT_MAX, isStraight: true };
  }

  #edit(kind: EditKind, start: number, end: number, value: number): Edit {
    const edit: Edit = { kind, start, end, value };
    this.#edits.push(edit);
    return edit;
  }

  #push(kind: number): void {
    const point = this.#point;
    // An `if` may be without its other arm.
    const isSkipped = kind === op.if;
    this.#blocks.push({
      kind,
      point,
      used: isSkipped ? point.used : 0,
      usedAtStart: point.used,
      unchecked: isSkipped ? this.#unchecked : DEAD,
      uncheckedAtStart: this.#unchecked,
    });
  }

  #loop(): void {
    this.#push(op.loop);
    this.#isLeaf = false;
    this.#point = this.#open("check", this.#body.at);
    this.#unchecked = 0;
  }

  /** Another way into the innermost block than the one before. */
  #otherArm(unchecked: number, used: number): void {
    const block = this.#top();
    const { point } = block;
    if (this.#unchecked !== DEAD) block.used = Math.max(block.used, point.used);
    block.unchecked = Math.max(block.unchecked, this.#unchecked);
    this.#unchecked = unchecked;
    this.#point = point;
    point.used = used;
    this.#bend();
  }

  #pop(): void {
    const block = this.#top();
    const { point } = block;
    this.#blocks.pop();
    const isJoined = block.unchecked !== DEAD;
    // What nothing branches to is one with the code around it.
    if (block.kind === op.block && !isJoined) return;
    this.#point = point;
    point.used = this.#unchecked === DEAD ? block.used : Math.max(block.used, point.used);
    this.#unchecked = Math.max(block.unchecked, this.#unchecked);
    this.#bend();
  }

  #top(): Block {
    const block = this.#blocks.at(-1);
    if (block === undefined) throw malformed("expected the end of a function", this.#body.at);
    return block;
  }

  #branch(label: number, unchecked: number, used?: number): void {
    const block = this.#blocks.at(-1 - label);
    if (block === undefined || block.kind === op.loop || this.#unchecked === DEAD) return;
    block.unchecked = Math.max(block.unchecked, unchecked);
    block.used = Math.max(block.used, used ?? block.point.used);
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
