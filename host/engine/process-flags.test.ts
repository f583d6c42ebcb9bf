import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { ENGINE_FLAGS } from "./process-flags.ts";

const run = promisify(execFile);

test("a process that is started without the flags goes on with them, and with all it was given", async () => {
  const module = new URL("process-flags.ts", import.meta.url).href;
  const program = `
    import { setEngineFlags } from ${JSON.stringify(module)};
    setEngineFlags();
    console.log(JSON.stringify([process.execArgv, process.argv.slice(1), process.env.MARK]));`;
  const { stdout, stderr } = await run(
    process.execPath,
    ["--input-type=module", "--eval", program, "--", "an argument", "another"],
    { env: { ...process.env, MARK: "kept" } },
  );
  const [flags, args, mark] = JSON.parse(stdout);
  expect(flags).toEqual(expect.arrayContaining([...ENGINE_FLAGS]));
  expect(args).toEqual(["an argument", "another"]);
  expect(mark).toBe("kept");
  expect(stderr).toBe("");
});
