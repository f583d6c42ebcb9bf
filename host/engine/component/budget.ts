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
 * B2. Spending more than there is throws `ComponentError` "too-complex" with the name of the limit.
 */
export class Budget {
  readonly limits: CompileLimits;
  readonly #times: number;
  #definitions = 0;
  #sections = 0;
  #coreFunctions = 0;
  #nestingDepth = 0;
  #typeNodes = 0;
  #typeWalk = 0;
  #coreModules = 0;
  #tables = 0;
  #tableElements = 0;
  #memories = 0;

  /** `times` as much as the limits: for what looks at everything so many times. */
  constructor(limits: CompileLimits, times = 1) {
    this.limits = limits;
    this.#times = times;
  }

  get sections(): number {
    return this.#sections;
  }

  get coreFunctions(): number {
    return this.#coreFunctions;
  }

  /** The most components inside each other, the outermost included. */
  get nestingDepth(): number {
    return this.#nestingDepth;
  }

  get tableElements(): number {
    return this.#tableElements;
  }

  spendDefinitions(count: number, offset?: number): void {
    this.#definitions += count;
    const { definitionsMax } = this.limits;
    if (this.#definitions > definitionsMax * this.#times) {
      throw tooComplex(`more than ${definitionsMax} definitions`, offset, "definitionsMax");
    }
  }

  spendSections(count: number, offset?: number): void {
    this.#sections += count;
    const { sectionsMax } = this.limits;
    if (this.#sections > sectionsMax) {
      throw tooComplex(`more than ${sectionsMax} sections`, offset, "sectionsMax");
    }
  }

  spendCoreFunctions(count: number): void {
    this.#coreFunctions += count;
    const { coreFunctionsMax } = this.limits;
    if (this.#coreFunctions > coreFunctionsMax) {
      throw tooComplex(`more than ${coreFunctionsMax} functions`, undefined, "coreFunctionsMax");
    }
  }

  /** For each walk over a whole type, with what it shares expanded. */
  spendTypeWalk(nodes: number, offset?: number): void {
    this.#typeWalk += nodes;
    if (this.#typeWalk > this.limits.typeNodesMax * TYPE_WALKS * this.#times) {
      throw tooComplex(
        `functions whose types have more than ${this.limits.typeNodesMax} parts in all`,
        offset,
        "typeNodesMax",
      );
    }
  }

  /** What is made anew, or copied into the plan. One for each type, field, case, name of an enum or flag, and parameter, and for each 64 characters of a name. */
  spendTypeNodes(count: number, offset?: number): void {
    this.#typeNodes += count;
    if (this.#typeNodes > this.limits.typeNodesMax * this.#times) {
      throw tooComplex(
        `types of more than ${this.limits.typeNodesMax} parts`,
        offset,
        "typeNodesMax",
      );
    }
  }

  spendCoreModule(offset: number): void {
    this.#coreModules += 1;
    const { coreModulesMax } = this.limits;
    if (this.#coreModules > coreModulesMax * this.#times) {
      throw tooComplex(`more than ${coreModulesMax} core modules`, offset, "coreModulesMax");
    }
  }

  /** For each instance of a core module: what it makes, it makes again. */
  spendCoreResources({ tables, tableElements, memories }: CoreResources, offset: number): void {
    this.#tables += tables;
    this.#tableElements += tableElements;
    this.#memories += memories;
    const { tablesMax, tableElementsMax, memoriesMax } = this.limits;
    if (this.#tables > tablesMax) {
      throw tooComplex(`more than ${tablesMax} tables`, offset, "tablesMax");
    }
    if (this.#tableElements > tableElementsMax) {
      const problem = `tables of more than ${tableElementsMax} elements in all`;
      throw tooComplex(problem, offset, "tableElementsMax");
    }
    if (this.#memories > memoriesMax) {
      throw tooComplex(`more than ${memoriesMax} memories`, offset, "memoriesMax");
    }
  }

  checkDepth(depth: number, offset?: number): void {
    this.#nestingDepth = Math.max(this.#nestingDepth, depth);
    const { nestingDepthMax } = this.limits;
    if (depth > nestingDepthMax) {
      const problem = `more than ${nestingDepthMax} components inside each other`;
      throw tooComplex(problem, offset, "nestingDepthMax");
    }
  }
}

export function tooComplex(
  problem: string,
  offset?: number,
  limit?: keyof CompileLimits,
): ComponentError {
  const place = offset === undefined ? "" : ` (at byte ${offset})`;
  return new ComponentError("too-complex", [`the component has ${problem}${place}`], offset, limit);
}
