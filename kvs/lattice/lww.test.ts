import { describe, expect, test } from "vitest";
import { toHybridTimestamp } from "../hybrid-clock.ts";
import { testLatticeLaws } from "../testing/lattice-laws.ts";
import { registers } from "../testing/lattice-values.ts";
import { lww } from "./lww.ts";
import type { LwwRegister } from "./lww.ts";

function register(ticks: number, replicaId: string, text: string): LwwRegister {
  return {
    timestamp: toHybridTimestamp(ticks),
    replicaId,
    value: new TextEncoder().encode(text),
  };
}

describe("lww", () => {
  testLatticeLaws(lww, registers());

  test("the later write wins, whichever arrives last", () => {
    const early = register(1, "b", "early");
    const late = register(2, "a", "late");
    expect(lww.merge(early, late)).toBe(late);
    expect(lww.merge(late, early)).toBe(late);
  });

  test("at one timestamp the higher replica wins, and then the higher bytes", () => {
    expect(lww.merge(register(1, "b", "x"), register(1, "a", "y")).replicaId).toBe("b");
    const same = lww.merge(register(1, "a", "x"), register(1, "a", "y"));
    expect(new TextDecoder().decode(same.value)).toBe("y");
  });
});
