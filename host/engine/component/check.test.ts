import { describe, expect, test } from "vitest";
import { createEngine } from "../create-engine.ts";
import { ComponentError } from "../engine.ts";
import type { World } from "../engine.ts";
import { assemble, dummyComponent } from "../testing/assemble.ts";
import { testLimits } from "../testing/limits.ts";
import { testWorld } from "../testing/world.ts";
import { func, string } from "./wit-types.ts";

const engine = createEngine();

const MODULE = `(core module $m (func (export "run") (param i32) (result i32) local.get 0))
  (core instance $c (instantiate $m))`;
const RUN = `${MODULE}
  (func $run (param "x" u32) (result u32) (canon lift (core func $c "run")))
  (export "run" (func $run))`;

async function refusal(text: string, world = testWorld): Promise<ComponentError> {
  const bytes = await assemble(`(component ${text})`);
  try {
    engine.compile(bytes, world, testLimits);
  } catch (error) {
    if (error instanceof ComponentError) return error;
    throw error;
  }
  throw new Error("the component was taken");
}

async function accept(text: string, world = testWorld): Promise<readonly string[]> {
  const bytes = await assemble(`(component ${text})`);
  return engine.compile(bytes, world, testLimits).component.imports;
}

function things(version: string, ...declarations: readonly string[]): string {
  return `(import "test:host/things@${version}" (instance ${declarations.join(" ")}))`;
}

const ADD = `(export "add" (func (param "a" u32) (param "b" u32) (result u32)))`;
const THING = `(export "thing" (type $thing (sub resource)))`;
const VALUE = `(export "[method]thing.value" (func (param "self" (borrow $thing)) (result u32)))`;

describe("a component that fits", () => {
  test("needs no import at all", async () => {
    expect(await accept(RUN)).toEqual([]);
  });

  test("may use a part of an interface, in an older compatible version", async () => {
    expect(await accept(`${things("1.2.0", ADD)} ${RUN}`)).toEqual(["test:host/things@1.2.0"]);
    expect(await accept(`${things("1.0.7")} ${RUN}`)).toEqual(["test:host/things@1.0.7"]);
  });

  test("may name the resources it uses", async () => {
    expect(await accept(`${things("1.2.3", THING, VALUE)} ${RUN}`)).toHaveLength(1);
  });

  test("may import types: they ask for nothing", async () => {
    const types = `(import "test:host/types@0.1.0" (instance $t
        (type $r (record (field "x" u8))) (export "r" (type (eq $r)))))
      (alias export $t "r" (type $r))
      (import "r" (type (eq $r)))`;
    expect(await accept(`${types} ${RUN}`)).toEqual(["test:host/types@0.1.0"]);
  });

  test("may export more than it is asked for", async () => {
    expect(
      await accept(`${RUN}
        (func $more (param "x" u32) (result u32) (canon lift (core func $c "run")))
        (export "more" (func $more))`),
    ).toEqual([]);
  });
});

describe("an import that is not offered", () => {
  test("is named", async () => {
    const error = await refusal(`(import "wasi:sockets/tcp@0.2.0" (instance)) ${RUN}`);
    expect(error).toMatchObject({
      kind: "import-not-allowed",
      problems: ['the import "wasi:sockets/tcp@0.2.0" is not offered'],
    });
  });

  test.each(["1.2.4", "1.3.0", "2.0.0", "0.2.3", "1.2.3-rc.1"])(
    "has the version %s, and the message says which one is",
    async (version) => {
      expect((await refusal(`${things(version)} ${RUN}`)).problems).toEqual([
        `the import "test:host/things@${version}" is not offered, only version 1.2.3 of it`,
      ]);
    },
  );

  test.each([
    ["a plain function", `(import "frob" (func))`],
    ["a plain instance", `(import "things" (instance))`],
    ["a resource of its own", `(import "r" (type (sub resource)))`],
    ["an interface without a version", `(import "test:host/things" (instance))`],
  ])("is %s", async (_what, text) => {
    expect((await refusal(`${text} ${RUN}`)).kind).toBe("import-not-allowed");
  });
});

describe("a mismatch", () => {
  test("of a function that the interface does not have is named with both", async () => {
    const text = things("1.2.3", `(export "frob" (func))`);
    expect(await refusal(`${text} ${RUN}`)).toMatchObject({
      kind: "world-mismatch",
      problems: ['"test:host/things@1.2.3" has no function "frob"'],
    });
  });

  test.each([
    ["a parameter's type", `(func (param "a" u32) (param "b" u64) (result u32))`],
    ["a parameter's name", `(func (param "a" u32) (param "c" u32) (result u32))`],
    ["the number of parameters", `(func (param "a" u32) (result u32))`],
    ["the result", `(func (param "a" u32) (param "b" u32))`],
    ["async", `(func async (param "a" u32) (param "b" u32) (result u32))`],
  ])("of %s shows both types", async (_what, type) => {
    const error = await refusal(`${things("1.2.3", `(export "add" ${type})`)} ${RUN}`);
    expect(error.kind).toBe("world-mismatch");
    expect(error.message).toMatch(
      /^"test:host\/things@1\.2\.3" function "add" is .*, expected func\(a: u32, b: u32\) -> u32$/,
    );
  });

  test("of a resource is found in the functions that use it", async () => {
    const error = await refusal(
      `(import "test:host/types@0.1.0" (instance $t (export "thing" (type (sub resource)))))
       (alias export $t "thing" (type $other))
       ${things("1.2.3", `(export "add" (func (param "a" (borrow $other)) (param "b" u32) (result u32)))`)}
       ${RUN}`,
    );
    expect(error.problems).toEqual([
      '"test:host/types@0.1.0" has no resource "thing"',
      expect.stringContaining('function "add" is func(a: borrow<resource'),
    ]);
  });

  test("between the kinds of an export", async () => {
    const error = await refusal(
      `${things("1.2.3", `(export "add" (type (sub resource)))`)} ${RUN}`,
    );
    expect(error.problems).toEqual(['"test:host/things@1.2.3" resource "add" is not a resource']);
  });
});

