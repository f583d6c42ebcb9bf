import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const folder = join(import.meta.dirname, "..");

export const paths = {
  folder,
  dist: join(folder, "dist"),
  wit: join(folder, "wit"),
  license: join(folder, "LICENSE"),
  manifest: join(folder, "package.json"),
  manifestBackup: join(folder, "package.json.unpacked"),
  repositoryWit: join(folder, "../wit"),
  repositoryLicense: join(folder, "../LICENSE"),
} as const;

/** The manifest as it is published: npm applies `publishConfig.exports` for nobody. */
export function packagedManifest(): Record<string, unknown> {
  const manifest = parseObject(readFileSync(paths.manifest, "utf8"));
  const { exports: compiled, ...publishConfig } = toObject(manifest["publishConfig"]);
  if (compiled === undefined) throw new Error("package.json is the published one already");
  return { ...manifest, exports: compiled, publishConfig };
}

export function writeManifest(manifest: Record<string, unknown>): void {
  writeFileSync(paths.manifest, `${JSON.stringify(manifest, undefined, 2)}\n`);
}

function parseObject(text: string): Record<string, unknown> {
  return toObject(JSON.parse(text));
}

function toObject(value: unknown): Record<string, unknown> {
  if (typeof value !== "object" || value === null) throw new TypeError("an object is expected");
  return { ...value };
}
