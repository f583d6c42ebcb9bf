// One run of `downpour dev`: a host, the project on it, and a new revision on every save.
//
// D1. A failed build or deployment changes nothing: the revision before goes on serving.
// D2. What was built last is deployed when the host is there, also after the host had to be started again.
// D3. However it ends, nothing is left behind: the host ends with this process (`lifeline.ts`), and a build before it.
// D4. One build at a time, of what was saved last: a save ends the build under way, whose result nobody wants any more.

import { existsSync } from "node:fs";
import { truncate } from "node:fs/promises";
import { buildProject, formatBuilt, showBuildNotes } from "../build-project.ts";
import type { BuiltProject } from "../build-project.ts";
import type { ApiClient } from "../api-client.ts";
import { pathPart } from "../api-client.ts";
import { CliError } from "../cli-error.ts";
import type { CommandContext } from "../command-context.ts";
import { deployComponent, formatAddresses, formatDeployed } from "../deploy-component.ts";
import { followEvents } from "../event-stream.ts";
import { formatLogEntry, parseLogEvent } from "../function-log.ts";
import { freePort } from "../host-process.ts";
import { localDirectoryIn, readHostRecord, writePrivateFile } from "../local-directory.ts";
import type { LocalDirectory } from "../local-directory.ts";
import { ensureLocalTenant } from "../local-tenant.ts";
import { PROJECT_FILE_NAME, findProject } from "../project-file.ts";
import type { BuildEngine } from "../project-file.ts";
import { DEFAULT_URL, resolveApp, resolveEngine, resolveEntry } from "../settings.ts";
import { shellPath } from "../shell-path.ts";
import { pastedCommand } from "./pasted-command.ts";
import { acquireDevLock } from "./dev-lock.ts";
import { HostSupervisor } from "./host-supervisor.ts";
import { watchSources } from "./source-watcher.ts";

export interface DevFlags {
  readonly app?: string;
  readonly port?: number;
  readonly entry?: string;
  readonly engine?: BuildEngine;
}

const DEV_TENANT = "dev";

export async function runDev(context: CommandContext, flags: DevFlags): Promise<void> {
  const { project } = context.settings;
  const entry = resolveEntry(project, flags.entry, context.io.workingDirectory);
  if (project.filePath === undefined && !existsSync(entry)) {
    throw new CliError("PROJECT_NOT_FOUND", "there is no project here", {
      exit: "usage",
      hint: `Make one: \`downpour init\`. There is neither a ${PROJECT_FILE_NAME} nor the entry ${entry}.`,
      details: { directory: project.directory, entry },
    });
  }
  const local = localDirectoryIn(project.directory);
  const session = new DevSession(context, flags, local);
  // The first thing that is written: what is wrong with the command is known by now.
  const lock = await acquireDevLock(local.devLockPath);
  const interrupt = (): void => session.interrupt();
  const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
  for (const signal of signals) process.on(signal, interrupt);
  try {
    await session.run();
  } finally {
    for (const signal of signals) process.off(signal, interrupt);
    await lock.release();
  }
}

class DevSession {
  readonly #context: CommandContext;
  readonly #flags: DevFlags;
  readonly #local: LocalDirectory;
  readonly #app: string;
  readonly #ended = Promise.withResolvers<void>();
  readonly #interrupted = new AbortController();
  #supervisor: HostSupervisor | undefined;
  #client: ApiClient | undefined;
  /** Built and not deployed yet: the host was away (D2). */
  #pending: BuiltProject | undefined;
  #hasDeployed = false;
  /** The functions whose addresses were printed. */
  #shownFunctions: ReadonlySet<string> = new Set();
  /** Of the last build or deployment: a save then asks again, also where it changes no byte. */
  #hasFailed = false;
  /** Settles when the build that was begun last has ended, however it did. */
  #building: Promise<void> = Promise.resolve();
  #superseded = new AbortController();
  #deploying: Promise<void> = Promise.resolve();

  constructor(context: CommandContext, flags: DevFlags, local: LocalDirectory) {
    this.#context = context;
    this.#flags = flags;
    this.#local = local;
    this.#app = resolveApp(context.settings.project, flags.app);
  }

