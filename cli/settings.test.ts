import { mkdirSync, mkdtempDisposableSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { localDirectoryIn } from "./local-directory.ts";
import { DEFAULT_URL, resolveSettings } from "./settings.ts";
import type { GlobalFlags, Settings } from "./settings.ts";

const TOKEN_FILE_TEXT = "token-of-dev\n";

/** A folder with everything that settings may come from, and what they are there. */
function resolveIn(
  folder: string,
  options: {
    readonly flags?: GlobalFlags;
    readonly environment?: Readonly<Record<string, string>>;
  } = {},
): Settings {
  return resolveSettings({
    flags: options.flags ?? {},
    environment: options.environment ?? {},
    workingDirectory: folder,
  });
}

function writeLocalHost(folder: string, url: string): void {
  const local = localDirectoryIn(folder);
  mkdirSync(local.path);
  writeFileSync(local.hostRecordPath, JSON.stringify({ url, hostPid: 1, tenant: "dev" }));
  writeFileSync(local.tokenPath, TOKEN_FILE_TEXT, { mode: 0o600 });
}

function temporaryFolder(): ReturnType<typeof mkdtempDisposableSync> {
  return mkdtempDisposableSync(join(tmpdir(), "downpour-settings-"));
}

describe("the address", () => {
  test("comes from flags, environment, project file, the local host, the default, in this order", () => {
    using folder = temporaryFolder();
    const environment = { DOWNPOUR_URL: "http://environment" };
    expect(resolveIn(folder.path).url).toBe(DEFAULT_URL);
    writeLocalHost(folder.path, "http://127.0.0.1:9999");
    expect(resolveIn(folder.path).url).toBe("http://127.0.0.1:9999");
    writeFileSync(join(folder.path, "downpour.json"), `{"url":"http://project"}`);
    expect(resolveIn(folder.path).url).toBe("http://project");
    expect(resolveIn(folder.path, { environment }).url).toBe("http://environment");
    const flags = { url: "http://flag/" };
    expect(resolveIn(folder.path, { environment, flags })).toMatchObject({
      url: "http://flag",
      urlSource: "--url",
    });
  });

  test("keeps a path, without the slash at its end", () => {
    expect(resolveIn("/", { flags: { url: "https://h.example/downpour/" } }).url).toBe(
      "https://h.example/downpour",
    );
  });

  test.each(["nonsense", "ftp://h", "http://me:secret@h"])("%s is refused", (url) => {
    expect(() => resolveIn("/", { flags: { url } })).toThrow(
      expect.objectContaining({ code: "USAGE_INVALID" }),
    );
  });
});

describe("the token", () => {
  test("comes from flags, a file, the environment, the local host, in this order", () => {
    using folder = temporaryFolder();
    writeLocalHost(folder.path, "http://127.0.0.1:9999");
    writeFileSync(join(folder.path, "t"), "from-file\n");
    const environment = { DOWNPOUR_TOKEN: "from-environment" };
    expect(resolveIn(folder.path).token).toBe("token-of-dev");
    expect(resolveIn(folder.path, { environment }).token).toBe("from-environment");
    expect(resolveIn(folder.path, { environment, flags: { tokenFile: "t" } }).token).toBe(
      "from-file",
    );
    expect(resolveIn(folder.path, { environment, flags: { token: "flag" } }).token).toBe("flag");
  });

  test("is found from a folder below", () => {
    using folder = temporaryFolder();
    writeLocalHost(folder.path, "http://127.0.0.1:9999");
    mkdirSync(join(folder.path, "src"));
    expect(resolveIn(join(folder.path, "src")).token).toBe("token-of-dev");
  });

  test.each([
    "https://elsewhere.example",
    "https://127.0.0.1:9999",
    "http://127.0.0.1:9998",
    "http://localhost:9999",
    "http://127.0.0.1:9999/path",
  ])("of the local host never goes to %s, which is not the address beside it", (url) => {
    using folder = temporaryFolder();
    writeLocalHost(folder.path, "http://127.0.0.1:9999");
    const flags = { url };
    expect(resolveIn(folder.path, { flags }).token).toBeUndefined();
    expect(resolveIn(folder.path, { environment: { DOWNPOUR_URL: url } }).token).toBeUndefined();
  });

  test("of the local host goes to the address beside it, also where that is named", () => {
    using folder = temporaryFolder();
    writeLocalHost(folder.path, "http://127.0.0.1:9999");
    const flags = { url: "http://127.0.0.1:9999/" };
    expect(resolveIn(folder.path, { flags }).token).toBe("token-of-dev");
  });

  test("is not in the message about what is wrong with it", () => {
    expect(() => resolveIn("/", { flags: { token: "secret\nx: y" } })).toThrow(
      expect.objectContaining({
        code: "USAGE_INVALID",
        message: expect.not.stringContaining("secret"),
      }),
    );
  });

  test("from a file that is not there is a usage error", () => {
    expect(() => resolveIn("/", { flags: { tokenFile: "/none/there" } })).toThrow(
      expect.objectContaining({ code: "FILE_UNREADABLE", exit: "usage" }),
    );
  });
});

test("a record that names another machine is not believed", () => {
  using folder = temporaryFolder();
  writeLocalHost(folder.path, "http://elsewhere.example");
  expect(resolveIn(folder.path)).toMatchObject({ url: DEFAULT_URL, token: undefined });
});

test("an address without its scheme is shown with it", () => {
  expect(() =>
    resolveSettings({
      flags: { url: "localhost:8787" },
      environment: {},
      workingDirectory: "/",
    }),
  ).toThrow(expect.objectContaining({ hint: "Did you mean http://localhost:8787?" }));
  expect(() =>
    resolveSettings({ flags: { url: "ftp://h" }, environment: {}, workingDirectory: "/" }),
  ).toThrow(expect.objectContaining({ hint: undefined }));
});
