// Globals that QuickJS lacks and that are too heavy for every function: each goes in front of a bundle
// that names it, as one script.

import { rolldown } from "rolldown";
import { sdkModule } from "./project.ts";

interface Polyfill {
  readonly module: string;
  /** Of identifiers; a mention in a text only costs space. */
  readonly mention: RegExp;
}

const POLYFILLS: readonly Polyfill[] = [
  { module: "src/polyfills/url", mention: /\bURL(?:SearchParams)?\b/ },
  { module: "src/polyfills/structured-clone", mention: /\bstructuredClone\b/ },
];

/** They depend on this package alone, so that a process bundles each of them once. */
const bundled = new Map<string, Promise<string>>();

/** Scripts to run before the bundle, each with its line break; empty where there is nothing to add. */
export async function polyfillsFor(sources: readonly string[]): Promise<string> {
  const needed = POLYFILLS.filter(({ mention }) => sources.some((source) => mention.test(source)));
  const scripts = await Promise.all(needed.map(({ module }) => bundleOnce(module)));
  return scripts.join("");
}

function bundleOnce(module: string): Promise<string> {
  const known = bundled.get(module);
  if (known !== undefined) return known;
  const script = bundlePolyfill(module);
  bundled.set(module, script);
  return script;
}

async function bundlePolyfill(module: string): Promise<string> {
  const build = await rolldown({
    input: sdkModule(module),
    platform: "neutral",
    logLevel: "silent",
    resolve: { mainFields: ["module", "main"] },
    transform: { target: "es2024" },
  });
  try {
    const { output } = await build.generate({ format: "iife", minify: true, comments: false });
    return `${output[0].code.trim()}\n`;
  } finally {
    await build.close();
  }
}
