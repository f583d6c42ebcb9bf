import type { Budget } from "./budget.ts";
import { tooComplex } from "./budget.ts";
import type { ResolvedType, SizedFunc, SizedValue } from "./entity.ts";
import { malformed } from "./reader.ts";
import type { Scope } from "./scope.ts";
import type { TypeReference, TypeSyntax, ValueTypeSyntax } from "./syntax.ts";
import type { TypeNumbers } from "./type-numbers.ts";
import type { Field, PrimitiveKind, ResourceId, TypeNumber, ValueType } from "./types.ts";

// Types as trees: every index replaced by what it stands for.
//
// Parts are shared in memory, but whoever walks a type meets a shared part once for each use: a few
// nested pairs stand for a million parts. So each type carries its expanded size, and is refused by
// that size before anything walks it. A long name counts as several parts: types are compared, and written into
// plans, with their names.

/** Lifting and lowering recurse into a type; this many levels fit on any stack. */
const VALUE_DEPTH_MAX = 100;

/** A name of so many characters is one part more. */
const NAME_PART_LENGTH = 64;

export interface TypeMaking {
  readonly budget: Budget;
  readonly typeNumbers: TypeNumbers;
}

const PRIMITIVE_TYPES = new Map<PrimitiveKind, SizedValue>();

function primitive(kind: PrimitiveKind): SizedValue {
  let type = PRIMITIVE_TYPES.get(kind);
  if (type === undefined) {
    type = { kind: "value", type: { kind }, nodes: 1, depth: 1, hasBorrow: false };
    PRIMITIVE_TYPES.set(kind, type);
  }
  return type;
}

export function resolveType(
  syntax: Exclude<TypeSyntax, { kind: "resource" }>,
  scope: Scope,
  making: TypeMaking,
  offset: number,
): ResolvedType {
  switch (syntax.kind) {
    case "func":
      return resolveFunc(syntax, new Parts(scope, making, offset));
    case "instance":
    case "component":
      return { kind: syntax.kind, declarations: syntax.declarations, outer: scope.asOuter() };
    case "primitive":
    case "list":
    case "record":
    case "tuple":
    case "variant":
    case "enum":
    case "flags":
    case "option":
    case "result":
    case "own":
    case "borrow":
    case "stream":
    case "future":
      return resolveValue(syntax, new Parts(scope, making, offset));
    default:
      return unreachable(syntax);
  }
}

export function resolveReference(
  reference: TypeReference,
  scope: Scope,
  offset: number,
): SizedValue {
  if (typeof reference === "string") return primitive(reference);
  const { type } = scope.get("type", reference, offset);
  if (type.kind !== "value") {
    throw malformed(`expected a value type, found the type of a ${type.kind}`, offset);
  }
  return type;
}

export function resolveResource(
  index: number,
  scope: Scope,
  offset: number,
): ResolvedType & { kind: "resource" } {
  const { type } = scope.get("type", index, offset);
  if (type.kind !== "resource") {
    throw malformed(`expected a resource, found the type of a ${type.kind}`, offset);
  }
  return type;
}

/** Resolves the parts of one type, and adds up what they cost. */
class Parts {
  nodes = 1;
  depth = 1;
  hasBorrow = false;
  readonly offset: number;
  readonly #scope: Scope;
  readonly #budget: Budget;
  readonly #typeNumbers: TypeNumbers;

  constructor(scope: Scope, { budget, typeNumbers }: TypeMaking, offset: number) {
    this.#scope = scope;
    this.#budget = budget;
    this.#typeNumbers = typeNumbers;
    this.offset = offset;
  }

