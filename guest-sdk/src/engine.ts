/** Set by the build: `quickjs` or `starlingmonkey`. What the other one needs is not bundled. */
declare const DOWNPOUR_ENGINE: "quickjs" | "starlingmonkey";

/** A 64-bit integer as the engine's bindings take it. */
export function toInt64(value: number): number | bigint {
  return DOWNPOUR_ENGINE === "starlingmonkey" ? BigInt(value) : value;
}

/** The host keeps every integer it gives to a guest within what a double holds exactly. */
export function fromInt64(value: number | bigint): number {
  return Number(value);
}

export const isQuickJs: boolean = DOWNPOUR_ENGINE === "quickjs";
