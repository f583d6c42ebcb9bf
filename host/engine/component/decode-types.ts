import { unsupported } from "./reader.ts";
import type { BinaryReader } from "./reader.ts";
import type { Budget } from "./budget.ts";
import { isLabel, quoteName } from "./names.ts";
import { malformed } from "./reader.ts";
import { readAlias, readExternName } from "./decode-names.ts";
import type {
  Declaration,
  ExternTypeSyntax,
  LabelledType,
  TypeReference,
  TypeSyntax,
  ValueTypeSyntax,
} from "./syntax.ts";
import type { PrimitiveKind } from "./types.ts";

// The type section: value, function, instance, component and resource types.

const PRIMITIVES: ReadonlyMap<number, PrimitiveKind> = new Map([
  [0x7f, "bool"],
  [0x7e, "s8"],
  [0x7d, "u8"],
  [0x7c, "s16"],
  [0x7b, "u16"],
  [0x7a, "s32"],
  [0x79, "u32"],
  [0x78, "s64"],
  [0x77, "u64"],
  [0x76, "f32"],
  [0x75, "f64"],
  [0x74, "char"],
  [0x73, "string"],
]);

const REFUSED_TYPES: ReadonlyMap<number, string> = new Map([
  [0x67, "the type list of a fixed length"],
  [0x64, "the type error-context"],
  [0x63, "the type map"],
  [0x3e, "a resource with an async destructor"],
]);

/** One entry of a type section. `depth` counts the components and types around it. */
export function readType(reader: BinaryReader, budget: Budget, depth: number): TypeSyntax {
  const opcode = reader.peekByte("a type");
  switch (opcode) {
    case 0x40:
    case 0x43:
      return readFuncType(reader, budget);
    case 0x41:
    case 0x42:
      return readScopeType(reader, budget, depth + 1);
    case 0x3f:
      return readResourceType(reader);
    default:
      return readValueType(reader, budget);
  }
}

function readValueType(reader: BinaryReader, budget: Budget): ValueTypeSyntax {
  const opcode = reader.byte("a type");
  budget.spendTypeNodes(1, reader.offset);
  const primitive = PRIMITIVES.get(opcode);
  if (primitive !== undefined) return { kind: "primitive", type: primitive };
  const refused = REFUSED_TYPES.get(opcode);
  if (refused !== undefined) throw unsupported(refused, reader.offset - 1);
  switch (opcode) {
    case 0x72:
      return { kind: "record", fields: readLabelledTypes(reader, budget, "fields", 1) };
    case 0x71:
      return { kind: "variant", cases: readCases(reader, budget) };
    case 0x70:
      return { kind: "list", element: readTypeReference(reader) };
    case 0x6f: {
      const types = reader.vector("types of a tuple", () => {
        budget.spendTypeNodes(1, reader.offset);
        return readTypeReference(reader);
      });
      expectSome(types, "types of a tuple", reader.offset);
      return { kind: "tuple", types };
    }
    case 0x6e: {
      const names = readLabels(reader, budget, "flags");
      if (names.length > 32) throw malformed("expected at most 32 flags", reader.offset);
      return { kind: "flags", names };
    }
    case 0x6d:
      return { kind: "enum", names: readLabels(reader, budget, "names of an enum") };
    case 0x6b:
      return { kind: "option", type: readTypeReference(reader) };
    case 0x6a: {
      const ok = readOptionalType(reader);
      return { kind: "result", ok, err: readOptionalType(reader) };
    }
    case 0x69:
      return { kind: "own", resource: reader.u32("the index of a resource") };
    case 0x68:
      return { kind: "borrow", resource: reader.u32("the index of a resource") };
    case 0x66:
      return { kind: "stream", element: readOptionalType(reader) };
    case 0x65:
      return { kind: "future", element: readOptionalType(reader) };
    default:
      throw reader.unexpected(opcode, "a type");
  }
}

function readFuncType(reader: BinaryReader, budget: Budget): TypeSyntax {
  const async = reader.byte("a function type") === 0x43;
  budget.spendTypeNodes(1, reader.offset);
  const params = readLabelledTypes(reader, budget, "parameters", 0);
  return { kind: "func", async, params, result: readResultList(reader) };
}

/** `0x00 type`, or `0x01 0x00` for no result. */
export function readResultList(reader: BinaryReader): TypeReference | null {
  const tag = reader.byte("the result of a function");
  if (tag === 0x00) return readTypeReference(reader);
  if (tag !== 0x01) throw reader.unexpected(tag, "the result of a function");
  const none = reader.byte("no result");
  if (none !== 0x00) throw reader.unexpected(none, "no result (named results are obsolete)");
  return null;
}

function readScopeType(reader: BinaryReader, budget: Budget, depth: number): TypeSyntax {
  const offset = reader.offset;
  budget.checkDepth(depth, offset);
  const isComponent = reader.byte("a type") === 0x41;
  const declarations = reader.vector("declarations of a type", (): Declaration => {
    budget.spendDefinitions(1, reader.offset);
    return readDeclaration(reader, budget, depth, isComponent);
  });
  return isComponent ? { kind: "component", declarations } : { kind: "instance", declarations };
}

