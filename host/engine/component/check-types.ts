import { bindExtern, resolveAlias } from "./bind.ts";
import type { Binding, Place } from "./bind.ts";
import type { Entity, ScopeType } from "./entity.ts";
import { ExternNames } from "./extern-names.ts";
import { quoteName } from "./names.ts";
import { malformed } from "./reader.ts";
import { resolveType } from "./resolve-types.ts";
import { Scope } from "./scope.ts";
import type { Declaration } from "./syntax.ts";

/**
 * Whether the type of an instance or component means anything, wherever it may be used: binding looks at it only where
 * something is supplied for it. The types that it declares are looked at as well, each once.
 */
export function checkScopeType(type: ScopeType, place: Place, binding: Binding): void {
  binding.budget.checkDepth(place.depth, place.offset);
  const scope = new Scope(type.outer, "type");
  const names = { import: new ExternNames("import"), export: new ExternNames("export") };
  for (const declaration of type.declarations) {
    binding.budget.spendDefinitions(1, declaration.offset);
    scope.add(declare(declaration, scope, names, place, binding));
  }
}

function declare(
  declaration: Declaration,
  scope: Scope,
  names: Readonly<Record<"import" | "export", ExternNames>>,
  { depth }: Place,
  binding: Binding,
): Entity {
  const { kind, offset } = declaration;
  switch (kind) {
    case "type": {
      if (declaration.type.kind === "resource") {
        throw malformed("expected no resource definition in a type", offset);
      }
      const type = resolveType(declaration.type, scope, binding, offset);
      if (type.kind === "instance" || type.kind === "component") {
        checkScopeType(type, { label: "a type", offset, depth: depth + 1 }, binding);
      }
      return { sort: "type", type };
    }
    case "import":
    case "export": {
      const { name } = declaration;
      const place = { label: `the ${kind} ${quoteName(name)}`, offset, depth: depth + 1 };
      const entity = bindExtern(declaration.type, scope, undefined, place, binding);
      names[kind].add(name, entity, offset);
      return entity;
    }
    case "alias-export":
    case "alias-core-export":
    case "alias-outer":
      return resolveAlias(declaration, scope, binding.budget, offset);
    default:
      return unreachable(declaration);
  }
}

function unreachable(value: never): never {
  throw new Error(`unreachable: ${JSON.stringify(value)}`);
}
