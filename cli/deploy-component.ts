import type { Deployment } from "@downpour/host/schemas";
import { pathPart } from "./api-client.ts";
import type { ApiClient } from "./api-client.ts";
import { formatBytes, formatDuration, shortList } from "./terminal.ts";
import type { Terminal } from "./terminal.ts";

/** Longer than any compile limit of a host: its answer says more than ours. */
const DEPLOY_TIMEOUT_MS = 10 * 60_000;

export interface Deployed {
  readonly deployment: Deployment;
  /** From the first byte sent to the answer. */
  readonly durationMs: number;
}

/** Uploads a component, and gives the host's answer. A `Blob` of a file is read as it is sent. */
export async function deployComponent(
  client: ApiClient,
  app: string,
  component: Blob,
  terminal: Terminal,
): Promise<Deployed> {
  const progress = terminal.progress(`uploading ${formatBytes(component.size)} to ${client.url}`);
  const startedAt = performance.now();
  try {
    const deployment = await client.json<Deployment>("PUT", `/v1/apps/${pathPart(app)}`, {
      body: component,
      headers: { "content-type": "application/wasm" },
      timeoutMs: DEPLOY_TIMEOUT_MS,
    });
    return { deployment, durationMs: performance.now() - startedAt };
  } finally {
    progress.clear();
  }
}

/** Where the functions answer, a line for each; of many, the first. */
export function formatAddresses(
  url: string,
  app: string,
  functions: readonly string[],
): readonly string[] {
  const lines = functions.map((name) => `  POST ${url}/v1/invoke/${app}/${name}`);
  return shortList(lines, `: \`downpour apps show ${app}\` lists them`);
}

export function formatDeployed({ deployment, durationMs }: Deployed, terminal: Terminal): string {
  const { timings } = deployment;
  const steps = [
    `received in ${formatDuration(timings.receiveMs)}`,
    `compiled in ${formatDuration(timings.compileMs)}`,
    `activated in ${formatDuration(timings.activateMs)}`,
  ].join(", ");
  const revision = deployment.revision.slice(0, 12);
  const head =
    deployment.outcome === "unchanged"
      ? `${deployment.app} unchanged: revision ${revision} is active already`
      : `deployed ${deployment.app}, revision ${revision}, in ${formatDuration(durationMs)}`;
  return deployment.outcome === "unchanged" ? head : `${head} ${terminal.out("dim", `(${steps})`)}`;
}
