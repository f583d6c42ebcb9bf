import crypto from "node:crypto";
import { syncBuiltinESMExports } from "node:module";
import { afterEach, beforeEach, expect, test } from "vitest";
import { findGenuine, mintToken } from "./token.ts";

const { timingSafeEqual } = crypto;
let comparisons = 0;

beforeEach(() => {
  comparisons = 0;
  crypto.timingSafeEqual = (a, b) => {
    comparisons += 1;
    return timingSafeEqual(a, b);
  };
  syncBuiltinESMExports();
});

afterEach(() => {
  crypto.timingSafeEqual = timingSafeEqual;
  syncBuiltinESMExports();
});

const owner = { role: "tenant", tenantId: "acme" } as const;

test.each([0, 1, 2, 16])(
  "a token is compared once where there are %d others, genuine or not",
  (count) => {
    const minted = Array.from({ length: count }, () => mintToken(owner, 0));
    const records = minted.map(({ record }) => record);
    expect(findGenuine(mintToken(owner, 0).token, records)).toBeUndefined();
    expect(comparisons).toBe(1);
    for (const { token, record } of minted) expect(findGenuine(token, records)).toBe(record);
    expect(comparisons).toBe(count + 1);
  },
);
