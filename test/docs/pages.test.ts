import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { expect, test } from "vitest";

const ROOT = resolve(import.meta.dirname, "../..");
const INDEX = "docs/README.md";

const pages = readdirSync(join(ROOT, "docs"), { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile() && entry.name.endsWith(".md"))
  .map(({ parentPath, name }) => relative(ROOT, join(parentPath, name)));

/** The files of this repository that a page links to, as paths from the root. */
function linked(page: string): readonly string[] {
  const text = readFileSync(join(ROOT, page), "utf8");
  return Array.from(text.matchAll(/\]\(([^)\s#]+)[^)]*\)/gu), ([, target = ""]) => target)
    .filter((target) => !/^[a-z]+:/u.test(target))
    .map((target) => relative(ROOT, resolve(ROOT, dirname(page), target)));
}

test.each(pages.filter((page) => page !== INDEX))("%s is linked from the index", (page) => {
  expect(linked(INDEX)).toContain(page);
});

test.each([...pages, "README.md", "ARCHITECTURE.md", "SECURITY.md", "CONTRIBUTING.md"])(
  "each file that %s links to is there",
  (page) => {
    expect(linked(page).filter((target) => !existsSync(join(ROOT, target)))).toEqual([]);
  },
);
