import { componentEmbed, componentNew, parse } from "@bytecodealliance/jco";

/** Text format to bytes, by the reference toolchain. It does not validate: hostile input is welcome. */
export async function assemble(text: string): Promise<Uint8Array> {
  return await parse(text);
}

/** A component that imports and exports all of a world, and traps when it is called. */
export async function dummyComponent(witSource: string, world: string): Promise<Uint8Array> {
  return await componentNew(await componentEmbed({ witSource, world, dummy: true }), []);
}
