import { parseExternName, quoteName } from "./names.ts";
import { malformed, unsupported } from "./reader.ts";
import type { BinaryReader } from "./reader.ts";
import type { AliasSyntax, NamedSortIndex, SortIndex, SortName } from "./syntax.ts";

// How a component refers to things: sorts, indices, aliases, and the names of imports and exports.

const CORE_SORTS: ReadonlyMap<number, SortName> = new Map([
  [0x00, "core func"],
  [0x01, "core table"],
  [0x02, "core memory"],
  [0x03, "core global"],
  [0x04, "core tag"],
  [0x11, "core module"],
  [0x12, "core instance"],
]);

const SORTS: ReadonlyMap<number, SortName> = new Map([
  [0x01, "func"],
  [0x03, "type"],
  [0x04, "component"],
  [0x05, "instance"],
]);

export function readCoreSort(reader: BinaryReader): SortName {
  const offset = reader.offset;
  const tag = reader.byte("a core sort");
  if (tag === 0x10) throw unsupported("a core type", offset);
  const sort = CORE_SORTS.get(tag);
  if (sort === undefined) throw reader.unexpected(tag, "a core sort");
  return sort;
}

function readSort(reader: BinaryReader): SortName {
  const offset = reader.offset;
  const tag = reader.byte("a sort");
  if (tag === 0x00) return readCoreSort(reader);
  if (tag === 0x02) throw unsupported("a value", offset);
  const sort = SORTS.get(tag);
  if (sort === undefined) throw reader.unexpected(tag, "a sort");
  return sort;
}

export function readSortIndex(reader: BinaryReader): SortIndex {
  const sort = readSort(reader);
  return { sort, index: reader.u32(`the index of a ${sort}`) };
}

export function readNamedSortIndex(reader: BinaryReader, name: string): NamedSortIndex {
  const { sort, index } = readSortIndex(reader);
  return { name, sort, index };
}

export function readAlias(reader: BinaryReader): AliasSyntax {
  const offset = reader.offset;
  const sort = readSort(reader);
  const target = reader.byte("the target of an alias");
  switch (target) {
    case 0x00:
      if (sort.startsWith("core ") && sort !== "core module") {
        throw malformed(`expected the alias of a component's export, found a ${sort}`, offset);
      }
      return {
        kind: "alias-export",
        sort,
        instance: reader.u32("the index of an instance"),
        name: reader.name("the name of an export"),
      };
    case 0x01:
      if (!sort.startsWith("core ") || sort === "core module" || sort === "core instance") {
        throw malformed(`expected the alias of a core export, found a ${sort}`, offset);
      }
      return {
        kind: "alias-core-export",
        sort,
        instance: reader.u32("the index of a core instance"),
        name: reader.name("the name of a core export"),
      };
    case 0x02:
      if (sort !== "type" && sort !== "component" && sort !== "core module") {
        throw malformed(
          `expected the outer alias of a type, component or module, found a ${sort}`,
          offset,
        );
      }
      return {
        kind: "alias-outer",
        sort,
        outer: reader.u32("how many scopes outwards"),
        index: reader.u32(`the index of a ${sort}`),
      };
    default:
      throw reader.unexpected(target, "the target of an alias");
  }
}

/** The name of an import or export; whether it fits beside others is judged where it is used. */
export function readExternName(reader: BinaryReader): string {
  const offset = reader.offset;
  const tag = reader.byte("the name of an import or export");
  if (tag === 0x02) throw unsupported("a name with attributes", offset);
  if (tag > 0x01) throw reader.unexpected(tag, "the name of an import or export");
  const name = reader.name("the name of an import or export");
  if (parseExternName(name) === undefined) {
    throw malformed(`expected the name of an import or export, found ${quoteName(name)}`, offset);
  }
  return name;
}
