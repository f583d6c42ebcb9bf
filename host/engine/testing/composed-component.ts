import { func, string, u32 } from "../component/wit-types.ts";
import type { World } from "../engine.ts";
import { assemble } from "./assemble.ts";

// `provider` defines a resource with a destructor that counts, and a greeting in UTF-16; `consumer`
// uses both through its imports, in UTF-8. Both are in one component, as composed components are.
const COMPOSED = `
  (component
    (component $provider
      (core module $counter
        (global $count (mut i32) (i32.const 0))
        (func (export "dtor") (param i32)
          (global.set $count (i32.add (global.get $count) (local.get 0))))
        (func (export "count") (result i32) (global.get $count)))
      (core instance $counter (instantiate $counter))
      (alias core export $counter "dtor" (core func $dtor))
      (type $thing' (resource (rep i32) (dtor (core func $dtor))))
      (core func $new (canon resource.new $thing'))
      (core module $main
        (import "" "new" (func $new (param i32) (result i32)))
        (memory (export "memory") 1)
        (data (i32.const 32) "g\\00r\\00\\fc\\00\\df\\00e\\00")
        (data (i32.const 16) "\\20\\00\\00\\00\\05\\00\\00\\00")
        (func (export "make") (param i32) (result i32) (call $new (local.get 0)))
        (func (export "value") (param i32) (result i32) (local.get 0))
        (func (export "greet") (result i32) (i32.const 16)))
      (core instance $main (instantiate $main
        (with "" (instance (export "new" (func $new))))))
      (export $thing "thing" (type $thing'))
      (func (export "make") (param "value" u32) (result (own $thing))
        (canon lift (core func $main "make")))
      (func (export "value") (param "self" (borrow $thing)) (result u32)
        (canon lift (core func $main "value")))
      (func (export "count") (result u32) (canon lift (core func $counter "count")))
      (func (export "greet") (result string)
        (canon lift (core func $main "greet") (memory (core memory $main "memory")) string-encoding=utf16)))

    (component $consumer
      (import "provider" (instance $provider
        (export "thing" (type $thing (sub resource)))
        (export "make" (func (param "value" u32) (result (own $thing))))
        (export "value" (func (param "self" (borrow $thing)) (result u32)))
        (export "count" (func (result u32)))
        (export "greet" (func (result string)))))
      (core module $libc
        (memory (export "memory") 1)
        (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 256)))
      (core instance $libc (instantiate $libc))
      (alias export $provider "thing" (type $thing))
      (core func $make (canon lower (func $provider "make")))
      (core func $value (canon lower (func $provider "value")))
      (core func $count (canon lower (func $provider "count")))
      (core func $drop (canon resource.drop $thing))
      (core func $greet (canon lower (func $provider "greet")
        (memory (core memory $libc "memory")) (realloc (core func $libc "realloc")) string-encoding=utf8))
      (core module $main
        (import "" "make" (func $make (param i32) (result i32)))
        (import "" "value" (func $value (param i32) (result i32)))
        (import "" "count" (func $count (result i32)))
        (import "" "drop" (func $drop (param i32)))
        (import "" "greet" (func $greet (param i32)))
        (func (export "use") (param i32) (result i32)
          (local $handle i32) (local $value i32)
          (local.set $handle (call $make (local.get 0)))
          (local.set $value (call $value (local.get $handle)))
          (call $drop (local.get $handle))
          (i32.add (i32.mul (local.get $value) (i32.const 100)) (call $count)))
        (func (export "use-after-drop") (param i32) (result i32)
          (local $handle i32)
          (local.set $handle (call $make (local.get 0)))
          (call $drop (local.get $handle))
          (call $value (local.get $handle)))
        (func (export "greet") (result i32) (call $greet (i32.const 64)) (i32.const 64)))
      (core instance $main (instantiate $main (with "" (instance
        (export "make" (func $make))
        (export "value" (func $value))
        (export "count" (func $count))
        (export "drop" (func $drop))
        (export "greet" (func $greet))))))
      (func (export "use") (param "value" u32) (result u32) (canon lift (core func $main "use")))
      (func (export "use-after-drop") (param "value" u32) (result u32)
        (canon lift (core func $main "use-after-drop")))
      (func (export "greet") (result string)
        (canon lift (core func $main "greet") (memory (core memory $libc "memory")) string-encoding=utf8)))

    (instance $provider (instantiate $provider))
    (instance $consumer (instantiate $consumer (with "provider" (instance $provider))))
    (export "use" (func $consumer "use"))
    (export "use-after-drop" (func $consumer "use-after-drop"))
    (export "greet" (func $consumer "greet")))`;

const number = func({ value: u32 }, u32);
export const composedWorld: World = {
  imports: [],
  exports: { use: [number], "use-after-drop": [number], greet: [func({}, string)] },
};

export function composedComponent(): Promise<Uint8Array> {
  return assemble(COMPOSED);
}
