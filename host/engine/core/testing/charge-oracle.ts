import { AddedFunctions } from "../added-functions.ts";
import { ChargePlan } from "../charge-plan.ts";
import type { Edit, FunctionBody } from "../charge-plan.ts";
import { readCoreModule, sections } from "../core-module.ts";
import { CoreReader } from "../core-reader.ts";
import { op } from "../instructions.ts";
import { STRUCTURE } from "./count-instructions.ts";

// Whether the charges of a module are right, on every way through each of its functions: also those that no input takes.
// It knows the instructions and where they lead, and nothing of how the plan comes by its points. A way is what may run
// one after the other in a function; what is paid and what has run are followed along all of them at once, as the shortest and
// the longest ways through a graph are found.
//
// O1. At no moment has more run than was paid, but for the first `ENTRY_MAX` units of a function: its caller pays
//     them, and for a function that pays nothing what its longest way costs.
// O2. At its end, no more was paid than has run, but `SPECULATIVE_MAX` for each point that was passed; where an exception
//     may lead away from anywhere, all that a point pays for.
// O3. Each loop begins with a check; before a call of a function that pays for itself there was one; and nowhere are
//     there more than `POINTS_UNCHECKED_MAX` points without.

const ENTRY_MAX = 64;
const SPECULATIVE_MAX = 128;
const STRAIGHT_MAX = 256;
const POINTS_UNCHECKED_MAX = 256;
const CALL_COST = 4;
const THROW_COST = 4_000;
/** So often all is followed until it settles: loops within loops take some. */
const ROUNDS_MAX = 64;

export interface ChargeReport {
  /** What is wrong, in words. */
  readonly problems: readonly string[];
  /** Places of the code at which something is paid. */
  readonly points: number;
  readonly leaves: number;
}

interface Label {
  target: number;
}

interface Node {
  readonly opcode: number;
  /** Where it begins in the code. */
  readonly at: number;
  /** The number of the function that it calls; `UNKNOWN` where that is not written there. */
  readonly callee: number | undefined;
  readonly falls: boolean;
  readonly branches: readonly Label[];
  /** Where an exception may lead that is thrown here, for each block around it. */
  readonly handlers: readonly (readonly Label[])[];
  readonly isExit: boolean;
}

interface Frame {
  /** Where a branch to it leads. */
  readonly label: Label;
  /** Behind its end. */
  readonly end: Label;
  /** Of an `if`: its other arm, or its end. */
  readonly otherArm: Label | undefined;
  /** Where an exception from inside may lead. */
  readonly handlers: Label[];
  /** What stands here is caught by it. */
  isCatching: boolean;
}

const UNKNOWN = -1;

export function checkCharges(bytes: Uint8Array): ChargeReport {
  return new Oracle(bytes).report();
}

class Oracle {
  readonly #bodies: readonly FunctionBody[];
  readonly #imported: number;
  readonly #edits: readonly (readonly Edit[])[];
  readonly #graphs: readonly (readonly Node[])[];
  /** What has to be paid before a function is called. */
  readonly #needs: (number | "asked for")[] = [];
  readonly #problems: string[] = [];

