import { borrow, func, own, string, u32 } from "../component/wit-types.ts";
import type { World } from "../engine.ts";

const THING = 900;

/**
 * A small world for tests of the engine itself: functions that answer at once, one that may wait, a
 * resource, and exports that assembled components implement.
 */
export const testWorld: World = {
  imports: [
    {
      name: "test:host/things",
      version: "1.2.3",
      resources: { thing: THING },
      functions: {
        add: { type: func({ a: u32, b: u32 }, u32), suspends: false },
        wait: { type: func({ x: u32 }, u32), suspends: true },
        greet: { type: func({ name: string }, string), suspends: false },
        "[constructor]thing": { type: func({ n: u32 }, own(THING)), suspends: false },
        "[method]thing.value": { type: func({ self: borrow(THING) }, u32), suspends: false },
      },
    },
    { name: "test:host/types", version: "0.1.2", resources: {}, functions: {} },
  ],
  exports: { run: [func({ x: u32 }, u32)] },
};
