import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { hostProcess } from "@downpour/host/process-options";
import { startTestHost } from "./harness.ts";

test("a host that the command starts has what its engine needs, and does not start itself again", async () => {
  await using host = await startTestHost();
  const running = readFileSync(`/proc/${String(host.child.pid)}/cmdline`, "utf8").split("\0");
  expect(running.slice(0, -1)).toEqual(host.child.spawnargs);
  expect(running).toEqual(expect.arrayContaining([...hostProcess.execArgv]));
});
