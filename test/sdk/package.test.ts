import { execFileSync } from "node:child_process";
import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const repository = fileURLToPath(new URL("../..", import.meta.url));
const DEPENDENCIES = [
  "@bytecodealliance",
  "@andreiltd",
  "componentize-qjs",
  "core-js-pure",
  "typescript",
  "@typescript",
];

/** A copy, because packing changes the folder while it runs. */
async function copyOfSdk(to: string): Promise<string> {
  for (const name of ["guest-sdk", "wit", "tsconfig.json"]) {
    await cp(join(repository, name), join(to, name), {
      recursive: true,
      filter: (source) => !source.includes("node_modules"),
    });
  }
  await symlink(join(repository, "node_modules"), join(to, "node_modules"));
  return join(to, "guest-sdk");
}

test("the packed package, installed under node_modules, builds a function with plain JavaScript", async () => {
  const folder = await mkdtemp(join(tmpdir(), "sdk-test-package-"));
  try {
    const sdk = await copyOfSdk(join(folder, "repository"));
    const manifest = await readFile(join(sdk, "package.json"), "utf8");
    const project = join(folder, "project");
    const modules = join(project, "node_modules");
    await mkdir(join(modules, "@downpour"), { recursive: true });

    execFileSync("npm", ["pack", "--pack-destination", folder], { cwd: sdk, stdio: "pipe" });
    // Packing leaves the folder as it was.
    expect(await readFile(join(sdk, "package.json"), "utf8")).toBe(manifest);

    execFileSync("tar", ["xzf", join(folder, "downpour-sdk-0.1.0.tgz")], { cwd: modules });
    await cp(join(modules, "package"), join(modules, "@downpour/sdk"), { recursive: true });
    for (const name of DEPENDENCIES) {
      await symlink(join(repository, "node_modules", name), join(modules, name));
    }
    // npm may have put it beside the SDK, or at the root.
    const rolldown = createRequire(join(repository, "guest-sdk/package.json"));
    await symlink(dirname(rolldown.resolve("rolldown/package.json")), join(modules, "rolldown"));
    await cp(join(modules, "@downpour/sdk/template"), project, { recursive: true });
    await writeFile(join(project, "package.json"), '{ "name": "app", "type": "module" }');
    await writeFile(
      join(project, "build.js"),
      `import { buildComponent } from "@downpour/sdk/build";
const { functions, bytes } = await buildComponent({ entry: "src/index.ts" });
console.log(JSON.stringify({ functions: functions.map(({ name }) => name), isThere: bytes > 0 }));`,
    );

    const output = execFileSync(process.execPath, ["build.js"], { cwd: project, encoding: "utf8" });
    expect(JSON.parse(output)).toEqual({ functions: ["hello", "visit"], isThere: true });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
