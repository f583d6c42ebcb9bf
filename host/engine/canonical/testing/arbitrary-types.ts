import fc from "fast-check";
import type { ComponentValue, ValueType } from "../../component/types.ts";
import { memberNames } from "../member-names.ts";

// Generated component types, and values of them. Names are short and collide across types on purpose;
// within a type they are unique.

const SCALARS = [
  "bool",
  "s8",
  "u8",
  "s16",
  "u16",
  "s32",
  "u32",
  "s64",
  "u64",
  "f32",
  "f64",
  "char",
  "string",
] as const;

const names = (min: number, max: number): fc.Arbitrary<string[]> =>
  fc.uniqueArray(fc.constantFrom("a", "b-c", "type", "to-string", "x1", "constructor", "d-e-f"), {
    minLength: min,
    maxLength: max,
  });

/** Types without resources, of a few levels. */
export const arbitraryType: fc.Arbitrary<ValueType> = fc.letrec<{ type: ValueType }>((tie) => {
  const type = tie("type");
  const optional = fc.option(type, { nil: null });
  return {
    type: fc.oneof(
      { depthSize: "small", withCrossShrink: true },
      fc.constantFrom(...SCALARS).map((kind): ValueType => ({ kind })),
      names(1, 7).map((all): ValueType => ({ kind: "enum", names: all })),
      flagNames().map((all): ValueType => ({ kind: "flags", names: all })),
      type.map((element): ValueType => ({ kind: "list", element })),
      type.map((inner): ValueType => ({ kind: "option", type: inner })),
      fc.tuple(optional, optional).map(([ok, err]): ValueType => ({ kind: "result", ok, err })),
      fc
        .array(type, { minLength: 1, maxLength: 4 })
        .map((types): ValueType => ({ kind: "tuple", types })),
      named(type).map((fields): ValueType => ({ kind: "record", fields })),
      named(optional).map((cases): ValueType => ({ kind: "variant", cases })),
    ),
  };
}).type;

function named<T>(type: fc.Arbitrary<T>): fc.Arbitrary<{ name: string; type: T }[]> {
  return names(1, 5).chain((all) =>
    fc.tuple(...all.map((name) => type.map((of) => ({ name, type: of })))),
  );
}

/** Of one, two and four bytes. */
function flagNames(): fc.Arbitrary<string[]> {
  return fc
    .constantFrom(1, 7, 8, 9, 16, 17, 32)
    .map((count) => Array.from({ length: count }, (_, index) => `flag-${String(index)}`));
}

const character = fc
  .oneof(
    fc.integer({ min: 0, max: 0xd7ff }),
    fc.integer({ min: 0xe000, max: 0x10_ffff }),
    fc.constantFrom(0x7f, 0x80, 0xff, 0x100, 0x7ff, 0x800, 0xffff, 0x1_0000),
  )
  .map((code) => String.fromCodePoint(code));

const text = fc.oneof(
  fc.string({ unit: "binary", maxLength: 40 }),
  fc.string({ unit: "binary-ascii", maxLength: 40 }),
  fc.string({ unit: character, maxLength: 20 }),
);

/** A value as the table in `types.ts` has it. */
export function arbitraryValue(type: ValueType): fc.Arbitrary<ComponentValue> {
  switch (type.kind) {
    case "bool":
      return fc.boolean();
    case "s8":
      return fc.integer({ min: -0x80, max: 0x7f });
    case "u8":
      return fc.nat(0xff);
    case "s16":
      return fc.integer({ min: -0x8000, max: 0x7fff });
    case "u16":
      return fc.nat(0xffff);
    case "s32":
      return fc.integer();
    case "u32":
      return fc.nat(0xffff_ffff);
    case "s64":
      return fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
    case "u64":
      return fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
    case "f32":
      return fc.float();
    case "f64":
      return fc.double();
    case "char":
      return character;
    case "string":
      return text;
    case "enum":
      return fc.constantFrom(...type.names);
    case "flags":
      return fc.record(
        Object.fromEntries(memberNames(type.names).map((key) => [key, fc.boolean()])),
        { noNullPrototype: true },
      );
    case "list":
      return type.element.kind === "u8"
        ? fc.uint8Array({ maxLength: 40 })
        : fc.array(arbitraryValue(type.element), { maxLength: 5 });
    case "option":
      return arbitraryOption(type.type);
    case "result":
      return fc.oneof(tagged("ok", type.ok), tagged("err", type.err));
    case "tuple":
      return fc.tuple(...type.types.map(arbitraryValue));
    case "record": {
      const keys = memberNames(type.fields.map((field) => field.name));
      return fc.record(
        Object.fromEntries(
          type.fields.map((field, at) => [keys[at] ?? "", arbitraryValue(field.type)]),
        ),
        { noNullPrototype: true },
      );
    }
    case "variant":
      return fc.oneof(...type.cases.map((case_) => tagged(case_.name, case_.type)));
    case "own":
    case "borrow":
    case "stream":
    case "future":
      throw new Error("handles are no plain values");
    default:
      return type satisfies never;
  }
}

function arbitraryOption(inner: ValueType): fc.Arbitrary<ComponentValue> {
  if (inner.kind === "option") return fc.oneof(tagged("none", null), tagged("some", inner));
  return fc.option(arbitraryValue(inner), { nil: undefined });
}

function tagged(tag: string, payload: ValueType | null): fc.Arbitrary<ComponentValue> {
  if (payload === null) return fc.constant({ tag });
  return arbitraryValue(payload).map((val) => ({ tag, val }));
}

/** A type together with a value of it. */
export const arbitraryTypedValue: fc.Arbitrary<{
  readonly type: ValueType;
  readonly value: ComponentValue;
}> = arbitraryType.chain((type) => arbitraryValue(type).map((value) => ({ type, value })));