function readDeclaration(
  reader: BinaryReader,
  budget: Budget,
  depth: number,
  isComponent: boolean,
): Declaration {
  const offset = reader.offset;
  const tag = reader.byte("a declaration");
  switch (tag) {
    case 0x00:
      throw unsupported("a core type in the type of an instance or component", offset);
    case 0x01:
      return { offset, kind: "type", type: readDeclaredType(reader, budget, depth) };
    case 0x02: {
      const alias = readAlias(reader);
      if (
        alias.kind === "alias-core-export" ||
        (alias.sort !== "type" && alias.sort !== "instance")
      ) {
        throw malformed("expected an alias of a type or an instance", offset);
      }
      return { offset, ...alias };
    }
    case 0x03:
      if (!isComponent) throw reader.unexpected(tag, "a declaration of an instance type");
      return {
        offset,
        kind: "import",
        name: readExternName(reader),
        type: readExternType(reader),
      };
    case 0x04:
      return {
        offset,
        kind: "export",
        name: readExternName(reader),
        type: readExternType(reader),
      };
    default:
      throw reader.unexpected(tag, "a declaration");
  }
}

function readDeclaredType(reader: BinaryReader, budget: Budget, depth: number): TypeSyntax {
  const offset = reader.offset;
  const type = readType(reader, budget, depth);
  if (type.kind === "resource") {
    throw malformed(
      "expected no resource definition in the type of an instance or component",
      offset,
    );
  }
  return type;
}

function readResourceType(reader: BinaryReader): TypeSyntax {
  const offset = reader.offset;
  reader.byte("a resource type");
  const representation = reader.byte("the representation of a resource");
  if (representation === 0x7e) throw unsupported("a resource represented by an i64", offset);
  if (representation !== 0x7f) throw reader.unexpected(representation, "the representation i32");
  const hasDestructor = readFlag(reader, "whether a resource has a destructor");
  return {
    kind: "resource",
    destructor: hasDestructor ? reader.u32("the index of a destructor") : null,
  };
}

export function readExternType(reader: BinaryReader): ExternTypeSyntax {
  const offset = reader.offset;
  const tag = reader.byte("the type of an import or export");
  switch (tag) {
    case 0x00: {
      const sort = reader.byte("a core module type");
      if (sort !== 0x11) throw reader.unexpected(sort, "a core module type");
      throw unsupported("a core module as import or export", offset);
    }
    case 0x01:
      return { kind: "func", type: reader.u32("the index of a function type") };
    case 0x02:
      throw unsupported("a value as import or export", offset);
    case 0x03: {
      const bound = reader.byte("the bound of a type");
      if (bound === 0x01) return { kind: "type-resource" };
      if (bound !== 0x00) throw reader.unexpected(bound, "the bound of a type");
      return { kind: "type-equal", type: reader.u32("the index of a type") };
    }
    case 0x04:
      return { kind: "component", type: reader.u32("the index of a component type") };
    case 0x05:
      return { kind: "instance", type: reader.u32("the index of an instance type") };
    default:
      throw reader.unexpected(tag, "the type of an import or export");
  }
}

export function readFlag(reader: BinaryReader, expected: string): boolean {
  const flag = reader.byte(expected);
  if (flag > 1) throw reader.unexpected(flag, expected);
  return flag === 1;
}

function readTypeReference(reader: BinaryReader): TypeReference {
  const opcode = reader.peekByte("a type");
  const primitive = PRIMITIVES.get(opcode);
  if (primitive !== undefined) {
    reader.byte("a type");
    return primitive;
  }
  // One byte below 0x80 with its sign bit set is an opcode, as in a signed LEB128 of 33 bits.
  if (opcode >= 0x40 && opcode < 0x80) {
    const refused = REFUSED_TYPES.get(opcode);
    if (refused !== undefined) throw unsupported(refused, reader.offset);
    reader.byte("a type");
    throw reader.unexpected(opcode, "a primitive type or the index of a type");
  }
  return reader.signedIndex("the index of a type");
}

function readOptionalType(reader: BinaryReader): TypeReference | null {
  return readFlag(reader, "whether there is a type") ? readTypeReference(reader) : null;
}

function readLabelledTypes(
  reader: BinaryReader,
  budget: Budget,
  expected: string,
  countMin: number,
): LabelledType[] {
  const seen = new Set<string>();
  const items = reader.vector(expected, () => {
    budget.spendTypeNodes(1, reader.offset);
    const name = readLabel(reader, seen);
    return { name, type: readTypeReference(reader) };
  });
  if (countMin > 0) expectSome(items, expected, reader.offset);
  return items;
}

function readCases(
  reader: BinaryReader,
  budget: Budget,
): { readonly name: string; readonly type: TypeReference | null }[] {
  const seen = new Set<string>();
  const cases = reader.vector("cases of a variant", () => {
    budget.spendTypeNodes(1, reader.offset);
    const name = readLabel(reader, seen);
    const type = readOptionalType(reader);
    const refines = reader.byte("the end of a case");
    if (refines !== 0x00) throw reader.unexpected(refines, "the end of a case");
    return { name, type };
  });
  expectSome(cases, "cases of a variant", reader.offset);
  return cases;
}

function readLabels(reader: BinaryReader, budget: Budget, expected: string): string[] {
  const seen = new Set<string>();
  const labels = reader.vector(expected, () => {
    budget.spendTypeNodes(1, reader.offset);
    return readLabel(reader, seen);
  });
  expectSome(labels, expected, reader.offset);
  return labels;
}

/** Labels of one type differ in more than upper and lower case. */
function readLabel(reader: BinaryReader, seen: Set<string>): string {
  const offset = reader.offset;
  const label = reader.name("a label");
  if (!isLabel(label))
    throw malformed(`expected a label in kebab-case, found ${quoteName(label)}`, offset);
  const folded = label.toLowerCase();
  if (seen.has(folded)) throw malformed(`the label ${quoteName(label)} is there twice`, offset);
  seen.add(folded);
  return label;
}

function expectSome(items: readonly unknown[], expected: string, offset: number): void {
  if (items.length === 0) throw malformed(`expected at least one of ${expected}`, offset);
}
