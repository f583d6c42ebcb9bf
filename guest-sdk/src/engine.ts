/** Set by the build: `quickjs` or `starlingmonkey`. What the other one needs is not bundled. */
declare const DOWNPOUR_ENGINE: "quickjs" | "starlingmonkey";

export const isQuickJs = DOWNPOUR_ENGINE === "quickjs";

/**
 * A 64-bit integer as the engine's bindings take it. Those of StarlingMonkey end the instance where a
 * signed one is negative (componentize-js 0.23): it is refused before.
 */
export function toInt64(value: number): number | bigint {
  if (isQuickJs) return value;
  if (value < 0) {
    throw new RangeError("StarlingMonkey cannot pass a negative integer: build with QuickJS");
  }
  return BigInt(value);
}

/** The host keeps every integer it gives to a guest within what a double holds exactly. */
export function fromInt64(value: number | bigint): number {
  // StarlingMonkey's bindings read the sign as a value.
  return typeof value === "bigint" ? Number(BigInt.asIntN(64, value)) : value;
}

/** Bytes from the host. StarlingMonkey's bindings make them in a realm of their own. */
export function fromBytes(bytes: Uint8Array): Uint8Array {
  if (isQuickJs || bytes instanceof Uint8Array) return bytes;
  const { buffer, byteOffset, byteLength } = bytes as Uint8Array;
  return new Uint8Array(buffer, byteOffset, byteLength);
}
