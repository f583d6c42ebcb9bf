import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { SHARED_RUNTIMES } from "../../host/artifacts/shared-runtimes.ts";
import { decodeComponent } from "../../host/engine/component/decode.ts";
import { testLimits } from "../../host/engine/testing/limits.ts";
import { behaviours, built } from "../e2e/testing/components.ts";

const hello = readFileSync(join(import.meta.dirname, "../../examples/hello/src/index.ts"), "utf8");

function modulesOf(component: Uint8Array): ReadonlySet<string> {
  return new Set(
    decodeComponent(component, testLimits).modules.map((module) =>
      createHash("sha256").update(module).digest("hex"),
    ),
  );
}

test("what tenants share is what any two functions of the SDK have in common, and no more", async () => {
  const [one, other] = [modulesOf(await behaviours()), modulesOf(await built(hello))];
  expect([...SHARED_RUNTIMES].toSorted()).toEqual([...one.intersection(other)].toSorted());
});