  constructor(bytes: Uint8Array) {
    const module = readCoreModule(bytes);
    const { globals } = module;
    const added = new AddedFunctions(module, {
      fuel: globals,
      hook: globals + 1,
      meter: globals + 2,
    });
    const code = module.sections.find(({ id }) => id === sections.code);
    const reader = new CoreReader(bytes, code?.bodyStart ?? 0, code?.end ?? 0);
    this.#bodies = Array.from({ length: code === undefined ? 0 : reader.u32() }, () => {
      const { at, end } = reader.part(reader.u32());
      return { bytes, start: at, end };
    });
    this.#imported = module.importedFunctions;
    const plan = new ChargePlan(this.#bodies, this.#imported, added);
    this.#edits = this.#bodies.map((body) => plan.editsOf(body));
    this.#graphs = this.#bodies.map(graphOf);
  }

  report(): ChargeReport {
    for (const index of this.#bodies.keys()) {
      if (this.#need(index) > ENTRY_MAX)
        this.#problem(index, `runs ${this.#need(index)} units unpaid`);
    }
    return {
      problems: this.#problems,
      points: this.#edits.flat().filter(({ kind }) => kind !== "call").length,
      leaves: this.#edits.filter((edits) => edits.length === 0).length,
    };
  }

  #problem(index: number, what: string): void {
    this.#problems.push(`function ${index + this.#imported} ${what}`);
  }

  /** The most that has run at any moment and was not paid in the function itself. */
  #need(index: number): number {
    const known = this.#needs[index];
    if (known === "asked for") {
      this.#problem(index, "calls itself and pays nothing");
      return ENTRY_MAX;
    }
    if (known !== undefined) return known;
    this.#needs[index] = "asked for";
    const need = this.#follow(index);
    this.#needs[index] = need;
    return need;
  }

  #isLeaf(callee: number): boolean {
    return this.#edits[callee - this.#imported]?.length === 0;
  }

  #cost({ opcode, callee }: Node): number {
    if (callee !== undefined) {
      const need = this.#isLeaf(callee) ? this.#need(callee - this.#imported) : ENTRY_MAX;
      return CALL_COST + need;
    }
    if (THROWS.has(opcode)) return THROW_COST;
    return STRUCTURE.has(opcode) ? 0 : 1;
  }

  #follow(index: number): number {
    const nodes = this.#graphs[index] ?? [];
    const edits = Map.groupBy(this.#edits[index] ?? [], ({ start }) => start);
    const slack = nodes.some(({ handlers }) => handlers.length > 0)
      ? STRAIGHT_MAX + SPECULATIVE_MAX
      : SPECULATIVE_MAX;
    // At each place, of all ways there: the least that was paid beyond what has run, the most beyond what may be, the
    // most points since a check, and the ways without any.
    const least = new Float64Array(nodes.length).fill(Infinity);
    const most = new Float64Array(nodes.length).fill(-Infinity);
    const unchecked = new Float64Array(nodes.length).fill(-Infinity);
    const changed = new Uint8Array(nodes.length);
    least[0] = 0;
    most[0] = 0;
    unchecked[0] = POINTS_UNCHECKED_MAX + 1;
    changed[0] = 1;
    let lowest = 0;
    let isOverpaid = false;
    const wrong = new Set<string>();
    const lead = (to: number, paidLeast: number, paidMost: number, points: number): void => {
      if (paidLeast < (least[to] ?? 0)) [least[to], changed[to]] = [paidLeast, 1];
      if (paidMost > (most[to] ?? 0)) [most[to], changed[to]] = [paidMost, 1];
      if (points > (unchecked[to] ?? 0)) [unchecked[to], changed[to]] = [points, 1];
    };
    let rounds = 0;
    for (let isSettled = false; !isSettled; rounds += 1) {
      if (rounds === ROUNDS_MAX) {
        wrong.add("pays for a loop more, or less, than it takes");
        break;
      }
      isSettled = true;
      for (const [at, node] of nodes.entries()) {
        if (changed[at] === 0) continue;
        changed[at] = 0;
        isSettled = false;
        let [paidLeast, paidMost, points] = [least[at] ?? 0, most[at] ?? 0, unchecked[at] ?? 0];
        let isChecked = false;
        for (const { kind, value } of edits.get(node.at) ?? []) {
          if (kind === "call") continue;
          paidLeast += value;
          paidMost += value - slack;
          isChecked ||= kind === "check";
          // What an exception costs is no point.
          if (kind === "pay" && THROWS.has(node.opcode)) continue;
          points = kind === "check" ? 0 : points + 1;
          if (points > POINTS_UNCHECKED_MAX) wrong.add("has too many points without a check");
        }
        if (nodes[at - 1]?.opcode === op.loop && !isChecked)
          wrong.add("has a loop without a check");
        const { callee } = node;
        if (callee !== undefined && !this.#isLeaf(callee) && points > POINTS_UNCHECKED_MAX) {
          wrong.add("calls another one before a check");
        }
        const cost = this.#cost(node);
        paidLeast -= cost;
        paidMost -= cost;
        lowest = Math.min(lowest, paidLeast);
        if (node.isExit && paidMost > 0) isOverpaid = true;
        if (node.falls) lead(at + 1, paidLeast, paidMost, points);
        for (const { target } of node.branches) lead(target, paidLeast, paidMost, points);
        for (const { target } of node.handlers.flat()) lead(target, paidLeast, paidMost, points);
      }
    }
    if (isOverpaid) wrong.add("pays for more than the longest of its ways");
    for (const what of wrong) this.#problem(index, what);
    return -lowest;
  }
}

