import { uncatchableTrap } from "../../canonical/trap.ts";
import { createHook } from "../hook.ts";
import { addedExports, rewriteModule } from "../rewrite-module.ts";

// A core module alone, rewritten, and with a meter that is easy to look at.

export const GRANT = 10_000;
const GROWN_ELEMENTS_MAX = 10_000;

export interface RewrittenInstance {
  readonly exports: Readonly<Record<string, WebAssembly.ExportValue>>;
  /** What it has used. */
  readonly fuel: () => number;
  readonly asked: () => readonly number[];
  /** More than `fuelMax` was asked for: what ran has ended. */
  readonly isOutOfFuel: () => boolean;
}

const hook = createHook();

/** `fuelMax`: whoever needs more is ended by a trap. `pagesMax`: by how much its memories grow. */
export function instantiateRewritten(
  bytes: Uint8Array,
  limits: { readonly grant?: number; readonly fuelMax?: number; readonly pagesMax?: number } = {},
  imports: WebAssembly.Imports = {},
): RewrittenInstance {
  const { grant = GRANT, fuelMax = Infinity, pagesMax = Infinity } = limits;
  const rewritten = rewriteModule(bytes, { grownTableElementsMax: GROWN_ELEMENTS_MAX });
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(rewritten.bytes), imports);
  let granted = 0;
  let pages = 0;
  let isOutOfFuel = false;
  const asked: number[] = [];
  const set = (name: string, value: unknown): void => {
    const target = exports[name];
    if (target instanceof WebAssembly.Global) target.value = value;
  };
  set(addedExports.hook, hook);
  set(addedExports.meter, {
    ask: (more: number) => {
      asked.push(more);
      if (more !== 0) {
        if (pages + more > pagesMax) return 0;
        pages += more;
        return 1;
      }
      if (granted + grant > fuelMax) {
        isOutOfFuel = true;
        throw uncatchableTrap();
      }
      granted += grant;
      return grant;
    },
    wait: () => grant,
  });
  const start = exports[addedExports.start];
  if (typeof start === "function") start();
  const left = exports[addedExports.fuel];
  return {
    exports,
    fuel: () => granted - (left instanceof WebAssembly.Global ? Number(left.value) : 0),
    asked: () => asked,
    isOutOfFuel: () => isOutOfFuel,
  };
}
