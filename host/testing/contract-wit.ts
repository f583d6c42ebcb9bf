import { readFileSync, readdirSync } from "node:fs";

const WIT = new URL("../../wit/", import.meta.url);
const PACKAGE_LINE = /^package ([^;]+);/mu;

/**
 * The packages of `wit/` as one text of nested packages (`package a:b { … }`), for tools that take
 * one file; a test puts a package of its own before it.
 */
export function contractPackages(): string {
  const interfacesOf = new Map<string, string[]>();
  for (const file of readdirSync(WIT, { recursive: true, encoding: "utf8" }).toSorted()) {
    if (!file.endsWith(".wit")) continue;
    const text = readFileSync(new URL(file, WIT), "utf8");
    const name = String(PACKAGE_LINE.exec(text)?.[1]);
    const texts = interfacesOf.get(name) ?? [];
    texts.push(text.replace(PACKAGE_LINE, ""));
    interfacesOf.set(name, texts);
  }
  return Array.from(
    interfacesOf,
    ([name, texts]) => `package ${name} {\n${texts.join("\n")}\n}\n`,
  ).join("\n");
}
