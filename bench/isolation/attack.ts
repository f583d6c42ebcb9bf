import { join } from "node:path";
import { Child } from "../child.ts";
import type { Achieved } from "./attacks.ts";

/** Far behind the host and whoever calls the victim, where they want the processor too. */
const NICENESS = 15;
const START_TIMEOUT_MS = 30_000;
/** What an attack has asked for is answered, or its deadlines are over. */
const STOP_TIMEOUT_MS = 60_000;

export interface AttackOptions {
  /** One of `ATTACKS`. */
  readonly name: string;
  readonly origin: string;
  readonly authorization: string;
  /** The file of the component of `examples/hello`. */
  readonly hello: string;
}

/** An attack in a process of its own: under way when this resolves, until `stop`. */
export class RunningAttack implements AsyncDisposable {
  readonly #child: Child;

  private constructor(child: Child) {
    this.#child = child;
  }

  static async start({
    name,
    origin,
    authorization,
    hello,
  }: AttackOptions): Promise<RunningAttack> {
    const child = new Child({
      command: process.execPath,
      args: [join(import.meta.dirname, "attack-driver.ts"), name, origin, hello],
      env: { ATTACK_AUTHORIZATION: authorization },
      sharesSession: true,
      niceness: NICENESS,
    });
    try {
      await child.waitForLine(/^attacks$/, START_TIMEOUT_MS);
    } catch (error) {
      await child.kill();
      throw error;
    }
    return new RunningAttack(child);
  }

  async stop(): Promise<Achieved> {
    this.#child.signal("SIGTERM");
    const [, achieved = ""] = await this.#child.waitForLine(/^achieved (.+)$/, STOP_TIMEOUT_MS);
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- Our own program printed it.
    return JSON.parse(achieved) as Achieved;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#child.kill();
  }
}
