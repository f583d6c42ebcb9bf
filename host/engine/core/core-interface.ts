import { malformed } from "../component/reader.ts";
import {
  itemKinds,
  readGlobalType,
  readMemoryType,
  readSections,
  readTableType,
  readTypes,
  sections,
  vector,
} from "./core-module.ts";
import type { FunctionType, GlobalType, MemoryType, Section, TableType } from "./core-module.ts";
import { CoreReader } from "./core-reader.ts";

// What a core module asks for and gives, by type, so that it can be compared before anything is instantiated.
//
// I1. Any bytes give an interface or a `ComponentError`; the time is linear in their number. Whether they are valid
//     besides, V8 decides.

export type CoreItemType =
  | { readonly sort: "core func"; readonly type: FunctionType }
  | { readonly sort: "core table"; readonly type: Omit<TableType, "elementBytes"> }
  | { readonly sort: "core memory"; readonly type: MemoryType }
  | { readonly sort: "core global"; readonly type: GlobalType }
  | { readonly sort: "core tag"; readonly type: FunctionType };

export interface CoreInterface {
  readonly imports: readonly {
    readonly module: string;
    readonly name: string;
    readonly item: CoreItemType;
  }[];
  readonly exports: ReadonlyMap<string, CoreItemType>;
}

export function readCoreInterface(bytes: Uint8Array): CoreInterface {
  const found = new Map<number, Section>();
  for (const section of readSections(bytes)) found.set(section.id, section);
  const bodyOf = (id: number): CoreReader | undefined => {
    const section = found.get(id);
    return section && new CoreReader(bytes, section.bodyStart, section.end);
  };
  const types = readTypes(bodyOf(sections.type));
  const imports = vector(bodyOf(sections.import), (reader) => ({
    module: readName(reader),
    name: readName(reader),
    item: readItemType(reader, types),
  }));
  const spaces = new IndexSpaces();
  for (const { item } of imports) spaces.add(item);
  vector(bodyOf(sections.function), (reader) => {
    spaces.add({ sort: "core func", type: functionType(reader, types) });
  });
  vector(bodyOf(sections.table), (reader) => {
    spaces.add({ sort: "core table", type: readTableType(reader) });
  });
  vector(bodyOf(sections.memory), (reader) => {
    spaces.add({ sort: "core memory", type: readMemoryType(reader) });
  });
  vector(bodyOf(sections.tag), (reader) => {
    spaces.add({ sort: "core tag", type: readTagType(reader, types) });
  });
  vector(bodyOf(sections.global), (reader) => {
    spaces.add({ sort: "core global", type: readGlobalType(reader) });
    reader.skipConstantExpression();
  });
  const exports = vector(bodyOf(sections.export), (reader) => {
    const name = readName(reader);
    const kind = reader.byte();
    return [name, spaces.get(kind, reader.u32(), reader.at)] as const;
  });
  return { imports, exports: new Map(exports) };
}

class IndexSpaces {
  readonly #items = new Map<CoreItemType["sort"], CoreItemType[]>();

  add(item: CoreItemType): void {
    const items = this.#items.get(item.sort);
    if (items === undefined) this.#items.set(item.sort, [item]);
    else items.push(item);
  }

  get(kind: number, index: number, at: number): CoreItemType {
    const sort = SORTS.get(kind);
    const item = sort === undefined ? undefined : this.#items.get(sort)?.[index];
    if (item === undefined) throw malformed("expected something that a core module exports", at);
    return item;
  }
}

const SORTS: ReadonlyMap<number, CoreItemType["sort"]> = new Map([
  [itemKinds.function, "core func"],
  [itemKinds.table, "core table"],
  [itemKinds.memory, "core memory"],
  [itemKinds.global, "core global"],
  [itemKinds.tag, "core tag"],
]);

const utf8 = new TextDecoder("utf-8", { ignoreBOM: true });

function readName(reader: CoreReader): string {
  const { at, end, bytes } = reader.part(reader.u32());
  return utf8.decode(bytes.subarray(at, end));
}

function readItemType(
  reader: CoreReader,
  types: readonly (FunctionType | undefined)[],
): CoreItemType {
  const kind = reader.byte();
  switch (kind) {
    case itemKinds.function:
      return { sort: "core func", type: functionType(reader, types) };
    case itemKinds.table:
      return { sort: "core table", type: readTableType(reader) };
    case itemKinds.memory:
      return { sort: "core memory", type: readMemoryType(reader) };
    case itemKinds.global:
      return { sort: "core global", type: readGlobalType(reader) };
    case itemKinds.tag:
      return { sort: "core tag", type: readTagType(reader, types) };
    default:
      throw malformed(`expected the kind of an import, found ${kind}`, reader.at - 1);
  }
}

function functionType(
  reader: CoreReader,
  types: readonly (FunctionType | undefined)[],
): FunctionType {
  const type = types[reader.u32()];
  if (type === undefined) throw malformed("expected the type of a core function", reader.at);
  return type;
}

function readTagType(
  reader: CoreReader,
  types: readonly (FunctionType | undefined)[],
): FunctionType {
  reader.skip(1);
  return functionType(reader, types);
}
