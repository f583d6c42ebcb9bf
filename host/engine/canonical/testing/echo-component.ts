import { componentEmbed, componentNew, parse } from "@bytecodealliance/jco";
import type { FuncType, ValueType } from "../../component/types.ts";
import { func, list, tuple, u64, u8 } from "../../component/wit-types.ts";
import type { World } from "../../engine.ts";
import { coreSignature } from "../signature.ts";

// A component for one generated type T, made by the reference toolchain, which so checks our core
// signatures too. Its core code knows nothing of the type:
//
// - `f(x)` passes its core values on to the import `g`, and returns what `g` wrote.
// - `raw(words)` returns the given words, whatever they are, as a value of T.
//
// T goes into a tuple as a result, so that every result lies in memory.

export const ECHO_INTERFACE = "test:echo/host";

const RESULT_AT = 16;
const HEAP_AT = 32_768;

interface EchoTypes {
  readonly echo: FuncType;
  readonly raw: FuncType;
}

function echoTypes(type: ValueType): EchoTypes {
  const result = tuple(type, u8);
  return { echo: func({ x: type }, result), raw: func({ words: list(u64) }, result) };
}

export function echoWorld(type: ValueType): World {
  const { echo, raw } = echoTypes(type);
  return {
    imports: [
      {
        name: ECHO_INTERFACE,
        version: "1.0.0",
        resources: {},
        functions: { g: { type: echo, suspends: false } },
      },
    ],
    exports: { f: [echo], raw: [raw] },
  };
}

export async function buildEchoComponent(
  type: ValueType,
  stringEncoding: "utf8" | "utf16" | "compact-utf16" = "utf8",
): Promise<Uint8Array> {
  const { echo } = echoTypes(type);
  const lowered = coreSignature(echo, "lower").params.join(" ");
  const lifted = coreSignature(echo, "lift").params;
  const core = await parse(`
    (module
      (import "${ECHO_INTERFACE}@1.0.0" "g" (func $g (param ${lowered})))
      (memory (export "memory") 1)
      (global $next (mut i32) (i32.const ${String(HEAP_AT)}))
      (func (export "cabi_realloc") (param i32 i32) (param $alignment i32) (param $length i32) (result i32)
        (local $at i32)
        (local.set $at
          (i32.and
            (i32.add (global.get $next) (i32.sub (local.get $alignment) (i32.const 1)))
            (i32.sub (i32.const 0) (local.get $alignment))))
        (global.set $next (i32.add (local.get $at) (local.get $length)))
        (block $fits
          (loop $grow
            (br_if $fits (i32.le_u (global.get $next) (i32.mul (memory.size) (i32.const 65536))))
            (if (i32.eq (memory.grow (i32.const 1)) (i32.const -1)) (then unreachable))
            (br $grow)))
        (local.get $at))
      (func (export "f") (param ${lifted.join(" ")}) (result i32)
        ${lifted.map((_, at) => `(local.get ${String(at)})`).join(" ")}
        (call $g (i32.const ${String(RESULT_AT)}))
        (i32.const ${String(RESULT_AT)}))
      (func (export "raw") (param i32 i32) (result i32) (local.get 0)))`);
  const embedded = await componentEmbed({
    binary: core,
    witSource: echoWit(type),
    world: "echo",
    stringEncoding,
  });
  return await componentNew(embedded, []);
}

function echoWit(type: ValueType): string {
  const declarations: string[] = [];
  const x = witOf(type, declarations);
  const names = declarations.map((_, at) => `t${String(at)}`);
  return [
    "package test:echo@1.0.0;",
    "interface host {",
    ...declarations,
    `  g: func(x: ${x}) -> tuple<${x}, u8>;`,
    "}",
    "world echo {",
    "  import host;",
    names.length === 0 ? "" : `  use host.{${names.join(", ")}};`,
    `  export f: func(x: ${x}) -> tuple<${x}, u8>;`,
    `  export raw: func(words: list<u64>) -> tuple<${x}, u8>;`,
    "}",
  ].join("\n");
}

/** The type as WIT text; what WIT only knows by name is declared before it. */
function witOf(type: ValueType, declarations: string[]): string {
  const of = (part: ValueType | null): string => (part === null ? "_" : witOf(part, declarations));
  const declare = (keyword: string, members: readonly string[]): string => {
    const name = `t${String(declarations.length)}`;
    declarations.push(`  ${keyword} ${name} { ${members.join(", ")} }`);
    return name;
  };
  switch (type.kind) {
    case "list":
      return `list<${of(type.element)}>`;
    case "option":
      return `option<${of(type.type)}>`;
    case "tuple":
      return `tuple<${type.types.map(of).join(", ")}>`;
    case "result":
      return type.ok === null && type.err === null
        ? "result"
        : `result<${of(type.ok)}${type.err === null ? "" : `, ${of(type.err)}`}>`;
    case "record": {
      const members = type.fields.map((field) => `%${field.name}: ${of(field.type)}`);
      return declare("record", members);
    }
    case "variant": {
      const members = type.cases.map((case_) =>
        case_.type === null ? `%${case_.name}` : `%${case_.name}(${of(case_.type)})`,
      );
      return declare("variant", members);
    }
    case "enum":
    case "flags":
      return declare(
        type.kind,
        type.names.map((name) => `%${name}`),
      );
    case "own":
    case "borrow":
      throw new Error("resources are no plain values");
    default:
      return type.kind;
  }
}
