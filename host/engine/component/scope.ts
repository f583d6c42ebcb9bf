import type { Entity, EntityOf, OuterScope } from "./entity.ts";
import { malformed } from "./reader.ts";
import type { SortName } from "./syntax.ts";

/** The index spaces of one component instance, or of one type of an instance or component. */
export class Scope {
  readonly outer: OuterScope | undefined;
  /** Whether it is that of a component, or of the type of an instance or component. */
  readonly kind: "component" | "type";
  readonly #spaces = new Map<SortName, Entity[]>();

  constructor(outer: OuterScope | undefined, kind: "component" | "type") {
    this.outer = outer;
    this.kind = kind;
  }

  add(entity: Entity): void {
    const space = this.#spaces.get(entity.sort);
    if (space === undefined) this.#spaces.set(entity.sort, [entity]);
    else space.push(entity);
  }

  get<S extends SortName>(sort: S, index: number, offset: number): EntityOf<S> {
    const entity = this.#spaces.get(sort)?.[index];
    if (entity === undefined) {
      throw malformed(
        `expected the index of a ${sort}, found ${index} where ${this.count(sort)} are defined`,
        offset,
      );
    }
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- `add` chose the space by the sort.
    return entity as EntityOf<S>;
  }

  count(sort: SortName): number {
    return this.#spaces.get(sort)?.length ?? 0;
  }

  /** This scope as those inside of it see it from here on: what is defined later is not visible. */
  asOuter(): OuterScope {
    return {
      scope: this,
      visible: {
        type: this.count("type"),
        component: this.count("component"),
        "core module": this.count("core module"),
      },
    };
  }

  /** Whether so many scopes outwards is outside of a component that this scope is in, or is that of. */
  leavesComponent(outwards: number): boolean {
    if (outwards === 0) return false;
    return this.kind === "component" || this.outer?.scope.leavesComponent(outwards - 1) === true;
  }

  getOuter(
    sort: "type" | "component" | "core module",
    outwards: number,
    index: number,
    offset: number,
  ): Entity {
    if (outwards === 0) return this.get(sort, index, offset);
    let outer = this.outer;
    for (let i = 1; i < outwards && outer !== undefined; i += 1) outer = outer.scope.outer;
    if (outer === undefined) {
      throw malformed(`expected an enclosing scope, found ${outwards} scopes outwards`, offset);
    }
    if (index >= outer.visible[sort]) {
      throw malformed(
        `expected the index of an outer ${sort}, found ${index} where ${outer.visible[sort]} are defined`,
        offset,
      );
    }
    return outer.scope.get(sort, index, offset);
  }
}
