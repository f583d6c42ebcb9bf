import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

/** An author's project in a folder of its own, gone when the test is. */
export interface ProjectFolder extends AsyncDisposable {
  readonly path: string;
  readonly entry: string;
}

/** Writes the files; `src/index.ts` is the entry. */
export async function createProject(
  files: Readonly<Record<string, string>>,
): Promise<ProjectFolder> {
  const path = await mkdtemp(join(tmpdir(), "sdk-test-project-"));
  const all = { "package.json": '{ "name": "app", "type": "module" }', ...files };
  for (const [name, content] of Object.entries(all)) {
    const file = join(path, name);
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, content);
  }
  return {
    path,
    entry: join(path, "src/index.ts"),
    [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }),
  };
}
