import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import {
  CONFIG_KEYS,
  environmentName,
  flagName,
  fromText,
  loadHostConfig,
  parseHostConfig,
} from "./config.ts";

function configFile(content: string): string {
  const directory = mkdtempSync(join(tmpdir(), "downpour-config-"));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const path = join(directory, "host.json");
  writeFileSync(path, content);
  return path;
}

describe("parseHostConfig", () => {
  test("fills every default", () => {
    expect(parseHostConfig({})).toMatchObject({
      listenHost: "127.0.0.1",
      listenPort: 8787,
      uploadBytesMax: 33_554_432,
    });
    expect(parseHostConfig({}).dataDirectory).toMatch(/\/\.downpour\/data$/u);
  });

  test("is frozen", () => {
    expect(Object.isFrozen(parseHostConfig({}))).toBe(true);
  });

  test.each([
    [{ listenPort: 70_000 }, "listenPort"],
    [{ listenPort: "8787" }, "listenPort"],
    [{ executors: 0 }, "executors"],
    [{ logLevel: "loud" }, "logLevel"],
    [{ metricsOpen: 1 }, "metricsOpen"],
    [{ deadlineDefaultMs: 20_000, deadlineMaxMs: 10_000 }, "deadlineDefaultMs"],
    [{ tenantAppsMax: 20, tenantAppsCeiling: 10 }, "tenantAppsMax"],
    [{ tenantWeight: 20, tenantWeightCeiling: 10 }, "tenantWeight"],
  ])("refuses %j and names the key", (input, key) => {
    expect(() => parseHostConfig(input)).toThrow(
      expect.objectContaining({ code: "CONFIG_INVALID", details: { key } }),
    );
  });

  test("refuses an unknown key and says which was probably meant", () => {
    expect(() => parseHostConfig({ lisenPort: 1 })).toThrow(
      "unknown setting lisenPort; did you mean listenPort?",
    );
  });

  test("guesses nothing for a key that is like none", () => {
    expect(() => parseHostConfig({ colour: "red" })).toThrow(/^unknown setting colour$/u);
  });

  test("takes __proto__ for the unknown key that it is", () => {
    const file = configFile('{"__proto__": {"listenPort": 1}}');
    expect(() => loadHostConfig({ file })).toThrow("unknown setting __proto__");
  });
});

describe("loadHostConfig", () => {
  test("flags win over the environment, and that over the file, and that over the defaults", () => {
    const file = configFile('{"listenPort": 1, "executors": 2, "logLevel": "warn"}');
    const config = loadHostConfig({
      file,
      environment: { DOWNPOUR_LISTEN_PORT: "3", DOWNPOUR_EXECUTORS: "4", HOME: "/" },
      flags: { listenPort: 5 },
    });
    expect(config).toMatchObject({ listenPort: 5, executors: 4, logLevel: "warn" });
    expect(config.listenHost).toBe("127.0.0.1");
  });

  test("refuses a misspelt variable by name", () => {
    expect(() => loadHostConfig({ environment: { DOWNPOUR_LISTEN_PROT: "1" } })).toThrow(
      "did you mean DOWNPOUR_LISTEN_PORT?",
    );
  });

  test("ignores variables of other programs that are like none of its own", () => {
    const environment = { DOWNPOUR_URL: "http://localhost:1", DOWNPOUR_TEST_REPORT: "x" };
    expect(loadHostConfig({ environment }).listenPort).toBe(8787);
  });

  test("a number that is not one is refused, not guessed", () => {
    expect(() => loadHostConfig({ environment: { DOWNPOUR_EXECUTORS: "2x" } })).toThrow(
      expect.objectContaining({ code: "CONFIG_INVALID" }),
    );
  });

  test.each(["{", "[]", "null", '"x"'])("a file with %s is refused", (content) => {
    expect(() => loadHostConfig({ file: configFile(content) })).toThrow(
      expect.objectContaining({ code: "CONFIG_INVALID" }),
    );
  });

  test("a file that is not there is refused by its path", () => {
    expect(() => loadHostConfig({ file: "/nowhere/host.json" })).toThrow("/nowhere/host.json");
  });
});

test("each key has one spelling for the environment and one for flags", () => {
  expect(environmentName("logBytesPerAppMax")).toBe("DOWNPOUR_LOG_BYTES_PER_APP_MAX");
  expect(flagName("logBytesPerAppMax")).toBe("log-bytes-per-app-max");
  expect(fromText("listenPort", "12")).toBe(12);
  expect(fromText("metricsOpen", "true")).toBe(true);
  expect(fromText("listenHost", "12")).toBe("12");
});

test("docs/configuration.md lists each setting with its default", () => {
  // The formatter pads the columns.
  const source = readFileSync(new URL("../docs/configuration.md", import.meta.url), "utf8");
  const page = source.replaceAll(/ +/gu, " ");
  const spelt = new Map<string, string>([
    ["executors", "cores − 1"],
    ["instancesMemoryBytesMax", "memory / 2"],
    ["dataDirectory", '"./.downpour/data"'],
  ]);
  const defaults = parseHostConfig({});
  for (const key of CONFIG_KEYS) {
    const fallback = spelt.get(key) ?? JSON.stringify(defaults[key]);
    expect(page).toContain(`| \`${key}\` | \`${fallback}\` |`);
  }
  const rows = page.split("\n").filter((line) => line.startsWith("| `"));
  expect(rows).toHaveLength(CONFIG_KEYS.length);
});
