import { const32, get, set, types, when } from "./assembly.ts";
import { ByteWriter } from "./byte-writer.ts";
import { sections } from "./core-module.ts";
import { op } from "./instructions.ts";

/** What a metered module asks: its own engine, for itself. */
export interface HookTarget {
  /**
   * `pages` above zero: may its memories grow by so many? Below zero: they did not. Both answer 1 for yes, 0 for no.
   * Zero: its fuel is spent. Answers with more, or with `WAIT`.
   */
  ask(pages: number): number;
  /** Asked after `WAIT`: suspends the guest, and settles with more fuel. */
  wait(): number | Promise<number>;
}

export const WAIT = -1;

/**
 * The function that metered modules call, as WebAssembly knows it: what is put into their `hook`. One for
 * all instances of a thread, because each knows its meter and hands it over. Only for waiting, it calls
 * what suspends: where a guest cannot wait, nothing suspends at all.
 */
export function createHook(): WebAssembly.ExportValue {
  const module = new WebAssembly.Module(hookModule());
  const { hook } = new WebAssembly.Instance(module, {
    engine: {
      ask: (target: HookTarget, pages: number) => target.ask(pages),
      wait: new WebAssembly.Suspending((target: HookTarget) => target.wait()),
    },
  }).exports;
  if (hook === undefined) throw new Error("the module of the hook has no hook");
  return hook;
}

const FUNCTION_KIND = 0x00;
const FUNCTION = 0x60;

function hookModule(): Uint8Array {
  const [target, pages, answer] = [0, 1, 2];
  const [ask, wait, hook] = [0, 1, 2];
  const { externReference, i32 } = types;
  const code = [
    1,
    1,
    i32,
    ...get(target),
    ...get(pages),
    op.call,
    ask,
    ...set(answer),
    ...get(answer),
    ...const32(WAIT),
    op.i32Eq,
    ...when([...get(target), op.call, wait, op.return]),
    ...get(answer),
    op.end,
  ];
  const module = new ByteWriter(256);
  module.all([0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00]);
  const section = (id: number, write: (writer: ByteWriter) => void): void => {
    const body = new ByteWriter(128);
    write(body);
    module.byte(id);
    module.u32(body.length);
    module.all(body.written);
  };
  section(sections.type, (writer) => {
    writer.u32(2);
    writer.all([FUNCTION, 2, externReference, i32, 1, i32]);
    writer.all([FUNCTION, 1, externReference, 1, i32]);
  });
  section(sections.import, (writer) => {
    writer.u32(2);
    for (const [index, name] of ["ask", "wait"].entries()) {
      writer.name("engine");
      writer.name(name);
      writer.all([FUNCTION_KIND, index]);
    }
  });
  section(sections.function, (writer) => writer.all([1, 0]));
  section(sections.export, (writer) => {
    writer.u32(1);
    writer.name("hook");
    writer.all([FUNCTION_KIND, hook]);
  });
  section(sections.code, (writer) => {
    writer.u32(1);
    writer.u32(code.length);
    writer.all(code);
  });
  return module.written;
}
