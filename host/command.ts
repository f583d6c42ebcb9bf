import { chmod, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { enableCodeCache } from "./code-cache.ts";
import { CONFIG_KEYS, flagName, fromText, loadHostConfig, unknownKey } from "./config.ts";
import type { ConfigInput, HostConfig } from "./config.ts";
import { prepareDataDirectory } from "./data-directory.ts";
import { HostError } from "./errors.ts";
import type { ErrorCode } from "./errors.ts";
import { HOST_VERSION } from "./version.ts";

// The process: reads its flags, starts one host, and ends it on a signal.
//
// N1. Standard output carries what the operator asked for, and nothing else; the log is on standard
//     error. The admin token is shown once, when it is made, and never logged.
// N2. The first SIGTERM or SIGINT drains, the second ends the process at once.

const EXIT_FAILURE = 1;
const EXIT_USAGE = 2;
const EXIT_DATA_DIRECTORY = 3;
const EXIT_ADDRESS = 4;
const EXIT_SECOND_SIGNAL = 130;

const EXIT_CODES: Partial<Record<ErrorCode, number>> = {
  CONFIG_INVALID: EXIT_USAGE,
  DATA_DIR_UNWRITABLE: EXIT_DATA_DIRECTORY,
  DATA_DIR_LOCKED: EXIT_DATA_DIRECTORY,
  DATA_DIR_NEWER: EXIT_DATA_DIRECTORY,
  DATA_DIR_CORRUPT: EXIT_DATA_DIRECTORY,
  STORAGE_FULL: EXIT_DATA_DIRECTORY,
  ADDRESS_IN_USE: EXIT_ADDRESS,
};

const HELP = `Usage: downpour-host [options]

Runs a Downpour host: a server that tenants upload WebAssembly components to, and that runs their functions.

Options:
  --config <file>        Read settings from a JSON file.
  --<setting> <value>    Set one setting, for example --listen-port 9000 or --data-directory /var/lib/downpour.
                         The environment takes the same names: DOWNPOUR_LISTEN_PORT=9000.
                         Settings, units and defaults: docs/configuration.md, or --print-config.
  --reset-admin-token    Make a new admin token, show it, and refuse the old one from now on.
  --print-config         Print the settings in effect as JSON, and start nothing.
  --version              Print the version.
  --help                 Print this.

Exit codes: 0 stopped by a signal, 1 failure, 2 wrong settings, 3 data directory unusable, 4 address in use.

Examples:
  downpour-host
  downpour-host --listen-host 0.0.0.0 --data-directory /var/lib/downpour --admin-token-file /run/downpour/token
  downpour-host --config host.json --print-config
`;

interface Command {
  readonly action: "run" | "help" | "version" | "print-config";
  readonly configFile: string | undefined;
  readonly resetAdminToken: boolean;
  readonly flags: ConfigInput;
}

const OWN_FLAGS = ["config", "reset-admin-token", "print-config", "version", "help"] as const;

function parseCommand(args: readonly string[]): Command {
  const keyOf = new Map(CONFIG_KEYS.map((key) => [flagName(key), key]));
  const known = [...OWN_FLAGS, ...keyOf.keys()];
  const { tokens } = parseArgs({
    args: [...args],
    options: {
      config: { type: "string" },
      ...Object.fromEntries(
        CONFIG_KEYS.map((key) => [
          flagName(key),
          { type: key === "metricsOpen" ? ("boolean" as const) : ("string" as const) },
        ]),
      ),
    },
    strict: false,
    tokens: true,
  });
  const command: { -readonly [Key in keyof Command]: Command[Key] } = {
    action: "run",
    configFile: undefined,
    resetAdminToken: false,
    flags: {},
  };
  for (const token of tokens) {
    if (token.kind === "option-terminator") continue;
    if (token.kind === "positional") throw usage(`unexpected argument ${token.value}`);
    const key = keyOf.get(token.name);
    if (key !== undefined) {
      const text = token.value ?? (key === "metricsOpen" ? "true" : undefined);
      if (text === undefined) throw usage(`${token.rawName} needs a value`);
      command.flags = { ...command.flags, [key]: fromText(key, text) };
      continue;
    }
    switch (token.name) {
      case "config":
        if (token.value === undefined) throw usage("--config needs a file");
        command.configFile = token.value;
        break;
      case "reset-admin-token":
        command.resetAdminToken = true;
        break;
      case "help":
      case "version":
      case "print-config":
        command.action = token.name;
        break;
      default:
        throw unknownKey(token.rawName, known, (name) => `--${name}`);
    }
  }
  return command;
}

function usage(message: string): HostError {
  return new HostError("CONFIG_INVALID", message);
}

export interface CommandOptions {
  /** Whether the code of what is loaded is kept already. */
  readonly hasCodeCache: boolean;
}

/** What the process was started for; it ends with the exit code of a failure. */
export async function runCommand(options: CommandOptions): Promise<void> {
  try {
    await run(options);
  } catch (error) {
    fail(error);
  }
}

async function run({ hasCodeCache }: CommandOptions): Promise<void> {
  const command = parseCommand(process.argv.slice(2));
  if (command.action === "help") {
    process.stdout.write(HELP);
    return;
  }
  if (command.action === "version") {
    process.stdout.write(`${HOST_VERSION}\n`);
    return;
  }
  const config = loadHostConfig({
    file: command.configFile,
    environment: process.env,
    flags: command.flags,
  });
  if (command.action === "print-config") {
    process.stdout.write(`${JSON.stringify(config, undefined, 2)}\n`);
    return;
  }
  await prepareDataDirectory(config.dataDirectory);
  if (!hasCodeCache) enableCodeCache(join(config.dataDirectory, "code-cache"));
  await serve(config, command.resetAdminToken);
}

async function serve(config: HostConfig, resetAdminToken: boolean): Promise<void> {
  // Only now, because `--help` needs none of it; and the threads first, so that they load their code meanwhile.
  const { startHostThreads } = await import("./host-threads.ts");
  const threads = startHostThreads(config);
  const { startHost } = await import("./host.ts");
  const host = await startHost(config, threads, {
    resetAdminToken,
    onAdminToken: (token) => showAdminToken(token, config.adminTokenFile),
  });
  const stop = (): void => {
    process.once("SIGTERM", exitAtOnce).once("SIGINT", exitAtOnce);
    host.close().then(
      () => process.exit(0),
      (error: unknown) => fail(error),
    );
  };
  process.once("SIGTERM", stop).once("SIGINT", stop);
  // Without its storage a host would answer what it cannot keep.
  void host.failed.then(fail);
  // After the handlers: whoever reads this may send a signal at once.
  process.stdout.write(`Downpour ${HOST_VERSION} listens on ${host.url}\n`);
}

async function showAdminToken(token: string, file: string): Promise<void> {
  if (file === "") {
    process.stdout.write(`Admin token, shown only now: ${token}\n`);
    return;
  }
  await writeFile(file, `${token}\n`, { mode: 0o600 });
  // The mode above is for a new file only.
  await chmod(file, 0o600);
  process.stdout.write(`Admin token written to ${file}\n`);
}

function exitAtOnce(): void {
  process.exit(EXIT_SECOND_SIGNAL);
}

function fail(cause: unknown): void {
  if (cause instanceof HostError && cause.code !== "INTERNAL") {
    console.error(`downpour-host: ${cause.message} (${cause.code})`);
    process.exit(EXIT_CODES[cause.code] ?? EXIT_FAILURE);
  }
  console.error("downpour-host: cannot go on:", cause);
  process.exit(EXIT_FAILURE);
}
