import { ComponentError } from "../engine.ts";
import type { CompileLimits } from "../engine.ts";

// A function's type is walked when it is compared with what is offered, once for each component that
// it is passed on to, and when it is lowered: real components stay below four.
const TYPE_WALKS = 16;

/** What is made by each instance of a core module. */
export interface CoreResources {
  readonly tables: number;
  /** The sum of their maxima. */
  readonly tableElements: number;
  readonly memories: number;
  /** What its memories have when they are made, in pages of 64 KiB. */
  readonly memoryPages: number;
}

/**
 * What one component may still cost. Decoding and planning spend from a budget each, before they do
 * the work, so that work and memory stay in proportion to the limits and not to what an upload claims.
 *
 * B1. Everything that is made, copied, compared or walked again is paid for, each time.
 * B2. Spending more than there is throws `ComponentError` "too-complex" with the limit's name.
 */
export class Budget {
  readonly limits: CompileLimits;
  #definitions = 0;
  #typeNodes = 0;
  #typeWalk = 0;
  #coreModules = 0;
  #tables = 0;
  #tableElements = 0;
  #memories = 0;

  constructor(limits: CompileLimits) {
    this.limits = limits;
  }

  spendDefinitions(count: number, offset?: number): void {
    this.#definitions += count;
    if (this.#definitions > this.limits.definitionsMax) {
      throw tooComplex(`more than ${this.limits.definitionsMax} definitions`, offset);
    }
  }

  /** For each walk over a whole type, with what it shares expanded. */
  spendTypeWalk(nodes: number, offset?: number): void {
    this.#typeWalk += nodes;
    if (this.#typeWalk > this.limits.typeNodesMax * TYPE_WALKS) {
      throw tooComplex(
        `functions whose types have more than ${this.limits.typeNodesMax} parts in all`,
        offset,
      );
    }
  }

  /** What is made anew, or copied into the plan. One for each type, field, case, name of an enum or flag, and parameter, and for each 64 characters of a name. */
  spendTypeNodes(count: number, offset?: number): void {
    this.#typeNodes += count;
    if (this.#typeNodes > this.limits.typeNodesMax) {
      throw tooComplex(`types of more than ${this.limits.typeNodesMax} parts`, offset);
    }
  }

  spendCoreModule(offset: number): void {
    this.#coreModules += 1;
    if (this.#coreModules > this.limits.coreModulesMax) {
      throw tooComplex(`more than ${this.limits.coreModulesMax} core modules`, offset);
    }
  }

  /** For each instance of a core module: what it makes, it makes again. */
  spendCoreResources({ tables, tableElements, memories }: CoreResources, offset: number): void {
    this.#tables += tables;
    this.#tableElements += tableElements;
    this.#memories += memories;
    const { tablesMax, tableElementsMax, memoriesMax } = this.limits;
    if (this.#tables > tablesMax) throw tooComplex(`more than ${tablesMax} tables`, offset);
    if (this.#tableElements > tableElementsMax) {
      throw tooComplex(`tables of more than ${tableElementsMax} elements in all`, offset);
    }
    if (this.#memories > memoriesMax) throw tooComplex(`more than ${memoriesMax} memories`, offset);
  }

  checkDepth(depth: number, offset?: number): void {
    if (depth > this.limits.nestingDepthMax) {
      throw tooComplex(
        `more than ${this.limits.nestingDepthMax} components inside each other`,
        offset,
      );
    }
  }
}

export function tooComplex(problem: string, offset?: number): ComponentError {
  const place = offset === undefined ? "" : ` (at byte ${offset})`;
  return new ComponentError("too-complex", [`the component has ${problem}${place}`], offset);
}
