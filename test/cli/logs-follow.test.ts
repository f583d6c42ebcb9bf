import { spawn } from "node:child_process";
import { once } from "node:events";
import process from "node:process";
import { createInterface } from "node:readline";
import { expect, test } from "vitest";
import {
  CLI_MAIN,
  TEST_PROJECT,
  at,
  cleanEnvironment,
  runCli,
  startTestHost,
  temporaryFolder,
} from "./harness.ts";

test("logs -f prints entries as they come, one document to a line, until it is interrupted", async () => {
  using folder = temporaryFolder(TEST_PROJECT);
  await using host = await startTestHost();
  const options = {
    directory: folder.path,
    environment: { DOWNPOUR_URL: host.url, DOWNPOUR_TOKEN: host.adminToken },
  };
  const created = await runCli(["tenants", "create", "acme", "--json"], options);
  const environment = {
    DOWNPOUR_URL: host.url,
    DOWNPOUR_TOKEN: String(at(created.json(), "token")),
  };
  const asTenant = { directory: folder.path, environment };
  expect(await runCli(["deploy"], asTenant)).toMatchObject({ status: 0 });
  await runCli(["invoke", "say", '"before"'], asTenant);

  const follower = spawn(process.execPath, [CLI_MAIN, "logs", "-f", "--json"], {
    cwd: folder.path,
    env: cleanEnvironment(environment),
    stdio: ["ignore", "pipe", "inherit"],
  });
  const lines = createInterface({ input: follower.stdout })[Symbol.asyncIterator]();
  const nextMessage = async (): Promise<unknown> => {
    const { value } = await lines.next();
    return at(JSON.parse(value ?? "null"), "message");
  };
  expect(await nextMessage()).toBe("before");
  await runCli(["invoke", "say", '"after"'], asTenant);
  expect(await nextMessage()).toBe("after");
  follower.kill("SIGINT");
  await once(follower, "exit");
  expect(follower.exitCode).toBe(130);
});

test("logs -f of an app that is not there ends at once with 4", async () => {
  using folder = temporaryFolder(TEST_PROJECT);
  await using host = await startTestHost();
  const options = {
    directory: folder.path,
    environment: { DOWNPOUR_URL: host.url, DOWNPOUR_TOKEN: host.adminToken },
  };
  const created = await runCli(["tenants", "create", "acme", "--json"], options);
  const result = await runCli(["logs", "none", "-f"], {
    ...options,
    environment: { DOWNPOUR_URL: host.url, DOWNPOUR_TOKEN: String(at(created.json(), "token")) },
  });
  expect(result).toMatchObject({ status: 4 });
});
