import type { Budget } from "./budget.ts";
import type { ResolvedType, ScopeType } from "./entity.ts";
import type { Scope } from "./scope.ts";
import { containsResource } from "./type-parts.ts";

/** Those that were looked at already: with a type that mentions one, no component is taken. */
const WITHOUT_RESOURCES = new WeakSet<ScopeType>();

/**
 * Whether a type says something of a resource that it does not declare itself. Such a type is made anew by each instance
 * of a component, and means nothing inside of another one. A type has aliases of types that have aliases in turn, as often as
 * an upload likes: they are followed one after the other, and not inside each other.
 */
export function mentionsResource(type: ResolvedType, budget: Budget, offset: number): boolean {
  const reached = new Set([type]);
  const scopeTypes: ScopeType[] = [];
  for (const next of reached) {
    if (isScopeType(next)) {
      if (WITHOUT_RESOURCES.has(next)) continue;
      reachAliases(next.declarations, 1, next.outer.scope, budget, reached);
      scopeTypes.push(next);
    } else if (hasResource(next, budget, offset)) {
      return true;
    }
  }
  for (const scopeType of scopeTypes) WITHOUT_RESOURCES.add(scopeType);
  return false;
}

function isScopeType(type: ResolvedType): type is ScopeType {
  return type.kind === "instance" || type.kind === "component";
}

function hasResource(
  type: Exclude<ResolvedType, ScopeType>,
  budget: Budget,
  offset: number,
): boolean {
  if (type.kind === "resource") return true;
  budget.spendTypeWalk(type.nodes, offset);
  if (type.kind === "value") return containsResource(type.type);
  const { params, result } = type.type;
  const values = params.map((param) => param.type);
  return [...values, ...(result === null ? [] : [result])].some(containsResource);
}

/** Adds the types that it has aliases of. `depth`: so many scopes outwards is the one around the type. */
function reachAliases(
  declarations: ScopeType["declarations"],
  depth: number,
  around: Scope,
  budget: Budget,
  reached: Set<ResolvedType>,
): void {
  for (const declaration of declarations) {
    budget.spendDefinitions(1, declaration.offset);
    if (declaration.kind === "alias-outer") {
      const { sort, outer, index, offset } = declaration;
      if (sort !== "type" || outer < depth) continue;
      const found = around.getOuter(sort, outer - depth, index, offset);
      if (found.sort === "type") reached.add(found.type);
    } else if (declaration.kind === "type") {
      const { type } = declaration;
      const isScope = type.kind === "instance" || type.kind === "component";
      if (isScope) reachAliases(type.declarations, depth + 1, around, budget, reached);
    }
  }
}
