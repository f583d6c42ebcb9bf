import { func, list, string, u32 } from "../component/wit-types.ts";
import type { World } from "../engine.ts";

const asynchronous = { async: true };

export const streamWorld: World = {
  imports: [],
  exports: {
    sum: [func({ count: u32 }, u32, asynchronous)],
    names: [func({}, list(string), asynchronous)],
    leave: [func({}, u32, asynchronous)],
  },
};

// `producer` gives a stream of numbers, which it writes piece by piece in its callback, and a future of a list of
// strings in UTF-16; `consumer` reads both. `leave` begins to read a future that nobody writes.
export const STREAM_COMPONENT = `
  (component
    (component $Producer
      (type $numbers (stream u32))
      (type $names (future (list string)))
      (core module $Memory
        (memory (export "memory") 1)
        (data (i32.const 512) "\\30\\02\\00\\00\\02\\00\\00\\00")
        (data (i32.const 560) "\\58\\02\\00\\00\\02\\00\\00\\00\\60\\02\\00\\00\\00\\00\\00\\00")
        (data (i32.const 600) "\\fc\\00\\df\\00"))
      (core instance $memory (instantiate $Memory))
      (core func $return-numbers (canon task.return (result $numbers)))
      (core func $return-names (canon task.return (result $names)))
      (core func $stream-new (canon stream.new $numbers))
      (core func $stream-write (canon stream.write $numbers async (memory (core memory $memory "memory"))))
      (core func $stream-drop (canon stream.drop-writable $numbers))
      (core func $future-new (canon future.new $names))
      (core func $future-write (canon future.write $names async
        (memory (core memory $memory "memory")) string-encoding=utf16))
      (core func $future-drop (canon future.drop-writable $names))
      (core func $set-new (canon waitable-set.new))
      (core func $join (canon waitable.join))
      (core module $Main
        (import "" "memory" (memory 1))
        (import "" "return-numbers" (func $return-numbers (param i32)))
        (import "" "return-names" (func $return-names (param i32)))
        (import "" "stream-new" (func $stream-new (result i64)))
        (import "" "stream-write" (func $stream-write (param i32 i32 i32) (result i32)))
        (import "" "stream-drop" (func $stream-drop (param i32)))
        (import "" "future-new" (func $future-new (result i64)))
        (import "" "future-write" (func $future-write (param i32 i32) (result i32)))
        (import "" "future-drop" (func $future-drop (param i32)))
        (import "" "set-new" (func $set-new (result i32)))
        (import "" "join" (func $join (param i32 i32)))
        (global $set (mut i32) (i32.const 0))
        (global $writer (mut i32) (i32.const 0))
        (global $future (mut i32) (i32.const 0))
        (global $next (mut i32) (i32.const 0))
        (global $count (mut i32) (i32.const 0))
        (func $wait (result i32) (i32.or (i32.const 2) (i32.shl (global.get $set) (i32.const 4))))
        ;; Writes two numbers at a time, until all are written, and waits where nobody reads.
        (func $write (result i32)
          (local $result i32)
          (loop $again
            (if (i32.ge_u (global.get $next) (global.get $count))
              (then (call $stream-drop (global.get $writer)) (return (i32.const 0))))
            (i32.store (i32.const 16) (global.get $next))
            (i32.store (i32.const 20) (i32.add (global.get $next) (i32.const 1)))
            (local.set $result (call $stream-write (global.get $writer) (i32.const 16)
              (select (i32.const 1) (i32.const 2)
                (i32.eq (i32.add (global.get $next) (i32.const 1)) (global.get $count)))))
            (if (i32.eq (local.get $result) (i32.const -1)) (then (return (call $wait))))
            (call $advance (local.get $result))
            (br $again))
          unreachable)
        (func $advance (param $result i32)
          (if (i32.and (local.get $result) (i32.const 15)) (then unreachable))
          (global.set $next (i32.add (global.get $next) (i32.shr_u (local.get $result) (i32.const 4)))))
        (func (export "numbers") (param $count i32) (result i32)
          (local $ends i64)
          (global.set $count (local.get $count))
          (global.set $next (i32.const 0))
          (local.set $ends (call $stream-new))
          (global.set $writer (i32.wrap_i64 (i64.shr_u (local.get $ends) (i64.const 32))))
          (global.set $set (call $set-new))
          (call $join (global.get $writer) (global.get $set))
          (call $return-numbers (i32.wrap_i64 (local.get $ends)))
          (call $write))
        (func (export "numbers-callback") (param $event i32) (param $index i32) (param $result i32) (result i32)
          (if (i32.ne (local.get $event) (i32.const 3)) (then unreachable))
          (call $advance (local.get $result))
          (call $write))
        (func (export "names") (result i32)
          (local $ends i64)
          (local.set $ends (call $future-new))
          (global.set $future (i32.wrap_i64 (i64.shr_u (local.get $ends) (i64.const 32))))
          (global.set $set (call $set-new))
          (call $join (global.get $future) (global.get $set))
          (call $return-names (i32.wrap_i64 (local.get $ends)))
          (drop (call $future-write (global.get $future) (i32.const 512)))
          (call $wait))
        (func (export "names-callback") (param i32 i32 i32) (result i32)
          (call $future-drop (global.get $future))
          (i32.const 0)))
      (core instance $main (instantiate $Main (with "" (instance
        (export "memory" (memory $memory "memory"))
        (export "return-numbers" (func $return-numbers))
        (export "return-names" (func $return-names))
        (export "stream-new" (func $stream-new))
        (export "stream-write" (func $stream-write))
        (export "stream-drop" (func $stream-drop))
        (export "future-new" (func $future-new))
        (export "future-write" (func $future-write))
        (export "future-drop" (func $future-drop))
        (export "set-new" (func $set-new))
        (export "join" (func $join))))))
      (func (export "numbers") async (param "count" u32) (result $numbers)
        (canon lift (core func $main "numbers") async (callback (core func $main "numbers-callback"))))
      (func (export "names") async (result $names)
        (canon lift (core func $main "names") async (callback (core func $main "names-callback")))))

    (component $Consumer
      (type $numbers (stream u32))
      (type $names (future (list string)))
      (import "numbers" (func $numbers async (param "count" u32) (result $numbers)))
      (import "names" (func $names async (result $names)))
      (core module $Memory
        (memory (export "memory") 1)
        (global $next (mut i32) (i32.const 4096))
        (func (export "realloc") (param i32 i32 i32) (param $length i32) (result i32)
          (local $at i32)
          (local.set $at (global.get $next))
          (global.set $next (i32.and
            (i32.add (i32.add (local.get $at) (local.get $length)) (i32.const 7)) (i32.const -8)))
          (local.get $at)))
      (core instance $memory (instantiate $Memory))
      (core func $numbers (canon lower (func $numbers)))
      (core func $names (canon lower (func $names)))
      (core func $read (canon stream.read $numbers (memory (core memory $memory "memory"))))
      (core func $drop (canon stream.drop-readable $numbers))
      (core func $future-read (canon future.read $names
        (memory (core memory $memory "memory")) (realloc (core func $memory "realloc"))))
      (core func $future-begin (canon future.read $names async
        (memory (core memory $memory "memory")) (realloc (core func $memory "realloc"))))
      (core func $future-new (canon future.new $names))
      (core func $future-drop (canon future.drop-readable $names))
      (core module $Main
        (import "" "memory" (memory 1))
        (import "" "numbers" (func $numbers (param i32) (result i32)))
        (import "" "names" (func $names (result i32)))
        (import "" "read" (func $read (param i32 i32 i32) (result i32)))
        (import "" "drop" (func $drop (param i32)))
        (import "" "future-read" (func $future-read (param i32 i32) (result i32)))
        (import "" "future-begin" (func $future-begin (param i32 i32) (result i32)))
        (import "" "future-new" (func $future-new (result i64)))
        (import "" "future-drop" (func $future-drop (param i32)))
        ;; Reads up to three at a time, whatever the writer gives, until it is gone.
        (func (export "sum") (param $count i32) (result i32)
          (local $reader i32) (local $result i32) (local $left i32) (local $sum i32)
          (local.set $reader (call $numbers (local.get $count)))
          (loop $again
            (local.set $result (call $read (local.get $reader) (i32.const 32) (i32.const 3)))
            (local.set $left (i32.shr_u (local.get $result) (i32.const 4)))
            (block $added
              (loop $add
                (br_if $added (i32.eqz (local.get $left)))
                (local.set $left (i32.sub (local.get $left) (i32.const 1)))
                (local.set $sum (i32.add (local.get $sum)
                  (i32.load (i32.add (i32.const 32) (i32.mul (local.get $left) (i32.const 4))))))
                (br $add)))
            (br_if $again (i32.eqz (i32.and (local.get $result) (i32.const 15)))))
          (call $drop (local.get $reader))
          (local.get $sum))
        (func (export "names") (result i32)
          (local $reader i32)
          (local.set $reader (call $names))
          (if (call $future-read (local.get $reader) (i32.const 128)) (then unreachable))
          (call $future-drop (local.get $reader))
          (i32.const 128))
        (func (export "leave") (result i32)
          (call $future-begin (i32.wrap_i64 (call $future-new)) (i32.const 128))))
      (core instance $main (instantiate $Main (with "" (instance
        (export "memory" (memory $memory "memory"))
        (export "numbers" (func $numbers))
        (export "names" (func $names))
        (export "read" (func $read))
        (export "drop" (func $drop))
        (export "future-read" (func $future-read))
        (export "future-begin" (func $future-begin))
        (export "future-new" (func $future-new))
        (export "future-drop" (func $future-drop))))))
      (func (export "sum") async (param "count" u32) (result u32) (canon lift (core func $main "sum")))
      (func (export "names") async (result (list string))
        (canon lift (core func $main "names") (memory (core memory $memory "memory"))))
      (func (export "leave") async (result u32) (canon lift (core func $main "leave"))))

    (instance $producer (instantiate $Producer))
    (instance $consumer (instantiate $Consumer
      (with "numbers" (func $producer "numbers"))
      (with "names" (func $producer "names"))))
    (export "sum" (func $consumer "sum"))
    (export "names" (func $consumer "names"))
    (export "leave" (func $consumer "leave")))`;
