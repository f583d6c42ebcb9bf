import type { Command } from "commander";
import type { Health, Readiness, WhoAmI } from "@downpour/host/schemas";
import { examples } from "../command-context.ts";
import type { CommandContext, OpenContext } from "../command-context.ts";
import { formatDuration } from "../terminal.ts";

const STATUS_TIMEOUT_MS = 5_000;

function describeReadiness(readiness: Readiness): string {
  const { executors, inFlight, queued } = readiness;
  const ready = `${readiness.status}: ${executors} ${executors === 1 ? "executor" : "executors"}`;
  // A host tells these to its admin alone.
  if (inFlight === undefined || queued === undefined) return ready;
  return `${ready}, ${inFlight} in flight, ${queued} queued`;
}

export function registerStatus(program: Command, open: OpenContext): void {
  program
    .command("status")
    .description("say which host and tenant commands here work with, and how the host is")
    .addHelpText(
      "after",
      examples(
        ["downpour status", "is it there, and who am I?"],
        [
          "downpour status --json",
          "exit status 5 where no host answers, 3 where it refuses the token",
        ],
      ),
    )
    .action(async (_flags: object, command: Command) => {
      await status(open(command));
    });
}

async function status({ client, terminal, settings }: CommandContext): Promise<void> {
  const options = { timeoutMs: STATUS_TIMEOUT_MS };
  const health = await client.json<Health>("GET", "/healthz", options);
  if (health.status !== "ok" || typeof health.version !== "string") {
    throw client.noHost("it answered GET /healthz with something else than a host's health");
  }
  const readiness = await readinessOf();
  if (typeof readiness.executors !== "number") {
    throw client.noHost("it answered GET /readyz with something else than a host's readiness");
  }
  const identity =
    settings.token === undefined
      ? undefined
      : await client.json<WhoAmI>("GET", "/v1/whoami", options);

  terminal.result(
    {
      url: settings.url,
      urlSource: settings.urlSource,
      tokenSource: settings.tokenSource ?? null,
      health,
      readiness,
      identity: identity ?? null,
    },
    [
      `host     ${settings.url} (from ${settings.urlSource})`,
      `version  ${health.version}, up ${formatDuration(health.uptimeMs)}`,
      `state    ${describeReadiness(readiness)}`,
      `token    ${describeToken()}`,
    ].join("\n"),
  );

  function describeToken(): string {
    if (settings.token === undefined) return "none";
    const who = identity?.role === "admin" ? "admin" : `tenant ${identity?.tenant ?? "?"}`;
    return `${who} (from ${settings.tokenSource ?? "?"})`;
  }

  async function readinessOf(): Promise<Readiness> {
    // A host that drains says so with a status that is no success.
    return client.json<Readiness>("GET", "/readyz", { ...options, alsoAnswers: [503] });
  }
}
