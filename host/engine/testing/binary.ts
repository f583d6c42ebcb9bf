// Component bytes by hand, where the text format is too well behaved: the pieces of the binary format.

export type Bytes = readonly number[];

const MAGIC_AND_COMPONENT: Bytes = [0x00, 0x61, 0x73, 0x6d, 0x0d, 0x00, 0x01, 0x00];

export function component(...sections: readonly Bytes[]): Uint8Array {
  return Uint8Array.from([...MAGIC_AND_COMPONENT, ...sections.flat()]);
}

/** Sizes of sections and counts of items are filled in; what is inside is the caller's. */
export function section(id: number, ...items: readonly Bytes[]): Bytes {
  const body = [...u32(items.length), ...items.flat()];
  return [id, ...u32(body.length), ...body];
}

/** A section that holds one thing and no count: a nested component or a core module. */
export function wholeSection(id: number, bytes: Iterable<number>): Bytes {
  const body = Array.from(bytes);
  return [id, ...u32(body.length), ...body];
}

export function repeat(count: number, bytes: Bytes): Bytes[] {
  return Array.from({ length: count }, () => bytes);
}

export function name(text: string): Bytes {
  const bytes = new TextEncoder().encode(text);
  return [...u32(bytes.length), ...bytes];
}

export function u32(value: number): Bytes {
  const bytes: number[] = [];
  let rest = value;
  do {
    const low = rest & 0x7f;
    rest >>>= 7;
    bytes.push(rest === 0 ? low : low | 0x80);
  } while (rest !== 0);
  return bytes;
}
