import { describe } from "vitest";
import { testReclaimContract, testStoreContract } from "../testing/store-contract.ts";
import { MemoryStore } from "./memory-store.ts";

describe("MemoryStore", () => {
  testStoreContract(() => new MemoryStore());
  testReclaimContract(() => new MemoryStore({ tombstones: "reclaim" }));
});
