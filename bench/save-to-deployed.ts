import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Child } from "./child.ts";
import { Latencies } from "./latencies.ts";

const CLI_MAIN = join(import.meta.dirname, "..", "cli", "main.ts");
const EVENT_TIMEOUT_MS = 60_000;

/**
 * From a save to the answer that its build is deployed, as an author waits for it: `downpour dev` in a
 * project of its own sees the save, checks types, builds, and uploads to the host that it runs.
 */
export async function measureSaves(directory: string, saves: number): Promise<Latencies> {
  const sources = join(directory, "src");
  await mkdir(sources, { recursive: true });
  await writeFile(join(directory, "downpour.json"), '{"app":"saved"}');
  await writeFile(join(directory, "package.json"), '{"name":"saved","type":"module"}');
  const save = (name: string): Promise<void> =>
    writeFile(
      join(sources, "index.ts"),
      `import { fn, state } from "@downpour/sdk";

export const ${name} = fn((page: string) => state.counter(\`visits/\${page}\`).add(1));
`,
    );
  await save("first");
  const latencies = new Latencies();
  await using dev = new Child({
    command: process.execPath,
    args: [CLI_MAIN, "dev", "--json", "--directory", directory],
  });
  await dev.waitForLine(/"event":"watching"/, EVENT_TIMEOUT_MS);
  for (let index = 0; index < saves; index += 1) {
    const name = `save${String(index)}`;
    const deployed = dev.waitForLine(
      new RegExp(`"event":"deployed".*"functions":\\[[^\\]]*"${name}"`),
      EVENT_TIMEOUT_MS,
    );
    const savedAtMs = performance.now();
    await save(name);
    await deployed;
    latencies.recordMs(performance.now() - savedAtMs);
  }
  return latencies;
}
