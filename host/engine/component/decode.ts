import { ComponentError } from "../engine.ts";
import type { CompileLimits } from "../engine.ts";
import { Budget } from "./budget.ts";
import { readCanon } from "./decode-canon.ts";
import {
  readAlias,
  readCoreSort,
  readExternName,
  readNamedSortIndex,
  readSortIndex,
} from "./decode-names.ts";
import { readExternType, readFlag, readType } from "./decode-types.ts";
import { BinaryReader, malformed, unsupported } from "./reader.ts";
import type { ComponentSyntax, CoreArg, Definition, NamedSortIndex } from "./syntax.ts";

/**
 * Bytes to syntax: the binary format of the component model, with the async built-ins that
 * toolchains emit. Whatever else the format knows is refused by its name.
 *
 * D1. Any bytes either decode or throw `ComponentError`; the time is linear in their number.
 * D2. Core modules are cut out and not looked into: that is done when they are compiled.
 * D3. Indices are not judged here, and names by their grammar alone.
 */
export interface DecodedComponent {
  readonly root: ComponentSyntax;
  /** Views of the upload, in the order in which the `core-module` definitions name them. */
  readonly modules: readonly Uint8Array[];
  /** Of the component and those in it; not of its core modules. */
  readonly sections: number;
  readonly nestingDepth: number;
}

export function decodeComponent(bytes: Uint8Array, limits: CompileLimits): DecodedComponent {
  if (bytes.byteLength > limits.componentBytesMax) {
    throw new ComponentError("too-complex", [
      `the component has ${bytes.byteLength} bytes, the limit is ${limits.componentBytesMax}`,
    ]);
  }
  const reader = new BinaryReader(bytes, { start: 0, end: bytes.byteLength }, limits.nameBytesMax);
  const budget = new Budget(limits);
  const decoder = new Decoder(budget);
  const root = decoder.component(reader, 1);
  const { sections, nestingDepth } = budget;
  return { root, modules: decoder.modules, sections, nestingDepth };
}

const LAYER_CORE_MODULE = 0x00;
const LAYER_COMPONENT = 0x01;
const VERSION = 0x0d;

function readPreamble(reader: BinaryReader): void {
  const start = reader.offset;
  for (const expected of [0x00, 0x61, 0x73, 0x6d]) {
    if (reader.byte("the magic bytes \\0asm") !== expected) {
      throw malformed("expected the magic bytes \\0asm", start);
    }
  }
  const version = reader.byte("the version") + reader.byte("the version") * 256;
  const layer = reader.byte("the layer") + reader.byte("the layer") * 256;
  if (layer === LAYER_CORE_MODULE && version === 1) {
    throw new ComponentError(
      "core-module",
      ["this is a core WebAssembly module, not a component: wrap it with a component toolchain"],
      start,
    );
  }
  if (layer !== LAYER_COMPONENT) throw malformed("expected the layer of a component", start + 6);
  if (version !== VERSION) {
    throw new ComponentError(
      "unsupported",
      [`version ${version} of the component format is not supported, only version ${VERSION}`],
      start + 4,
    );
  }
}

class Decoder {
  readonly modules: Uint8Array[] = [];
  readonly #budget: Budget;

  constructor(budget: Budget) {
    this.#budget = budget;
  }

  component(reader: BinaryReader, depth: number): ComponentSyntax {
    this.#budget.checkDepth(depth, reader.offset);
    readPreamble(reader);
    const definitions: Definition[] = [];
    while (reader.remainingBytes > 0) {
      this.#budget.spendSections(1, reader.offset);
      const id = reader.byte("a section");
      const byteLength = reader.u32("the size of a section");
      const section = reader.section(byteLength, "a section of its announced size");
      this.#section(id, section, depth, definitions);
      section.expectEnd("a section");
    }
    return { definitions };
  }

