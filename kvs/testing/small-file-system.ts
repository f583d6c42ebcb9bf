import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { onTestFinished } from "vitest";
import { temporaryDirectory } from "./temporary-directory.ts";

/** Real full disks need a mount, which needs root on Linux: elsewhere such tests are skipped. */
export const canMountFileSystems: boolean = mountInNamespace();

/** Mounts a memory file system of the given size for one test. */
export function mountSmallFileSystem(bytes: number): string {
  const directory = temporaryDirectory();
  const mount = spawnSync("mount", ["-t", "tmpfs", "-o", `size=${bytes}`, "tmpfs", directory]);
  if (mount.status !== 0) throw new Error(`the mount was refused: ${mount.stderr.toString()}`);
  onTestFinished(() => {
    // Lazily: a test that failed may still have files open.
    spawnSync("umount", ["--lazy", directory]);
  });
  return directory;
}

/** Writes a file until the file system is full. */
export function fillFileSystem(path: string): void {
  for (const chunkBytes of [64 * 1024, 4096, 512]) {
    try {
      for (;;) writeFileSync(path, Buffer.alloc(chunkBytes), { flag: "a" });
    } catch (error) {
      if (!(error instanceof Error && "code" in error && error.code === "ENOSPC")) throw error;
    }
  }
}

function mountInNamespace(): boolean {
  if (process.platform !== "linux" || process.getuid?.() !== 0) return false;
  return spawnSync("unshare", ["-m", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]).status === 0;
}
