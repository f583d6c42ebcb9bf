// Makes the folder what npm packs: compiled code in `dist/`, the contract in `wit/`, and the manifest
// whose exports point there. `postpack.ts` undoes all of it.
//
// Node runs no TypeScript inside `node_modules`, so that the sources cannot be what is published.

import { execFileSync } from "node:child_process";
import {
  copyFileSync,
  cpSync,
  existsSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { packagedManifest, paths, writeManifest } from "./package-folder.ts";

rmSync(paths.dist, { recursive: true, force: true });
const compiler = join(
  dirname(createRequire(import.meta.url).resolve("typescript/package.json")),
  "bin/tsc",
);
for (const config of ["guest.json", "build.json"]) {
  execFileSync(process.execPath, [compiler, "-p", join(import.meta.dirname, config)], {
    stdio: "inherit",
  });
}
// Declarations that are written by hand are not the compiler's to copy.
for (const name of readdirSync(join(paths.folder, "src"))) {
  if (name.endsWith(".d.ts")) {
    copyFileSync(join(paths.folder, "src", name), join(paths.dist, "src", name));
  }
}
// They stand beside the compiled index now, while the compiler names them where they were.
const index = join(paths.dist, "src/index.d.ts");
writeFileSync(index, readFileSync(index, "utf8").replaceAll('path="../../src/', 'path="./'));
if (existsSync(paths.repositoryWit)) {
  rmSync(paths.wit, { recursive: true, force: true });
  cpSync(paths.repositoryWit, paths.wit, { recursive: true });
}
if (existsSync(paths.repositoryLicense)) copyFileSync(paths.repositoryLicense, paths.license);
copyFileSync(paths.manifest, paths.manifestBackup);
writeManifest(packagedManifest());