  #section(id: number, reader: BinaryReader, depth: number, definitions: Definition[]): void {
    const offset = reader.offset;
    switch (id) {
      case 0x00:
        reader.name("the name of a custom section");
        reader.slice(reader.remainingBytes, "a custom section");
        return;
      case 0x01:
        this.#budget.spendCoreModule(offset);
        this.#budget.spendDefinitions(1, offset);
        definitions.push({ offset, kind: "core-module", module: this.modules.length });
        this.modules.push(reader.slice(reader.remainingBytes, "a core module"));
        return;
      case 0x02:
        this.#definitions(reader, definitions, () => this.#coreInstance(reader));
        return;
      case 0x03:
        throw unsupported("a core type", offset);
      case 0x04:
        this.#budget.spendDefinitions(1, offset);
        definitions.push({
          offset,
          kind: "component",
          component: this.component(reader, depth + 1),
        });
        return;
      case 0x05:
        this.#definitions(reader, definitions, () => this.#instance(reader));
        return;
      case 0x06:
        this.#definitions(reader, definitions, () => readAlias(reader));
        return;
      case 0x07:
        this.#definitions(reader, definitions, () => ({
          kind: "type",
          type: readType(reader, this.#budget, depth),
        }));
        return;
      case 0x08:
        this.#definitions(reader, definitions, () => ({ kind: "canon", canon: readCanon(reader) }));
        return;
      case 0x09:
        throw unsupported("a start function of a component", offset);
      case 0x0a:
        this.#definitions(reader, definitions, () => ({
          kind: "import",
          name: readExternName(reader),
          type: readExternType(reader),
        }));
        return;
      case 0x0b:
        this.#definitions(reader, definitions, () => readExport(reader));
        return;
      case 0x0c:
        throw unsupported("a value", offset);
      default:
        throw malformed(`expected a section, found the unknown section ${id}`, offset);
    }
  }

  #definitions(
    reader: BinaryReader,
    definitions: Definition[],
    read: () => DistributiveOmit<Definition, "offset">,
  ): void {
    const count = reader.count("the number of definitions");
    for (let i = 0; i < count; i += 1) {
      const offset = reader.offset;
      this.#budget.spendDefinitions(1, offset);
      definitions.push({ ...read(), offset });
    }
  }

  #coreInstance(reader: BinaryReader): DistributiveOmit<Definition, "offset"> {
    const tag = reader.byte("a core instance");
    if (tag === 0x01) {
      const exports = reader.vector("core exports", (): NamedSortIndex => {
        this.#budget.spendDefinitions(1, reader.offset);
        const name = reader.name("the name of a core export");
        const sort = readCoreSort(reader);
        return { name, sort, index: reader.u32(`the index of a ${sort}`) };
      });
      return { kind: "core-exports", exports };
    }
    if (tag !== 0x00) throw reader.unexpected(tag, "a core instance");
    const module = reader.u32("the index of a core module");
    const args = reader.vector("arguments of a core module", (): CoreArg => {
      this.#budget.spendDefinitions(1, reader.offset);
      const name = reader.name("the name of an argument");
      const sort = reader.byte("the sort core instance");
      if (sort !== 0x12) throw reader.unexpected(sort, "the sort core instance");
      return { name, instance: reader.u32("the index of a core instance") };
    });
    return { kind: "core-instantiate", module, args };
  }

  #instance(reader: BinaryReader): DistributiveOmit<Definition, "offset"> {
    const tag = reader.byte("an instance");
    if (tag === 0x01) {
      const exports = reader.vector("exports of an instance", () => {
        this.#budget.spendDefinitions(1, reader.offset);
        return readNamedSortIndex(reader, readExternName(reader));
      });
      return { kind: "exports", exports };
    }
    if (tag !== 0x00) throw reader.unexpected(tag, "an instance");
    const component = reader.u32("the index of a component");
    const args = reader.vector("arguments of a component", () => {
      this.#budget.spendDefinitions(1, reader.offset);
      return readNamedSortIndex(reader, reader.name("the name of an argument"));
    });
    return { kind: "instantiate", component, args };
  }
}

function readExport(reader: BinaryReader): DistributiveOmit<Definition, "offset"> {
  const name = readExternName(reader);
  const { sort, index } = readSortIndex(reader);
  const hasType = readFlag(reader, "whether an export has a type");
  return { kind: "export", name, sort, index, type: hasType ? readExternType(reader) : null };
}

type DistributiveOmit<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never;
