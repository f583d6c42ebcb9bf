import type { Budget } from "./budget.ts";
import { describeFuncType } from "./describe-type.ts";
import type { Entity, InstanceEntity, ResolvedType, ScopeType, TypeEntity } from "./entity.ts";
import { ExternNames } from "./extern-names.ts";
import { quoteName } from "./names.ts";
import { malformed, unsupported } from "./reader.ts";
import { mentionsResource } from "./resource-mentions.ts";
import { resolveType } from "./resolve-types.ts";
import type { TypeMaking } from "./resolve-types.ts";
import { Scope } from "./scope.ts";
import type { AliasSyntax, Declaration, ExternTypeSyntax } from "./syntax.ts";
import { isSameFunc, isSameValue } from "./type-equality.ts";
import type { ResourceId } from "./types.ts";

/**
 * Binding gives what an import (or the type of an export) declares its meaning, from what is supplied
 * in its place. Abstract resources become the supplied ones first, in the order of declaration, so
 * that whatever is declared after them can be compared by plain equality.
 *
 * N1. The outcome has exactly the names that were declared: a user of it cannot reach further ones.
 * N2. A mismatch is reported, and binding goes on as if it fitted: all problems are found in one pass.
 */
export interface Binding extends TypeMaking {
  readonly report: (problem: string) => void;
  /** Stands for a resource that was not supplied. */
  readonly freshResource: () => ResourceId;
  /** What stands for an import or export that is a component. */
  readonly component: (type: ScopeType, offset: number) => Entity;
}

/** Where in the upload, and how messages call it. */
export interface Place {
  readonly label: string;
  readonly offset: number;
  readonly depth: number;
}

export function bindExtern(
  syntax: ExternTypeSyntax,
  scope: Scope,
  supplied: Entity | undefined,
  place: Place,
  binding: Binding,
): Entity {
  switch (syntax.kind) {
    case "func": {
      const { type } = scope.get("type", syntax.type, place.offset);
      if (type.kind !== "func") throw expectedType("function", type, place.offset);
      if (supplied?.sort !== "func") {
        if (supplied !== undefined)
          binding.report(`${place.label} is a ${supplied.sort}, not a func`);
        return { sort: "func", type, origin: { kind: "missing" } };
      }
      if (!isSameFunc(type, supplied.type, binding.budget)) {
        const [declared, offered] = [type, supplied.type].map((func) =>
          describeFuncType(func.type),
        );
        binding.report(`${place.label} is ${declared}, expected ${offered}`);
      }
      return { sort: "func", type, origin: supplied.origin };
    }
    case "type-equal":
      return bindEqualType(scope.get("type", syntax.type, place.offset), supplied, place, binding);
    case "type-resource":
      if (supplied?.sort === "type" && supplied.type.kind === "resource") return supplied;
      if (supplied !== undefined) binding.report(`${place.label} is not a resource`);
      return {
        sort: "type",
        type: { kind: "resource", resource: binding.freshResource(), definedIn: undefined },
      };
    case "instance": {
      const { type } = scope.get("type", syntax.type, place.offset);
      if (type.kind !== "instance") throw expectedType("instance", type, place.offset);
      if (supplied !== undefined && supplied.sort !== "instance") {
        binding.report(`${place.label} is a ${supplied.sort}, not an instance`);
        return bindInstance(type, undefined, place, binding);
      }
      return bindInstance(type, supplied, place, binding);
    }
    case "component": {
      const { type } = scope.get("type", syntax.type, place.offset);
      if (type.kind !== "component") throw expectedType("component", type, place.offset);
      return binding.component(type, place.offset);
    }
    default:
      return unreachable(syntax);
  }
}

function bindInstance(
  type: ScopeType,
  supplied: InstanceEntity | undefined,
  place: Place,
  binding: Binding,
): InstanceEntity {
  binding.budget.checkDepth(place.depth, place.offset);
  const scope = new Scope(type.outer, "type");
  const exports = new Map<string, Entity>();
  const names = new ExternNames("export");
  for (const declaration of type.declarations) {
    binding.budget.spendDefinitions(1, declaration.offset);
    bindDeclaration(declaration, { scope, exports, names, supplied }, place, binding);
  }
  return { sort: "instance", exports, isHost: false };
}

interface BoundInstance {
  readonly scope: Scope;
  readonly exports: Map<string, Entity>;
  readonly names: ExternNames;
  readonly supplied: InstanceEntity | undefined;
}

