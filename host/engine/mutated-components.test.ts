import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { buildPlan } from "./component/build-plan.ts";
import type { ModuleInterface } from "./component/build-plan.ts";
import { decodeComponent } from "./component/decode.ts";
import { createEngine } from "./create-engine.ts";
import { ComponentError, Trap } from "./engine.ts";
import type { Links, World } from "./engine.ts";
import { UsedModules } from "./link/compile-modules.ts";
import { ModuleCache } from "./link/module-cache.ts";
import { dummyComponent } from "./testing/assemble.ts";
import { u32 } from "./testing/binary.ts";
import { composedComponent, composedWorld } from "./testing/composed-component.ts";
import { testLimits } from "./testing/limits.ts";
import { buildStoreGuest, storeLinks, storeWit, storeWorld } from "./testing/store-guest.ts";

// Real components changed at random: each is taken or refused as one that an author could have made, and
// never anything else; what is taken links or traps. `FUZZ_CASES=1000000` is the full size: so many
// cases in all.

const CASES = Number(process.env["FUZZ_CASES"] ?? 2000);
const SEED = Number(process.env["FUZZ_SEED"] ?? 20_261_121);
const TIMEOUT_MS = 60_000 + CASES * 50;

type Mutate = (bytes: Uint8Array) => Uint8Array;

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
const mutations: fc.Arbitrary<Mutate> = fc
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
function outline(component: Uint8Array): Uint8Array {
  return toComponent(
    sectionsOf(component).map(({ id, body }) => {
      if (id === CORE_MODULE) return { id, body: new Uint8Array(0) };
      return { id, body: id === NESTED_COMPONENT ? outline(body) : body };
    }),
  );
}

/** What is not a `ComponentError` fails the test. */
function taken<T>(compile: () => T): T | undefined {
  try {
    return compile();
  } catch (error) {
    if (error instanceof ComponentError) return undefined;
    throw error;
  }
}

function checkEach(cases: number, check: (mutate: Mutate) => void): void {
  fc.assert(fc.property(mutations, check), { numRuns: Math.ceil(cases), seed: SEED });
}

test(
  "a mutated component compiles or is refused, wherever it was changed",
  async () => {
    const component = await dummyComponent(storeWit, "guest");
    const engine = createEngine();
    expect(taken(() => engine.compile(component, storeWorld, testLimits))).toBeDefined();
    let takenCount = 0;
    checkEach(CASES / 2, (mutate) => {
      const compiled = taken(() => engine.compile(mutate(component), storeWorld, testLimits));
      if (compiled !== undefined) takenCount += 1;
    });
    expect(takenCount).toBeGreaterThan(0);
  },
  TIMEOUT_MS,
);

interface Subject {
  readonly component: Uint8Array;
  readonly world: World;
  readonly links: () => Links;
}

describe("is planned or refused, and what is planned links or traps:", () => {
  test.each<[string, () => Promise<Subject>]>([
    ["a mutated TypeScript guest", () => storeGuest("async")],
    ["a mutated guest with synchronous exports", () => storeGuest("sync")],
    ["a mutated component that is composed of others", composed],
  ])(
    "%s",
    async (_, make) => {
      const { component, world, links } = await make();
      const original = decodeComponent(component, testLimits);
      const used = new UsedModules(original.modules, new ModuleCache(), testLimits);
      const known = original.modules.map((_module, index) => used.at(index));
      const moduleAt = (index: number): ModuleInterface => {
        const found = known[index];
        if (found === undefined) throw new ComponentError("malformed", ["a module too many"]);
        return found;
      };
      const modules = used.list().map(({ sha256, code }) => ({ sha256, code }));
      const engine = createEngine();
      const outlined = outline(component);
      let linkedCount = 0;
      checkEach(CASES / 6, (mutate) => {
        const planned = taken(() => {
          const { root } = decodeComponent(mutate(outlined), testLimits);
          return buildPlan(root, moduleAt, world, testLimits);
        });
        if (planned === undefined) return;
        try {
          engine.instantiate({ ...planned, modules }, links());
          linkedCount += 1;
        } catch (error) {
          if (!(error instanceof Trap)) throw error;
        }
      });
      expect(linkedCount).toBeGreaterThan(0);
    },
    TIMEOUT_MS,
  );
});

async function storeGuest(kind: "async" | "sync"): Promise<Subject> {
  const component = await buildStoreGuest(kind);
  return { component, world: storeWorld, links: () => storeLinks() };
}

async function composed(): Promise<Subject> {
  return { component: await composedComponent(), world: composedWorld, links: () => ({}) };
}
