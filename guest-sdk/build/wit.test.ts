import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { sdkSourceFolder, witFolder } from "./project.ts";

const declarations = readFileSync(join(sdkSourceFolder, "wit.d.ts"), "utf8");

function camelCase(name: string): string {
  return name.replace(/^%/, "").replaceAll(/-(\w)/g, (_, letter: string) => letter.toUpperCase());
}

/** What stands between a line that contains `start` and the line that closes it. */
function blockAfter(text: string, start: string): string {
  const at = text.indexOf(start);
  return text.slice(at, text.indexOf("\n}", at));
}

function namesIn(text: string, pattern: RegExp): string[] {
  return [...text.matchAll(pattern)].map(([, name = ""]) => name).toSorted();
}

describe("the declarations of the host's interfaces", () => {
  test.each(["state", "log", "context"])("%s has exactly the functions of wit/", (name) => {
    const wit = readFileSync(join(witFolder, `${name}.wit`), "utf8");
    const inWit = namesIn(wit, /^ {2}([\w-]+): func/gm).map(camelCase);
    const declared = namesIn(
      blockAfter(declarations, `"downpour:faas/${name}@`),
      /^ {2}function (\w+)\(/gm,
    );
    // `delete` is a word that no function can be declared with.
    expect(declared.map((item) => (item === "deleteKey" ? "delete" : item)).toSorted()).toEqual(
      inWit.toSorted(),
    );
  });

  test("every refusal of state has its case", () => {
    const wit = readFileSync(join(witFolder, "state.wit"), "utf8");
    const cases = namesIn(
      blockAfter(wit, "variant state-error").split("\n  }")[0] ?? "",
      /^ {4}([a-z-]+)[(,]/gm,
    );
    expect(namesIn(declarations, /readonly tag: "([a-z-]+)"/g)).toEqual(cases);
  });

  test("an invocation has the fields of wit/", () => {
    const wit = readFileSync(join(witFolder, "context.wit"), "utf8");
    expect(
      namesIn(
        blockAfter(declarations, "interface WitInvocation").split("\n  }")[0] ?? "",
        /readonly (\w+):/g,
      ),
    ).toEqual(
      namesIn(wit, /^ {4}(%?[a-z-]+): /gm)
        .map(camelCase)
        .toSorted(),
    );
  });
});

test("the manifest names this package's version", () => {
  const manifest = readFileSync(join(sdkSourceFolder, "../package.json"), "utf8");
  const version = /"version": "([^"]+)"/.exec(manifest)?.[1];
  const source = readFileSync(join(sdkSourceFolder, "serve/manifest.ts"), "utf8");
  expect(source).toContain(`const SDK_VERSION = "${version}";`);
});
