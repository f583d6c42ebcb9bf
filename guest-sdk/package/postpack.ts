// Takes away what `prepack.ts` made. A second run changes nothing.

import { existsSync, renameSync, rmSync } from "node:fs";
import { paths } from "./package-folder.ts";

if (existsSync(paths.manifestBackup)) renameSync(paths.manifestBackup, paths.manifest);
for (const made of [paths.dist, paths.wit, paths.license]) {
  rmSync(made, { recursive: true, force: true });
}
