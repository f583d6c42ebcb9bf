import { expect, test } from "vitest";
import { ComponentCache } from "./component-cache.ts";

function of(tenantId: string, codeKey: string): Parameters<ComponentCache["get"]>[0] {
  return { tenantId, codeKey };
}

function component(name: string): { plan: string; modules: []; imports: [] } {
  return { plan: name, modules: [], imports: [] };
}

test("the component that was unused longest goes first", () => {
  const cache = new ComponentCache({ countMax: 2 });
  cache.put(of("acme", "a"), component("a"));
  cache.put(of("acme", "b"), component("b"));
  expect(cache.get(of("acme", "a"))).toEqual(component("a"));
  cache.put(of("acme", "c"), component("c"));
  expect(cache.get(of("acme", "b"))).toBeUndefined();
  expect(cache.get(of("acme", "a"))).toBeDefined();
  expect(cache.get(of("acme", "c"))).toBeDefined();
});

test("of a deleted component nothing is kept", () => {
  const cache = new ComponentCache({ countMax: 2 });
  cache.put(of("acme", "a"), component("a"));
  cache.delete(of("acme", "a"));
  expect(cache.get(of("acme", "a"))).toBeUndefined();
});

test("an equal component of another tenant is another one, and deleted for itself", () => {
  const cache = new ComponentCache({ countMax: 2 });
  cache.put(of("acme", "a"), component("a"));
  expect(cache.get(of("beta", "a"))).toBeUndefined();
  cache.put(of("beta", "a"), component("a"));
  cache.delete(of("beta", "a"));
  expect(cache.get(of("acme", "a"))).toBeDefined();
});

test("a tenant with many apps loses its own components, and nobody else's", () => {
  const cache = new ComponentCache({ countMax: 4 });
  cache.put(of("victim", "v"), component("v"));
  for (let n = 0; n < 100; n += 1) cache.put(of("flood", `f${n}`), component("f"));
  expect(cache.get(of("victim", "v"))).toBeDefined();
  expect(cache.get(of("flood", "f99"))).toBeDefined();
  expect(cache.get(of("flood", "f96"))).toBeUndefined();
});