function bindDeclaration(
  declaration: Declaration,
  { scope, exports, names, supplied }: BoundInstance,
  place: Place,
  binding: Binding,
): void {
  const { offset } = declaration;
  switch (declaration.kind) {
    case "type": {
      if (declaration.type.kind === "resource") throw unsupported("a resource type here", offset);
      const type = resolveType(declaration.type, scope, binding, offset);
      scope.add({ sort: "type", type });
      return;
    }
    case "import":
      throw malformed("expected no import in an instance type", offset);
    case "export": {
      const { name } = declaration;
      const found = supplied?.exports.get(name);
      const isDefinedHere = supplied?.isHost === true && declaration.type.kind === "type-equal";
      if (supplied !== undefined && found === undefined && !isDefinedHere) {
        binding.report(`${place.label} has no ${nounOf(declaration.type)} ${quoteName(name)}`);
      }
      const inner = {
        label: `${place.label} ${nounOf(declaration.type)} ${quoteName(name)}`,
        offset,
        depth: place.depth + 1,
      };
      const entity = bindExtern(declaration.type, scope, found, inner, binding);
      names.add(name, entity, offset);
      exports.set(name, entity);
      scope.add(entity);
      return;
    }
    case "alias-export":
    case "alias-core-export":
    case "alias-outer":
      scope.add(resolveAlias(declaration, scope, binding.budget, offset));
      return;
    default:
      declaration satisfies never;
  }
}

function bindEqualType(
  declared: TypeEntity,
  supplied: Entity | undefined,
  place: Place,
  binding: Binding,
): TypeEntity {
  if (supplied === undefined) return declared;
  if (supplied.sort !== "type" || !isSameType(declared.type, supplied.type, binding.budget)) {
    binding.report(`${place.label} is not the type that is expected`);
  }
  return declared;
}

function isSameType(a: ResolvedType, b: ResolvedType, budget: Budget): boolean {
  if (a.kind === "value") return b.kind === "value" && isSameValue(a, b, budget);
  if (a.kind === "func") return b.kind === "func" && isSameFunc(a, b, budget);
  if (a.kind === "resource") return b.kind === "resource" && a.resource === b.resource;
  // Types of instances and components mean something only where they are bound: compared there.
  return a.kind === b.kind;
}

/** Aliases of a component instance's exports, and of what enclosing scopes define. */
export function resolveAlias(
  alias: AliasSyntax,
  scope: Scope,
  budget: Budget,
  offset: number,
): Entity {
  switch (alias.kind) {
    case "alias-export": {
      const found = scope.get("instance", alias.instance, offset).exports.get(alias.name);
      if (found === undefined || found.sort !== alias.sort) {
        throw malformed(
          `expected an instance with the ${alias.sort} ${quoteName(alias.name)}`,
          offset,
        );
      }
      return found;
    }
    case "alias-core-export": {
      const found = scope.get("core instance", alias.instance, offset).lookup(alias.name);
      if (found === undefined || found.sort !== alias.sort) {
        throw malformed(
          `expected a core instance with the ${alias.sort} ${quoteName(alias.name)}`,
          offset,
        );
      }
      return found;
    }
    case "alias-outer": {
      const { sort } = alias;
      if (sort !== "type" && sort !== "component" && sort !== "core module") {
        throw malformed(`expected no outer alias of a ${sort}`, offset);
      }
      const found = scope.getOuter(sort, alias.outer, alias.index, offset);
      if (
        found.sort === "type" &&
        scope.leavesComponent(alias.outer) &&
        mentionsResource(found.type, budget, offset)
      ) {
        throw malformed("expected the outer alias of a type without resources", offset);
      }
      return found;
    }
    default:
      return unreachable(alias);
  }
}

function nounOf(type: ExternTypeSyntax): string {
  switch (type.kind) {
    case "func":
      return "function";
    case "type-resource":
      return "resource";
    case "type-equal":
      return "type";
    case "instance":
    case "component":
      return type.kind;
    default:
      return unreachable(type);
  }
}

function expectedType(expected: string, found: ResolvedType, offset: number): Error {
  return malformed(`expected the type of a ${expected}, found the type of a ${found.kind}`, offset);
}

function unreachable(value: never): never {
  throw new Error(`unreachable: ${JSON.stringify(value)}`);
}