  type(reference: TypeReference): ValueType {
    const part = resolveReference(reference, this.#scope, this.offset);
    this.#spend(1);
    this.nodes += part.nodes;
    if (this.nodes > this.#budget.limits.typeNodesMax) {
      throw tooComplex(
        `a type of more than ${this.#budget.limits.typeNodesMax} parts`,
        this.offset,
      );
    }
    this.depth = Math.max(this.depth, part.depth + 1);
    if (this.depth > VALUE_DEPTH_MAX) {
      throw tooComplex(`types of more than ${VALUE_DEPTH_MAX} levels`, this.offset);
    }
    this.hasBorrow ||= part.hasBorrow;
    return part.type;
  }

  optional(reference: TypeReference | null): ValueType | null {
    return reference === null ? null : this.type(reference);
  }

  resource(index: number): ResourceId {
    return resolveResource(index, this.#scope, this.offset).resource;
  }

  /** Those that are parts by themselves. */
  names(names: readonly string[]): void {
    this.#spend(names.length);
    this.labels(names);
  }

  /** Those of parts that are counted already. */
  labels(names: readonly string[]): void {
    this.#spend(names.reduce((sum, name) => sum + Math.floor(name.length / NAME_PART_LENGTH), 0));
  }

  number(type: ValueType | null): TypeNumber {
    return this.#typeNumbers.numberOf(type, this.nodes);
  }

  #spend(count: number): void {
    this.nodes += count;
    this.#budget.spendTypeNodes(count, this.offset);
  }

  sized(type: ValueType): SizedValue {
    return {
      kind: "value",
      type,
      nodes: this.nodes,
      depth: this.depth,
      hasBorrow: this.hasBorrow,
    };
  }
}

function resolveValue(syntax: ValueTypeSyntax, parts: Parts): SizedValue {
  switch (syntax.kind) {
    case "primitive":
      return primitive(syntax.type);
    case "list":
      return parts.sized({ kind: "list", element: parts.type(syntax.element) });
    case "record":
      return parts.sized({ kind: "record", fields: fields(syntax.fields, parts) });
    case "tuple":
      return parts.sized({ kind: "tuple", types: syntax.types.map((type) => parts.type(type)) });
    case "variant":
      parts.names(syntax.cases.map(({ name }) => name));
      return parts.sized({
        kind: "variant",
        cases: syntax.cases.map(({ name, type }) => ({ name, type: parts.optional(type) })),
      });
    case "enum":
    case "flags":
      parts.names(syntax.names);
      return parts.sized({ kind: syntax.kind, names: syntax.names });
    case "option":
      return parts.sized({ kind: "option", type: parts.type(syntax.type) });
    case "result":
      return parts.sized({
        kind: "result",
        ok: parts.optional(syntax.ok),
        err: parts.optional(syntax.err),
      });
    case "own":
      return parts.sized({ kind: "own", resource: parts.resource(syntax.resource) });
    case "borrow":
      parts.hasBorrow = true;
      return parts.sized({ kind: "borrow", resource: parts.resource(syntax.resource) });
    case "stream":
    case "future": {
      const element = parts.optional(syntax.element);
      if (parts.hasBorrow) {
        throw malformed(`expected no borrowed handle in a ${syntax.kind}`, parts.offset);
      }
      if (syntax.kind === "stream" && element?.kind === "char") {
        throw malformed("expected no stream of the type char", parts.offset);
      }
      const elementNumber = parts.number(element);
      return parts.sized({ kind: syntax.kind, element, elementNumber });
    }
    default:
      return unreachable(syntax);
  }
}

function resolveFunc(syntax: TypeSyntax & { kind: "func" }, parts: Parts): SizedFunc {
  const params = fields(syntax.params, parts);
  parts.hasBorrow = false;
  const result = parts.optional(syntax.result);
  if (parts.hasBorrow) {
    throw malformed("expected no borrowed handle in the result of a function", parts.offset);
  }
  return { kind: "func", type: { async: syntax.async, params, result }, nodes: parts.nodes };
}

function fields(
  syntax: readonly { readonly name: string; readonly type: TypeReference }[],
  parts: Parts,
): Field[] {
  parts.labels(syntax.map(({ name }) => name));
  return syntax.map(({ name, type }) => ({ name, type: parts.type(type) }));
}

function unreachable(value: never): never {
  throw new Error(`unreachable: ${JSON.stringify(value)}`);
}
