import type { Budget } from "./budget.ts";
import type { ResolvedType, ScopeType } from "./entity.ts";
import type { Scope } from "./scope.ts";
import type { Declaration } from "./syntax.ts";
import { containsResource } from "./type-parts.ts";

/**
 * Whether a type says something of a resource that it does not declare itself. Such a type is made anew by each instance
 * of a component, and means nothing inside of another one.
 */
export function mentionsResource(type: ResolvedType, budget: Budget, offset: number): boolean {
  switch (type.kind) {
    case "resource":
      return true;
    case "value":
      budget.spendTypeWalk(type.nodes, offset);
      return containsResource(type.type);
    case "func": {
      budget.spendTypeWalk(type.nodes, offset);
      const { params, result } = type.type;
      const values = params.map((param) => param.type);
      return [...values, ...(result === null ? [] : [result])].some(containsResource);
    }
    case "instance":
    case "component":
      return reachesResource(type.declarations, 1, type.outer.scope, budget);
    default:
      return unreachable(type);
  }
}

/** `depth`: so many scopes outwards is the one around the type. */
function reachesResource(
  declarations: ScopeType["declarations"],
  depth: number,
  around: Scope,
  budget: Budget,
): boolean {
  return declarations.some((declaration) => {
    budget.spendDefinitions(1, declaration.offset);
    if (declaration.kind === "alias-outer") {
      return isResourceAlias(declaration, depth, around, budget);
    }
    if (declaration.kind !== "type") return false;
    const { type } = declaration;
    const isScope = type.kind === "instance" || type.kind === "component";
    return isScope && reachesResource(type.declarations, depth + 1, around, budget);
  });
}

function isResourceAlias(
  { sort, outer, index, offset }: Declaration & { kind: "alias-outer" },
  depth: number,
  around: Scope,
  budget: Budget,
): boolean {
  if (sort !== "type" || outer < depth) return false;
  const found = around.getOuter(sort, outer - depth, index, offset);
  return found.sort === "type" && mentionsResource(found.type, budget, offset);
}

function unreachable(value: never): never {
  throw new Error(`unreachable: ${JSON.stringify(value)}`);
}
