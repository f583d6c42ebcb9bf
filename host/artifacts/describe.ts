import { Trap } from "../engine/engine.ts";
import type {
  Bounds,
  CompiledComponent,
  Engine,
  InterfaceDeclaration,
  InterfaceImplementation,
  Links,
} from "../engine/engine.ts";
import { createWasiLinks } from "../engine/wasi/index.ts";
import { HostError } from "../errors.ts";
import { contextInterface } from "../world/context.ts";
import { logInterface } from "../world/log.ts";
import { stateInterface } from "../world/state.ts";
import { parseManifest } from "./manifest.ts";
import type { Manifest } from "./manifest.ts";

/**
 * Asks a component what it is. This runs guest code, in the compile thread and under its limits:
 * without state, without an invocation, and with a log that nobody reads.
 */
export async function describeComponent(
  engine: Engine,
  component: CompiledComponent,
): Promise<Manifest> {
  let text: unknown;
  try {
    const instance = engine.instantiate(component, describeLinks(), describeBounds());
    text = await instance.call("describe", []);
    instance.abandon(new Error("described"));
  } catch (error) {
    if (!(error instanceof Trap)) throw error;
    throw new HostError(
      "MANIFEST_INVALID",
      `the component trapped when it was asked to describe itself: ${error.message.slice(0, 1_000)}`,
      { cause: error },
    );
  }
  // The world check fixed the type of `describe`, and the canonical ABI lifts by that type.
  return parseManifest(String(text));
}

const DESCRIBE_MS_MAX = 5_000;
const DESCRIBE_MEMORY_BYTES_MAX = 512 * 1024 * 1024;

/** The thread has a limit too, but ends with it: this spares it. */
function describeBounds(): Bounds {
  const endMs = performance.now() + DESCRIBE_MS_MAX;
  return {
    memoryBytesMax: DESCRIBE_MEMORY_BYTES_MAX,
    onFuelSpent: () => {
      if (performance.now() < endMs) return undefined;
      throw new HostError(
        "COMPILE_LIMIT_EXCEEDED",
        `the component took more than ${DESCRIBE_MS_MAX} ms to describe itself`,
      );
    },
  };
}

function describeLinks(): Links {
  return {
    ...createWasiLinks({ environment: {}, stdout: ignore, stderr: ignore }),
    [stateInterface.name]: refusing(stateInterface, "there is no state while describing"),
    [contextInterface.name]: refusing(contextInterface, "no invocation is running"),
    [logInterface.name]: { functions: { write: ignore } },
  };
}

function ignore(): void {
  // Nobody reads what is written while describing.
}

function refusing(declaration: InterfaceDeclaration, why: string): InterfaceImplementation {
  const refuse = (): never => {
    throw new Trap(why);
  };
  const names = Object.keys(declaration.functions);
  return { functions: Object.fromEntries(names.map((name) => [name, refuse])) };
}
