import { describe, expect, test } from "vitest";
import { createEngine } from "../create-engine.ts";
import { ComponentError } from "../engine.ts";
import { assemble } from "../testing/assemble.ts";
import { testLimits } from "../testing/limits.ts";
import { testWorld } from "../testing/world.ts";

const engine = createEngine();

async function problemOf(text: string): Promise<string | undefined> {
  const bytes = await assemble(`(component ${text})`);
  try {
    engine.compile(bytes, { ...testWorld, exports: {} }, testLimits);
  } catch (error) {
    if (error instanceof ComponentError && error.kind === "malformed") return error.message;
    throw error;
  }
  return undefined;
}

const THING = `(import "test:host/things@1.2.3" (instance $h
    (export "thing" (type $thing (sub resource)))
    (export "[constructor]thing" (func (param "n" u32) (result (own $thing))))
    (export "[method]thing.value" (func (param "self" (borrow $thing)) (result u32)))))
  (alias export $h "thing" (type $t))
  (alias export $h "[constructor]thing" (func $new))
  (alias export $h "[method]thing.value" (func $value))`;

test("members of a resource stand behind it, with the types that their names promise", async () => {
  const exports = `(export $e "thing" (type $t))
    (export "[constructor]thing" (func $new) (func (param "n" u32) (result (own $e))))
    (export "[method]thing.value" (func $value) (func (param "self" (borrow $e)) (result u32)))
    (export "[static]thing.of" (func $new) (func (param "n" u32) (result (own $e))))`;
  expect(await problemOf(`${THING} ${exports}`)).toBeUndefined();
  expect(
    await problemOf(`(component (import "thing" (type $t (sub resource)))
      (import "[constructor]thing" (func (result (result (own $t) (error string))))))`),
  ).toBeUndefined();
});

describe("a name does not fit:", () => {
  test.each([
    [
      "one that differs from another in upper and lower case",
      `(instance $i) (export "a-b" (instance $i)) (export "A-b" (instance $i))`,
      'the export "A-b" is there twice, as "a-b"',
    ],
    [
      "one of a member that is called like its resource",
      `${THING} (export "thing" (type $t)) (export "[method]thing.thing" (func $value))`,
      'the export "[method]thing.thing" is there twice, as "thing"',
    ],
    [
      "one of a resource that is imported and not exported",
      `${THING} (export "[method]thing.value" (func $value))`,
      'expected an export of the resource "thing" before "[method]thing.value"',
    ],
    [
      "one of a type that is no resource",
      `${THING} (type $u u8) (export "thing" (type $u)) (export "[static]thing.of" (func $new))`,
      'expected an export of the resource "thing" before "[static]thing.of"',
    ],
    [
      "a method that is no function",
      `${THING} (instance $i) (export "thing" (type $t)) (export "[method]thing.value" (instance $i))`,
      'expected a func under the name "[method]thing.value"',
    ],
    [
      "a method without self",
      `${THING} (export "thing" (type $t)) (export "[method]thing.new" (func $new))`,
      'expected "[method]thing.new" to take "self" first, a borrowed handle of the resource "thing"',
    ],
    [
      "a constructor of nothing",
      `${THING} (export "thing" (type $t)) (export "[constructor]thing" (func $value))`,
      'expected "[constructor]thing" to return an owned handle of the resource "thing"',
    ],
    [
      "a constructor of another resource",
      `${THING} (type $mine (resource (rep i32))) (export "mine" (type $mine)) (export "[constructor]mine" (func $new))`,
      'expected "[constructor]mine" to return an owned handle of the resource "mine"',
    ],
    [
      "one in an instance that is made of exports",
      `${THING} (instance (export "[method]thing.value" (func $value)))`,
      'expected an export of the resource "thing" before',
    ],
    [
      "one in the type of an import",
      `(import "test:host/things@1.2.3" (instance (export "[method]thing.value" (func))))`,
      'expected an export of the resource "thing" before',
    ],
  ])("%s", async (_what, text, problem) => {
    expect(await problemOf(text)).toContain(problem);
  });
});
