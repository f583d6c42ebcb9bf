import { expect, test } from "vitest";
import { Child } from "./child.ts";

function node(source: string): Child {
  return new Child({ command: process.execPath, args: ["--eval", source] });
}

test("a line that was printed before anyone waited for it is found", async () => {
  await using child = node("console.log('port 81'); setInterval(() => {}, 1000)");
  await child.waitForLine(/port/u, 10_000);
  const [, port] = await child.waitForLine(/port (\d+)/u, 10_000);
  expect(port).toBe("81");
});

test("a child that ends before it is ready says what it printed", async () => {
  await using child = node("console.error('no disk'); process.exit(3)");
  await expect(child.waitForLine(/ready/u, 10_000)).rejects.toThrow(/no disk/u);
});

test("a program that does not exist is an error, not a hang", async () => {
  await using child = new Child({ command: "/nowhere/at-all", args: [] });
  await expect(child.waitForSuccess(10_000)).rejects.toThrow(/ENOENT/u);
});

test("a failed program is an error with its output", async () => {
  await using child = node("console.error('wrong'); process.exit(1)");
  await expect(child.waitForSuccess(10_000)).rejects.toThrow(/wrong/u);
});

test("leaving the scope ends the child", async () => {
  const child = node("setInterval(() => {}, 1000); console.log('up')");
  {
    await using scoped = child;
    await scoped.waitForLine(/up/u, 10_000);
    expect(scoped.residentMiB()).toBeGreaterThan(1);
    expect(scoped.cpuSeconds()).toBeGreaterThanOrEqual(0);
  }
  expect(child.isRunning).toBe(false);
});
