import { parse } from "@bytecodealliance/jco";
import { GuestContext, GuestMemory } from "../guest-context.ts";
import { DEFAULT_GUEST_LIMITS, Guest } from "../guest.ts";
import type { GuestLimits } from "../guest.ts";

// A real core module with a memory that grows, and a `realloc` that never frees: the least that
// lifting and lowering need of a guest. Allocations begin near the end of the first page, so that
// they grow the memory soon.

const BUMP_ALLOCATOR = await parse(`
  (module
    (memory (export "memory") 1)
    (global $next (mut i32) (i32.const 65000))
    (func (export "realloc") (param $old i32) (param $old-length i32) (param $alignment i32) (param $length i32) (result i32)
      (local $at i32)
      (local.set $at
        (i32.and
          (i32.add (global.get $next) (i32.sub (local.get $alignment) (i32.const 1)))
          (i32.sub (i32.const 0) (local.get $alignment))))
      (global.set $next (i32.add (local.get $at) (local.get $length)))
      (block $fits
        (loop $grow
          (br_if $fits (i32.le_u (global.get $next) (i32.mul (memory.size) (i32.const 65536))))
          (if (i32.eq (memory.grow (i32.const 1)) (i32.const -1)) (then unreachable))
          (br $grow)))
      (memory.copy (local.get $at) (local.get $old) (local.get $old-length))
      (local.get $at)))`);

export interface CoreGuest {
  readonly guest: Guest;
  readonly cx: GuestContext;
  readonly memory: WebAssembly.Memory;
}

export function createCoreGuest(
  options: {
    readonly limits?: Partial<GuestLimits>;
    /** To be another component instance of. */
    readonly guest?: Guest;
    /** In place of the module's own. */
    readonly realloc?: (
      old: number,
      oldLength: number,
      alignment: number,
      length: number,
    ) => number;
  } = {},
): CoreGuest {
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(BUMP_ALLOCATOR));
  const { memory, realloc } = exports;
  if (!(memory instanceof WebAssembly.Memory) || typeof realloc !== "function") {
    throw new Error("the core module has other exports");
  }
  const guest = options.guest ?? new Guest({ ...DEFAULT_GUEST_LIMITS, ...options.limits });
  const own = (...args: [number, number, number, number]): number =>
    Number(Reflect.apply(realloc, undefined, args));
  const cx = new GuestContext(
    guest.createComponentInstance(),
    new GuestMemory(memory),
    options.realloc ?? own,
  );
  cx.startLifting();
  return { guest, cx, memory };
}