describe("the exports of the world", () => {
  test("are missed with the type that is expected", async () => {
    expect((await refusal("")).problems).toEqual([
      'the export "run" is missing, expected func(x: u32) -> u32',
    ]);
  });

  test("are compared by type", async () => {
    const text = `${MODULE}
      (func $run (param "x" s32) (result u32) (canon lift (core func $c "run")))
      (export "run" (func $run))`;
    expect((await refusal(text)).problems).toEqual([
      'the export "run" is func(x: s32) -> u32, expected func(x: u32) -> u32',
    ]);
  });

  test("may be of one of several types, and the message says all of them", async () => {
    const world: World = {
      ...testWorld,
      exports: { run: [func({}, string), func({}, string, { async: true })] },
    };
    expect((await refusal(RUN, world)).message).toBe(
      'the export "run" is func(x: u32) -> u32, expected func() -> string or async func() -> string',
    );
  });

  test("may be missing where the world says so, and are of its types where they are there", async () => {
    const optional = { ...testWorld, exports: {}, optionalExports: { run: [func({}, string)] } };
    expect(await accept("", optional)).toEqual([]);
    expect((await refusal(RUN, optional)).problems).toEqual([
      'the export "run" is func(x: u32) -> u32, expected func() -> string',
    ]);
  });

  test("are functions", async () => {
    expect((await refusal(`(component $c) (export "run" (component $c))`)).message).toContain(
      'the export "run" is a component',
    );
  });

  test("are the component's own: an import that is passed on is not", async () => {
    const world: World = {
      ...testWorld,
      exports: {
        add: testWorld.imports.map((i) => i.functions["add"]?.type).filter((t) => t !== undefined),
      },
    };
    const error = await refusal(
      `(import "test:host/things@1.2.3" (instance $t ${ADD})) (export "add" (func $t "add"))`,
      world,
    );
    expect(error.problems).toEqual(['the export "add" only passes on an import']);
  });
});

test("all problems are reported at once", async () => {
  const error = await refusal(`
    (import "wasi:sockets/tcp@0.2.0" (instance))
    ${things("1.2.3", `(export "frob" (func))`, `(export "add" (func))`)}`);
  expect(error.kind).toBe("import-not-allowed");
  expect(error.problems).toEqual([
    'the import "wasi:sockets/tcp@0.2.0" is not offered',
    '"test:host/things@1.2.3" has no function "frob"',
    '"test:host/things@1.2.3" function "add" is func(), expected func(a: u32, b: u32) -> u32',
    'the export "run" is missing, expected func(x: u32) -> u32',
  ]);
});

test("a thousand problems are reported as fifty, and how many more there are", async () => {
  const imports = Array.from({ length: 1000 }, (_, i) => `(import "a:b/c${i}@1.0.0" (instance))`);
  const { problems } = await refusal(`${imports.join(" ")} ${RUN}`);
  expect(problems).toHaveLength(51);
  expect(problems.at(-1)).toBe("and 950 more");
});

test.each([
  [
    "quotes and backslashes",
    String.raw`\"; process.exit(1); //\\`,
    String.raw`\"; process.exit(1); //\\`,
  ],
  ["a line break", String.raw`a\nb`, String.raw`a\u{a}b`],
  ["a template", "${globalThis}", "${globalThis}"],
  ["the name of a prototype", "__proto__", "__proto__"],
])("an import name with %s is only shown", async (_what, text, shown) => {
  const error = await refusal(`(import "${text}" (instance)) ${RUN}`);
  expect(error.kind).toBe("malformed");
  expect(error.message).toContain(`found "${shown}" at byte`);
});

test("a huge type is shown in part", async () => {
  const names = Array.from({ length: 2000 }, (_, i) => `"n${i}"`).join(" ");
  const error = await refusal(`
    (import "test:host/things@1.2.3" (instance
      (type $e (enum ${names})) (export "e" (type $f (eq $e)))
      (export "add" (func (param "a" $f)))))
    ${RUN}`);
  expect(error.message.length).toBeLessThan(500);
});

test("what the reference toolchain makes of our world's WIT is taken", async () => {
  const bytes = await dummyComponent(
    `package test:host@1.2.3;
     interface things {
       resource thing { constructor(n: u32); value: func() -> u32; }
       add: func(a: u32, b: u32) -> u32;
       wait: func(x: u32) -> u32;
       greet: func(name: string) -> string;
     }
     world w { import things; export run: func(x: u32) -> u32; }`,
    "w",
  );
  expect(engine.compile(bytes, testWorld, testLimits).component.imports).toEqual([
    "test:host/things@1.2.3",
  ]);
});
