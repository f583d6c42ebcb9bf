import { expect } from "vitest";
import type { TenantClient } from "../../e2e/testing/host-under-test.ts";

/**
 * Waits for an attack, and lets a neighbour with the functions of `behaviours` call without a pause as long as it
 * lasts. Each call is answered, or may be tried again: a thread that is ended takes along what had started on it.
 */
export async function beside<T>(neighbour: TenantClient, attack: Promise<T>): Promise<T> {
  let isOver = false;
  const end = (): void => {
    isOver = true;
  };
  attack.then(end, end);
  const callUntilOver = async (): Promise<void> => {
    const answer = await neighbour.invoke("app/greet", "you");
    if (answer.code !== "EXECUTOR_LOST") expect(answer.json()).toBe("Hello, you!");
    if (!isOver) await callUntilOver();
  };
  await callUntilOver();
  return attack;
}
