/** Two sizes for each parameter: `smoke` runs in CI so that benches never rot, `full` measures. */
export function parameter(
  name: string,
  values: { readonly smoke: number; readonly full: number },
): number {
  const override = process.env[`BENCH_${name}`];
  const value = override === undefined ? values[benchMode()] : Number(override);
  if (!Number.isSafeInteger(value) || value < 1) {
    throw new RangeError(`BENCH_${name} must be a positive integer, got ${String(override)}`);
  }
  return value;
}

export type BenchMode = "smoke" | "full";

/** Read at each use: `bench/main.ts` sets it from its flags before a suite asks. */
export function benchMode(): BenchMode {
  return process.env["BENCH"] === "full" ? "full" : "smoke";
}
