import fc from "fast-check";
import { u32 } from "./binary.ts";

// Changes of a component at random: of single bytes, and of its sections, whose sizes stay right.

export type Mutate = (bytes: Uint8Array) => Uint8Array;

/** Positions are fractions, so that one mutation fits every component. */
const fraction = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });

const changedBytes: fc.Arbitrary<Mutate> = fc
  .record({
    at: fraction,
    remove: fc.oneof(fc.constant(1), fc.nat(8)),
    insert: fc.oneof(
      fc.uint8Array({ minLength: 1, maxLength: 1 }),
      fc.uint8Array({ maxLength: 8 }),
      // Numbers at the edges of what a length or an index may be.
      fc
        .constantFrom(0, 127, 128, 65_536, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1)
        .map((edge) => Uint8Array.from(u32(edge))),
    ),
  })
  .map(
    ({ at, remove, insert }) =>
      (bytes) =>
        replace(bytes, position(at, bytes), remove, insert),
  );

/** A piece of the component again, in another place of it. */
const movedBytes: fc.Arbitrary<Mutate> = fc
  .record({ from: fraction, length: fc.nat(64), at: fraction, remove: fc.nat(64) })
  .map(({ from, length, at, remove }) => (bytes) => {
    const start = position(from, bytes);
    return replace(bytes, position(at, bytes), remove, bytes.subarray(start, start + length));
  });

/** Bytes inside of one section, whose size stays right: what is read is nearly always the changed. */
const changedSection: fc.Arbitrary<Mutate> = fc
  .record({ at: fraction, inside: fc.oneof(changedBytes, movedBytes) })
  .map(
    ({ at, inside }) =>
      (bytes) =>
        changeSection(bytes, at, inside),
  );

/** Sections twice, elsewhere, or not at all. */
const movedSections: fc.Arbitrary<Mutate> = fc
  .record({ from: fraction, at: fraction, remove: fc.nat(1), count: fc.nat(2) })
  .map(({ from, at, remove, count }) => (bytes) => {
    const sections = sectionsOf(bytes);
    const start = position(from, sections);
    const copies = sections.slice(start, start + count);
    return toComponent(sections.toSpliced(position(at, sections), remove, ...copies));
  });

/** Sections first: after other changes, the sizes are not right any more. */
export const mutations: fc.Arbitrary<Mutate> = fc
  .tuple(
    fc.array(fc.oneof(changedSection, movedSections), { maxLength: 3 }),
    fc.array(fc.oneof(changedBytes, movedBytes), { maxLength: 2 }),
  )
  .filter(([inSections, inBytes]) => inSections.length + inBytes.length > 0)
  .map(
    ([inSections, inBytes]) =>
      (bytes) =>
        [...inSections, ...inBytes].reduce((changed, mutate) => mutate(changed), bytes),
  );

function position(at: number, of: { readonly length: number }): number {
  return Math.floor(at * of.length);
}

function replace(bytes: Uint8Array, at: number, remove: number, insert: Uint8Array): Uint8Array {
  const rest = bytes.subarray(Math.min(at + remove, bytes.length));
  return Buffer.concat([bytes.subarray(0, at), insert, rest]);
}

interface Section {
  readonly id: number;
  readonly body: Uint8Array;
}

const PREAMBLE_BYTES = 8;
const CORE_MODULE = 1;
const NESTED_COMPONENT = 4;

/** Of a component that is well-formed. */
function sectionsOf(component: Uint8Array): Section[] {
  const sections: Section[] = [];
  let at = PREAMBLE_BYTES;
  while (at < component.length) {
    const id = component[at] ?? 0;
    let byteLength = 0;
    let shift = 0;
    let byte: number;
    do {
      at += 1;
      byte = component[at] ?? 0;
      byteLength += (byte & 0x7f) * 2 ** shift;
      shift += 7;
    } while (byte >= 0x80);
    at += 1;
    sections.push({ id, body: component.subarray(at, at + byteLength) });
    at += byteLength;
  }
  return sections;
}

const preamble = Uint8Array.of(0x00, 0x61, 0x73, 0x6d, 0x0d, 0x00, 0x01, 0x00);

function toComponent(sections: readonly Section[]): Uint8Array {
  const parts = sections.flatMap(({ id, body }) => [Uint8Array.of(id, ...u32(body.length)), body]);
  return Buffer.concat([preamble, ...parts]);
}

function changeSection(component: Uint8Array, at: number, inside: Mutate): Uint8Array {
  const sections = sectionsOf(component);
  const index = position(at, sections);
  const chosen = sections[index];
  if (chosen === undefined) return component;
  // Where in a nested component: what is left of the fraction.
  const rest = at * sections.length - index;
  const body =
    chosen.id === NESTED_COMPONENT ? changeSection(chosen.body, rest, inside) : inside(chosen.body);
  return toComponent(sections.with(index, { id: chosen.id, body }));
}

/** The component with nothing in its core modules: so that what is changed is what the engine decodes. */
export function outline(component: Uint8Array): Uint8Array {
  return toComponent(
    sectionsOf(component).map(({ id, body }) => {
      if (id === CORE_MODULE) return { id, body: new Uint8Array(0) };
      return { id, body: id === NESTED_COMPONENT ? outline(body) : body };
    }),
  );
}
