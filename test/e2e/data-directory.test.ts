import {
  globSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { basename, join } from "node:path";
import { expect, test } from "vitest";
import { behaviours } from "./testing/components.ts";
import { HostUnderTest, runHost } from "./testing/host-under-test.ts";

// What an older or a confused host finds in a data directory: it ends before it changes anything,
// and the right host finds everything there.

function flags(dataDirectory: string): readonly string[] {
  return ["--listen-port=0", "--executors=1", `--data-directory=${dataDirectory}`];
}

/** A host with something to lose, which has stopped. */
async function stoppedHost(): Promise<HostUnderTest> {
  const host = await HostUnderTest.start();
  const tenant = await host.tenant("acme");
  await tenant.deploy("app", await behaviours());
  await tenant.api("PUT", "/v1/state/k", { body: "v" });
  await host.stop();
  return host;
}

/** Every file but those that each start touches, with its size and time of change. */
function filesIn(directory: string): readonly string[] {
  return readdirSync(directory, { recursive: true, encoding: "utf8" })
    .filter((file) => statSync(join(directory, file)).isFile() && !file.includes("lock"))
    .map((file) => {
      const { size, mtimeMs } = statSync(join(directory, file));
      return `${file} ${size} ${mtimeMs}`;
    })
    .toSorted();
}

test.each([
  ["of a newer format", '"format":99', "DATA_DIR_NEWER", "99"],
  ["of no format", '"format":"x"', "DATA_DIR_CORRUPT", "store.json"],
])(
  "a store %s ends the start with 3, is not touched, and serves again under the right host",
  async (_, format, code, why) => {
    await using host = await stoppedHost();
    const record = join(host.dataDirectory, "state", "store.json");
    const original = readFileSync(record, "utf8");
    writeFileSync(record, original.replace(/"format":\s*\d+/u, format));
    const before = filesIn(host.dataDirectory);

    const end = await runHost(flags(host.dataDirectory));
    expect(end.status).toBe(3);
    expect(end.stderr).toContain(code);
    expect(end.stderr).toContain(why);
    expect(end.stdout).toBe("");
    expect(filesIn(host.dataDirectory)).toEqual(before);

    writeFileSync(record, original);
    await using again = await host.restart();
    const token = (await again.admin("POST", "/v1/tenants/acme/tokens")).json();
    const request = { token: String(Reflect.get(Object(token), "token")) };
    const value = await again.api("GET", "/v1/state/k", request);
    expect(value.body.toString()).toBe("v");
    const answer = await again.api("POST", "/v1/invoke/app/version", request);
    expect(answer.json()).toBe("one");
  },
);

test("components that an earlier host kept in one folder for all tenants are served by this one", async () => {
  await using host = await stoppedHost();
  const artifacts = join(host.dataDirectory, "artifacts");
  for (const file of globSync(join(artifacts, "{runtimes,tenants/*}/??/*"))) {
    const name = basename(file);
    mkdirSync(join(artifacts, name.slice(0, 2)), { recursive: true });
    renameSync(file, join(artifacts, name.slice(0, 2), name));
  }
  for (const folder of ["runtimes", "tenants"]) {
    rmSync(join(artifacts, folder), { recursive: true });
  }

  await using again = await host.restart();
  const token = (await again.admin("POST", "/v1/tenants/acme/tokens")).json();
  const request = { token: String(Reflect.get(Object(token), "token")) };
  const answer = await again.api("POST", "/v1/invoke/app/version", request);
  expect(answer.json()).toBe("one");
  expect(readdirSync(artifacts).toSorted()).toEqual(["runtimes", "staging", "tenants"]);
});
