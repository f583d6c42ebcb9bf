import { readFileSync } from "node:fs";
import { print } from "@bytecodealliance/jco";
import { assemble, dummyComponent } from "../../../host/engine/testing/assemble.ts";

// What a hostile author writes by hand: core code at the host's interfaces, with no language and no toolchain
// between. It is the reference toolchain's empty component of our world, with other code in it.

/** The functions of the host, in the order of their numbers; each with the types of its parameters. */
export interface HostFunction {
  readonly index: number;
  readonly name: string;
  readonly params: readonly string[];
}

export interface CoreGuestParts {
  /** Further fields of the core module: they may use the numbers of functions from `functionsBefore` on. */
  readonly fields?: string;
  /** The code of `handle`, given what the host offers; the locals 0 to 5 are its name, media type and body, as pointers and lengths. */
  readonly handle?: (host: readonly HostFunction[]) => string;
  /** The code of `describe`; without it, there is one function: `run`. */
  readonly describe?: string;
  /** The code that gives the host memory for what it passes on, in place of one that works. */
  readonly allocate?: string;
  /** The code that runs when the host has taken the answer of `handle`. */
  readonly afterwards?: string;
}

/** Where the answer of a `handle` that answers nothing, as text, lies. */
export const EMPTY_ANSWER = 512;

const MANIFEST = '{"sdk":"0.1.0","functions":[{"name":"run"}]}';

export async function coreGuest(parts: CoreGuestParts): Promise<Uint8Array<ArrayBuffer>> {
  const text = await emptyComponent();
  const host = hostFunctionsIn(text);
  const handle = parts.handle?.(host) ?? `i32.const ${EMPTY_ANSWER}`;
  const main = text
    .replace("(memory (;0;) 0)", "(memory (;0;) 16)")
    .replace(bodyOf("i32"), `$1 ${parts.describe ?? "i32.const 8"} )`)
    .replace(bodyOf("i32 i32 i32 i32 i32 i32"), `$1 ${handle} )`)
    .replace(bodyOf("i32 i32 i32 i32"), `$1 ${parts.allocate ?? ALLOCATE} )`)
    .replace(POST_RETURNS, `$1 ${parts.afterwards ?? ""} )`);
  const end = main.indexOf("(@producers");
  const added = `${DATA} (global $free (mut i32) (i32.const 65536)) ${parts.fields ?? ""}`;
  return new Uint8Array(await assemble(`${main.slice(0, end)} ${added} ${main.slice(end)}`));
}

let empty: Promise<string> | undefined;

/** The world without WASI, as text; its functions trap. */
function emptyComponent(): Promise<string> {
  empty ??= (async () => {
    const interfaces = ["types", "state", "log", "context", "function"].map((file) =>
      readFileSync(new URL(`../../../wit/${file}.wit`, import.meta.url), "utf8").replaceAll(
        /^package .*$|^ *(?:import|include) wasi:.*$/gmu,
        "",
      ),
    );
    const contract = `package downpour:faas@0.1.0;\n${interfaces.join("\n")}`;
    return await print(await dummyComponent(contract, "function-sync"));
  })();
  return empty;
}

/** The first function of the main module with this type that traps, up to its body. */
function bodyOf(types: string): RegExp {
  const head =
    types === "i32" ? String.raw`\(result i32\)` : String.raw`\(param ${types}\) \(result i32\)`;
  return new RegExp(String.raw`(\(func \(;\d+;\) \(type \d+\) ${head})\s+unreachable\s+\)`, "u");
}

/** From that of `describe`, as it is, to that of `handle`, up to its body. */
const POST_RETURNS =
  /(\(func \(;\d+;\) \(type \d+\) \(param i32\)\)[^]*?\(func \(;\d+;\) \(type \d+\) \(param i32\))\)/u;

function hostFunctionsIn(text: string): readonly HostFunction[] {
  const main = text.slice(text.indexOf("(core module $main"));
  const types = new Map<string, readonly string[]>();
  for (const [, number = "", params = ""] of main.matchAll(
    /\(type \(;(\d+);\) \(func(?: \(param ([a-z0-9 ]+)\))?/gu,
  )) {
    if (!types.has(number)) types.set(number, params === "" ? [] : params.split(" "));
  }
  return Array.from(
    main.matchAll(/\(import "cm32p2\|[^"]+" "([^"]+)" \(func \(;(\d+);\) \(type (\d+)\)\)\)/gu),
    ([, name = "", index, type = ""]) => ({
      index: Number(index),
      name,
      params: types.get(type) ?? [],
    }),
  );
}

/** Never frees: an instance lives for a few calls. */
const ALLOCATE = `
  global.get $free
  global.get $free local.get 3 i32.add i32.const 7 i32.add i32.const -8 i32.and
  global.set $free`;

const DATA = `
  (data (i32.const 8) "${littleEndian(64)}${littleEndian(MANIFEST.length)}")
  (data (i32.const 64) "${MANIFEST.replaceAll('"', String.raw`\22`)}")
  (data (i32.const ${EMPTY_ANSWER}) "${[0, 600, 10, 600, 0].map(littleEndian).join("")}")
  (data (i32.const 600) "text/plain")`;

function littleEndian(value: number): string {
  return [0, 8, 16, 24]
    .map((shift) => `\\${((value >>> shift) & 0xff).toString(16).padStart(2, "0")}`)
    .join("");
}
