// Completes package-lock.json after `npm install`, where the registry at hand (a mirror, say) does not
// serve every platform's optional binaries: npm then leaves them out of the lock, and `npm ci`
// refuses a lock that lacks them. Adds an entry for each, for its platform only, without a checksum:
// what is installed on the platforms that the registry does serve keeps its own.
//
// Usage: node .ci/complete-lock.mjs [package-lock.json]

import { readFileSync, writeFileSync } from "node:fs";

const PLATFORM =
  /(?:^|[-/])(android|darwin|freebsd|linux|openharmony|win32|wasm32)-(arm64|arm|x64|ia32|ppc64|riscv64|s390x|wasi)(?:-(gnu|musl|gnueabihf|musleabihf|msvc|eabi))?$/u;

const path = process.argv[2] ?? "package-lock.json";
const lock = JSON.parse(readFileSync(path, "utf8"));
let added = 0;

/** Where Node would find `name` from the package at `from`, if it is locked. */
function resolve(from, name) {
  for (let base = from; ; base = base.slice(0, Math.max(0, base.lastIndexOf("/node_modules/")))) {
    const at = `${base === "" ? "" : `${base}/`}node_modules/${name}`;
    if (lock.packages[at] !== undefined) return at;
    if (base === "") return undefined;
  }
}

for (const [from, entry] of Object.entries(lock.packages)) {
  for (const [name, version] of Object.entries(entry.optionalDependencies ?? {})) {
    const known = resolve(from, name);
    const [, os, cpu, abi] = PLATFORM.exec(name) ?? [];
    if (os === undefined || lock.packages[known]?.version === version) continue;
    const at = `${known === undefined ? "" : `${from}/`}node_modules/${name}`;
    lock.packages[at] = {
      version,
      cpu: [os === "wasm32" ? os : cpu],
      ...(entry.dev && { dev: true }),
      ...(abi === "gnu" && { libc: ["glibc"] }),
      ...(abi === "musl" && { libc: ["musl"] }),
      license: "MIT",
      optional: true,
      ...(os !== "wasm32" && { os: [os] }),
    };
    added += 1;
  }
}

const { "": root, ...packages } = lock.packages;
const byPath = Object.entries(packages).toSorted(([a], [b]) => (a < b ? -1 : 1));
lock.packages = { "": root, ...Object.fromEntries(byPath) };
writeFileSync(path, `${JSON.stringify(lock, null, 2)}\n`);
process.stdout.write(`${added} entries added to ${path}\n`);
