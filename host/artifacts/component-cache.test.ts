import { expect, test } from "vitest";
import { ComponentCache } from "./component-cache.ts";

function component(name: string): { plan: string; modules: []; imports: [] } {
  return { plan: name, modules: [], imports: [] };
}

test("the component that was unused longest goes first", () => {
  const cache = new ComponentCache({ countMax: 2 });
  cache.put("a", component("a"));
  cache.put("b", component("b"));
  expect(cache.get("a")).toEqual(component("a"));
  cache.put("c", component("c"));
  expect(cache.get("b")).toBeUndefined();
  expect(cache.get("a")).toBeDefined();
  expect(cache.get("c")).toBeDefined();
});

test("of a deleted component nothing is kept", () => {
  const cache = new ComponentCache({ countMax: 2 });
  cache.put("a", component("a"));
  cache.delete("a");
  expect(cache.get("a")).toBeUndefined();
});
