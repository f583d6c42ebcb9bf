import type { Command } from "commander";
import { ApiClient } from "./api-client.ts";
import { resolveSettings } from "./settings.ts";
import type { GlobalFlags, Settings } from "./settings.ts";
import { Terminal } from "./terminal.ts";
import type { OutputStream } from "./terminal.ts";

/** What a command has of the process it runs in. */
export interface ProcessIo {
  readonly stdin: NodeJS.ReadableStream & { readonly isTTY?: boolean };
  readonly stdout: OutputStream;
  readonly stderr: OutputStream;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly workingDirectory: string;
}

/** What one run of one command works with: made when its action begins. */
export class CommandContext {
  readonly io: ProcessIo;
  readonly flags: GlobalFlags;
  readonly terminal: Terminal;
  #settings: Settings | undefined;
  #client: ApiClient | undefined;

  constructor(io: ProcessIo, flags: GlobalFlags) {
    this.io = io;
    this.flags = flags;
    this.terminal = new Terminal({
      stdout: io.stdout,
      stderr: io.stderr,
      isJson: flags.json === true,
    });
  }

  /** Resolved when first asked for: `init` must work beside a broken project file. */
  get settings(): Settings {
    this.#settings ??= resolveSettings({
      flags: this.flags,
      environment: this.io.environment,
      workingDirectory: this.io.workingDirectory,
    });
    return this.#settings;
  }

  get client(): ApiClient {
    this.#client ??= new ApiClient(this.settings);
    return this.#client;
  }
}

/** How each command file gets its context: bound to the process by `program.ts`. */
export type OpenContext = (command: Command) => CommandContext;

/** The examples at the end of a command's help. */
export function examples(...lines: readonly (readonly [command: string, what: string])[]): string {
  const width = Math.max(...lines.map(([command]) => command.length));
  return [
    "",
    "Examples:",
    ...lines.map(([command, what]) => `  $ ${command.padEnd(width)}   ${what}`),
  ].join("\n");
}
