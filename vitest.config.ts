import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["{kvs,tenants,host,cli,guest-sdk,bench,test}/**/*.test.ts"],
    // Real threads, real components and a real disk on two shared cores: generous, and still finite.
    testTimeout: 60_000,
    hookTimeout: 120_000,
    maxWorkers: 2,
  },
});