  interrupt(): void {
    if (this.#interrupted.signal.aborted) void this.#supervisor?.stop();
    this.#interrupted.abort();
    this.#ended.resolve();
  }

  async run(): Promise<void> {
    const { project } = this.#context.settings;
    const port = await this.#choosePort();
    // The log of an earlier run helps nobody; within one, it keeps what a crash said.
    await truncate(this.#local.hostLogPath).catch(() => {
      // There is none yet.
    });
    this.#supervisor = new HostSupervisor({
      local: this.#local,
      listenPort: port,
      environment: this.#context.io.environment,
      onReady: (host) => void this.#hostIsReady(host).catch((cause: unknown) => this.#fail(cause)),
      onExit: (exit) => this.#hostHasExited(exit),
      onGivenUp: (error) => this.#fail(error),
    });
    this.#supervisor.start();
    const watcher = watchSources(project.directory, {
      onChange: (paths) => this.#sourcesChanged(paths),
      hasFailed: () => this.#hasFailed,
      onError: (error) => this.#showError(error),
    });
    try {
      // The first build and the start of the host share the two cores well: neither waits for the other.
      this.#beginBuild();
      await this.#ended.promise;
    } finally {
      this.#interrupted.abort();
      watcher.close();
      await this.#building;
      const progress = this.#context.terminal.progress("stopping the host");
      await this.#supervisor.stop();
      progress.clear();
      this.#emit({ event: "stopped" }, this.#dim("stopped"));
    }
  }

  async #choosePort(): Promise<number> {
    const { port } = this.#flags;
    if (port === undefined) {
      // An address that was printed should stay true over the next start: the port of the last run comes first.
      const last = readHostRecord(this.#local);
      if (last !== undefined && (await freePort(portOf(last.url))) === portOf(last.url)) {
        return portOf(last.url);
      }
      return freePort(portOf(DEFAULT_URL));
    }
    if ((await freePort(port)) === port) return port;
    throw new CliError("HOST_START_FAILED", `the port ${port} is taken`, {
      exit: "failure",
      hint: "Without --port, a free one is found.",
    });
  }

  async #hostIsReady(host: { readonly pid: number; readonly isRestart: boolean }): Promise<void> {
    const url = this.#supervisor?.url ?? DEFAULT_URL;
    this.#client = await ensureLocalTenant(this.#local, url, DEV_TENANT);
    await writePrivateFile(
      this.#local.hostRecordPath,
      `${JSON.stringify({ url, hostPid: host.pid, tenant: DEV_TENANT })}\n`,
    );
    const words = host.isRestart ? "the host is back" : "host ready";
    this.#emit(
      { event: "host-ready", url, pid: host.pid, isRestart: host.isRestart },
      `${this.#tick()} ${words} at ${url} ${this.#dim(`(data and log in ${shellPath(this.#context, this.#local.path)}/)`)}`,
    );
    await this.#deployPending();
  }

  #hostHasExited(exit: {
    readonly status: number | null;
    readonly signal: string | null;
    readonly restartInMs: number;
    readonly logTail: string;
  }): void {
    const how = exit.signal === null ? `with status ${exit.status}` : `by ${exit.signal}`;
    this.#emit(
      { event: "host-exited", ...exit },
      `${this.#cross()} the host ended ${how}; starting it again in ${exit.restartInMs} ms\n${this.#dim(exit.logTail)}`,
    );
  }

  #sourcesChanged(paths: readonly string[]): void {
    this.#emit({ event: "changed", paths }, this.#dim(`changed: ${paths.slice(0, 3).join(", ")}`));
    this.#beginBuild();
  }

  /** Ends the build before this one, and begins when it is gone (D4). */
  #beginBuild(): void {
    this.#superseded.abort();
    this.#superseded = new AbortController();
    const signal = AbortSignal.any([this.#superseded.signal, this.#interrupted.signal]);
    this.#building = this.#building
      .then(() => (signal.aborted ? undefined : this.#build(signal)))
      .catch((cause: unknown) => this.#fail(cause));
  }

  async #build(signal: AbortSignal): Promise<void> {
    const { terminal, io } = this.#context;
    try {
      // Read again each time: the project file is one of the sources.
      const project = findProject(this.#context.settings.project.directory);
      const entry = resolveEntry(project, this.#flags.entry, io.workingDirectory);
      const engine = resolveEngine(project, this.#flags.engine);
      const built = await buildProject({ entry, engine, signal }, terminal);
      if (signal.aborted) return;
      showBuildNotes(built, terminal);
      this.#emit(
        {
          event: "built",
          app: this.#app,
          functions: built.functions,
          componentBytes: built.component.byteLength,
          durationMs: built.durationMs,
        },
        `${this.#tick()} ${formatBuilt(built, this.#app)}`,
      );
      this.#pending = built;
      this.#hasFailed = false;
      void this.#deployPending();
    } catch (cause) {
      if (signal.aborted) return;
      this.#hasFailed = true;
      this.#showError(cause);
      if (this.#hasDeployed) {
        this.#emit(
          { event: "kept", app: this.#app },
          this.#dim("  the revision before goes on serving; save again to retry"),
        );
      }
    }
  }

  /** One deployment at a time; the newest build wins. */
  async #deployPending(): Promise<void> {
    this.#deploying = this.#deploying.then(() => this.#deployNow());
    await this.#deploying;
  }

  async #deployNow(): Promise<void> {
    const client = this.#client;
    const built = this.#pending;
    if (client === undefined || built === undefined) return;
    try {
      const deployed = await deployComponent(
        client,
        this.#app,
        new Blob([built.component]),
        this.#context.terminal,
      );
      if (this.#pending === built) this.#pending = undefined;
      const added = built.functions.filter((name) => !this.#shownFunctions.has(name));
      this.#emit(
        { event: "deployed", ...deployed.deployment, durationMs: deployed.durationMs },
        [
          `${this.#tick()} ${formatDeployed(deployed, this.#context.terminal)}`,
          ...(this.#hasDeployed ? formatAddresses(client.url, this.#app, added) : []),
        ].join("\n"),
      );
      if (!this.#hasDeployed) this.#firstDeployment(client, built.functions);
      this.#hasDeployed = true;
      this.#shownFunctions = new Set(built.functions);
    } catch (cause) {
      // The supervisor brings the host back, and with it this deployment (D2).
      if (cause instanceof CliError && cause.exit === "unreachable") return;
      this.#pending = undefined;
      this.#hasFailed = true;
      this.#showError(cause);
    }
  }

  #firstDeployment(client: ApiClient, functions: readonly string[]): void {
    const app = this.#app;
    const address = (name: string): string => `${client.url}/v1/invoke/${app}/${name}`;
    const [first] = functions;
    const lines = [
      "",
      ...formatAddresses(client.url, app, functions),
      ...(first === undefined
        ? []
        : [
            "",
            `  ${pastedCommand(this.#context, this.#local, client.url)} invoke ${app}/${first} '"input"'`,
            `  curl -X POST ${address(first)} -H "authorization: Bearer $(cat ${shellPath(this.#context, this.#local.tokenPath)})" -H "content-type: application/json" -d '"input"'`,
          ]),
      "",
      this.#dim("  watching for changes; Ctrl-C stops everything"),
    ];
    this.#emit({ event: "watching", url: client.url, app, functions }, lines.join("\n"));
    void followEvents({
      client,
      path: `/v1/apps/${pathPart(app)}/logs`,
      query: { follow: true },
      signal: this.#interrupted.signal,
      isPatient: true,
      onEvent: (event) => {
        const parsed = parseLogEvent(event);
        if (parsed?.kind !== "log") return;
        this.#emit(
          { event: "log", ...parsed.entry },
          formatLogEntry(parsed.entry, this.#context.terminal),
        );
      },
    }).catch((cause: unknown) => this.#showError(cause));
  }

  /** Tells of one thing that happened: a document for each with `--json`. */
  #emit(document: { readonly event: string } & Record<string, unknown>, text: string): void {
    this.#context.terminal.result(document, text);
  }

  #showError(cause: unknown): void {
    if (this.#interrupted.signal.aborted) return;
    if (!(cause instanceof CliError)) {
      this.#fail(cause);
      return;
    }
    this.#emit(
      {
        event: "failed",
        code: cause.code,
        message: cause.message,
        ...(cause.details === undefined ? {} : { details: cause.details }),
      },
      [
        `${this.#cross()} ${cause.message} ${this.#dim(`[${cause.code}]`)}`,
        ...(cause.body === undefined ? [] : [cause.body]),
        ...(cause.hint === undefined ? [] : [this.#dim(`  ${cause.hint}`)]),
      ].join("\n"),
    );
  }

  #fail(cause: unknown): void {
    this.#ended.reject(cause);
  }

  #tick(): string {
    return this.#context.terminal.out("green", "✓");
  }

  #cross(): string {
    return this.#context.terminal.out("red", "✗");
  }

  #dim(text: string): string {
    return this.#context.terminal.out("dim", text);
  }
}

function portOf(url: string): number {
  return Number(new URL(url).port);
}