/** The instructions of a function, and where each of them leads. */
function graphOf({ bytes, start, end }: FunctionBody): readonly Node[] {
  const reader = new CoreReader(bytes, start, end);
  for (let groups = reader.u32(); groups > 0; groups -= 1) {
    reader.u32();
    reader.skipType();
  }
  const nodes: Node[] = [];
  const frames: Frame[] = [newFrame(op.block, { target: 0 }, [])];
  const labelOf = (depth: number): Label => {
    const frame = frames.at(-1 - depth);
    if (frame === undefined) throw new Error("there is no such label");
    return frame.label;
  };
  while (frames.length > 0) {
    const at = reader.at;
    const opcode = reader.next();
    const here = nodes.length;
    const frame = frames.at(-1);
    if (frame === undefined) throw new Error("there is no block");
    let falls = true;
    let isExit = false;
    let callee: number | undefined;
    let branches: readonly Label[] = [];
    const handlers = THROWING.has(opcode)
      ? frames.filter(({ isCatching }) => isCatching).map((around) => around.handlers)
      : [];
    switch (opcode) {
      case op.block:
      case op.loop:
      case op.if:
      case op.try: {
        const inside = newFrame(opcode, { target: here + 1 }, []);
        if (inside.otherArm !== undefined) branches = [inside.otherArm];
        frames.push(inside);
        break;
      }
      case op.tryTable:
        frames.push(newFrame(opcode, { target: here + 1 }, reader.labels.map(labelOf)));
        break;
      case op.else:
        if (frame.otherArm !== undefined) frame.otherArm.target = here + 1;
        [branches, falls] = [[frame.end], false];
        break;
      case op.catch:
      case op.catchAll:
        frame.handlers.push({ target: here + 1 });
        frame.isCatching = false;
        [branches, falls] = [[frame.end], false];
        break;
      case op.end:
      case op.delegate:
        // Who branches out of the function comes to its end.
        frame.end.target = frames.length === 1 ? here : here + 1;
        if (frame.otherArm !== undefined && frame.otherArm.target < 0) {
          frame.otherArm.target = here + 1;
        }
        frames.pop();
        isExit = frames.length === 0;
        falls = !isExit;
        break;
      case op.br:
        [branches, falls] = [[labelOf(reader.first)], false];
        break;
      case op.brTable:
        [branches, falls] = [reader.labels.map(labelOf), false];
        break;
      case op.brIf:
      case op.brOnNull:
      case op.brOnNonNull:
      case op.brOnCast:
      case op.brOnCastFail:
        branches = [labelOf(reader.first)];
        break;
      case op.call:
        callee = reader.first;
        break;
      case op.callIndirect:
      case op.callRef:
        callee = UNKNOWN;
        break;
      case op.returnCall:
        [callee, falls, isExit] = [reader.first, false, true];
        break;
      case op.returnCallIndirect:
      case op.returnCallRef:
        [callee, falls, isExit] = [UNKNOWN, false, true];
        break;
      case op.return:
        [falls, isExit] = [false, true];
        break;
      case op.unreachable:
      case op.throw:
      case op.throwRef:
      case op.rethrow:
        falls = false;
        break;
      default:
    }
    nodes.push({ opcode, at, callee, falls, branches, handlers, isExit });
  }
  return nodes;
}

const THROWS: ReadonlySet<number> = new Set([op.throw, op.throwRef, op.rethrow]);

const THROWING: ReadonlySet<number> = new Set([...THROWS, op.call, op.callIndirect, op.callRef]);

function newFrame(kind: number, begin: Label, handlers: Label[]): Frame {
  const end = { target: -1 };
  return {
    label: kind === op.loop ? begin : end,
    end,
    otherArm: kind === op.if ? { target: -1 } : undefined,
    handlers,
    isCatching: kind === op.try || kind === op.tryTable,
  };
}
