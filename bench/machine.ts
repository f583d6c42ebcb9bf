import { readFileSync } from "node:fs";
import { statfs } from "node:fs/promises";
import { createRequire } from "node:module";
import { cpus, release, totalmem } from "node:os";

export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryMiB: number;
  readonly kernel: string;
  /** The type number of the file system that the durable writes go to, as `statfs` gives it. */
  readonly fileSystem: string;
  readonly versions: Readonly<Record<string, string>>;
}

/** A number without the machine it was measured on says nothing. */
export async function describeMachine(directory: string): Promise<Machine> {
  const processors = cpus();
  return {
    cpu: processors[0]?.model ?? "unknown",
    cores: processors.length,
    memoryMiB: Math.round(totalmem() / 2 ** 20),
    kernel: release(),
    fileSystem: fileSystemName((await statfs(directory)).type),
    versions: {
      node: process.versions.node,
      v8: process.versions.v8,
      workerd: packageVersion("workerd"),
      fastify: packageVersion("fastify"),
      jco: packageVersion("@bytecodealliance/jco"),
    },
  };
}

/** The magic numbers of `statfs(2)` for what a data directory is likely to be on. */
function fileSystemName(type: number): string {
  switch (type) {
    case 0xef53:
      return "ext4";
    case 0x58465342:
      return "xfs";
    case 0x9123683e:
      return "btrfs";
    case 0x01021994:
      return "tmpfs (its fsync costs nothing: durable figures mean little)";
    case 0x794c7630:
      return "overlayfs";
    default:
      return `0x${type.toString(16)}`;
  }
}

/** Reads the manifest beside the entry: packages may keep `package.json` out of their exports. */
function packageVersion(name: string): string {
  const require = createRequire(import.meta.url);
  for (const folder of require.resolve.paths(name) ?? []) {
    try {
      const manifest: unknown = JSON.parse(readFileSync(`${folder}/${name}/package.json`, "utf8"));
      if (hasVersion(manifest)) return manifest.version;
    } catch {
      // Not in this folder: the next one up is tried, as resolution itself does.
    }
  }
  return "absent";
}

function hasVersion(value: unknown): value is { readonly version: string } {
  return (
    typeof value === "object" &&
    value !== null &&
    "version" in value &&
    typeof value.version === "string"
  );
}
