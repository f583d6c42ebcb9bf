import { defineConfig } from "vitest/config";

// Where CI counts the tests that ran.
const reportFile = process.env["DOWNPOUR_TEST_REPORT"];

export default defineConfig({
  test: {
    // Real threads, real components and a real disk on two shared cores: generous, and still finite.
    testTimeout: 60_000,
    hookTimeout: 120_000,
    reporters:
      reportFile === undefined ? ["default"] : ["default", ["json", { outputFile: reportFile }]],
    projects: [
      {
        extends: true,
        test: {
          name: "unit",
          include: ["{kvs,tenants,host,cli,guest-sdk,bench,test/sdk,test/docs}/**/*.test.ts"],
          maxWorkers: 2,
          sequence: { groupOrder: 0 },
        },
      },
      {
        // Each of these starts processes of its own, and mostly waits for them.
        extends: true,
        test: {
          name: "processes",
          include: ["test/**/*.test.ts"],
          exclude: ["test/{sdk,docs,isolation}/**"],
          maxWorkers: 2,
          sequence: { groupOrder: 1 },
        },
      },
      {
        // What a neighbour notices of an attack is what these look at: one file at a time, after the
        // others, or they see the machine.
        extends: true,
        test: {
          name: "isolation",
          include: ["test/isolation/**/*.test.ts"],
          maxWorkers: 1,
          sequence: { groupOrder: 2 },
        },
      },
    ],
  },
});
