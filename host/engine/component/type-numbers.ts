import type { Budget } from "./budget.ts";
import { isSameValue } from "./type-equality.ts";
import { countNodes } from "./type-parts.ts";
import { NO_TYPE } from "./types.ts";
import type { TypeNumber, ValueType } from "./types.ts";

interface NumberedType {
  readonly type: ValueType;
  readonly nodes: number;
  readonly number: TypeNumber;
}

/**
 * Numbers for the types of one component that are compared while it runs: what passes through its streams and
 * futures, and what its asynchronous functions return. Structurally equal ones have equal numbers, so that no guest
 * makes the host walk over a type for a call.
 */
export class TypeNumbers {
  readonly #budget: Budget;
  readonly #known = new Map<ValueType, TypeNumber>();
  /** Those that may be equal. */
  readonly #candidates = new Map<string, NumberedType[]>();
  #last: TypeNumber = NO_TYPE;

  constructor(budget: Budget) {
    this.#budget = budget;
  }

  /** `nodesMax`: the type has no more. */
  numberOf(type: ValueType | null, nodesMax: number): TypeNumber {
    if (type === null) return NO_TYPE;
    let number = this.#known.get(type);
    if (number === undefined) {
      number = this.#find(type, nodesMax);
      this.#known.set(type, number);
    }
    return number;
  }

  #find(type: ValueType, nodesMax: number): TypeNumber {
    this.#budget.spendTypeWalk(nodesMax);
    const nodes = countNodes(type);
    const key = `${type.kind} ${nodes}`;
    const candidates = this.#candidates.get(key) ?? [];
    const found = candidates.find((known) => isSameValue(known, { type, nodes }, this.#budget));
    if (found !== undefined) return found.number;
    this.#last += 1;
    candidates.push({ type, nodes, number: this.#last });
    this.#candidates.set(key, candidates);
    return this.#last;
  }
}
