// WASI 0.2 as far as language runtimes need it to start: deny by default. No file system, no sockets,
// no threads, no arguments, no standard input; what is served is the app's own configuration, clocks
// that are coarse on purpose, randomness, and output that becomes lines of the function's log.

import type { InterfaceDeclaration, Links } from "../engine.ts";
import { cliEnvironment } from "./cli-environment.ts";
import { cliExit } from "./cli-exit.ts";
import { cliStderr } from "./cli-stderr.ts";
import { cliStdin } from "./cli-stdin.ts";
import { cliStdout } from "./cli-stdout.ts";
import { cliTerminalInput } from "./cli-terminal-input.ts";
import { cliTerminalOutput } from "./cli-terminal-output.ts";
import { cliTerminalStderr } from "./cli-terminal-stderr.ts";
import { cliTerminalStdin } from "./cli-terminal-stdin.ts";
import { cliTerminalStdout } from "./cli-terminal-stdout.ts";
import { clocksMonotonicClock } from "./clocks-monotonic-clock.ts";
import { clocksWallClock } from "./clocks-wall-clock.ts";
import { filesystemPreopens } from "./filesystem-preopens.ts";
import { filesystemTypes } from "./filesystem-types.ts";
import { ioError } from "./io-error.ts";
import { ioPoll } from "./io-poll.ts";
import { ioStreams } from "./io-streams.ts";
import type { OfferedInterface, WasiEnvironment } from "./offered-interface.ts";
import { randomInsecure } from "./random-insecure.ts";
import { randomInsecureSeed } from "./random-insecure-seed.ts";
import { randomRandom } from "./random-random.ts";

const offered: readonly OfferedInterface[] = [
  cliEnvironment,
  cliExit,
  cliStdin,
  cliStdout,
  cliStderr,
  cliTerminalInput,
  cliTerminalOutput,
  cliTerminalStdin,
  cliTerminalStdout,
  cliTerminalStderr,
  ioError,
  ioPoll,
  ioStreams,
  clocksMonotonicClock,
  clocksWallClock,
  randomRandom,
  randomInsecure,
  randomInsecureSeed,
  filesystemTypes,
  filesystemPreopens,
];

/** For the world that components are checked against. */
export const wasiDeclarations: readonly InterfaceDeclaration[] = offered.map(
  ({ declaration }) => declaration,
);

export type WasiOptions = Pick<WasiEnvironment, "environment" | "stdout" | "stderr"> &
  Partial<WasiEnvironment>;

const DEFAULT_LINE_BYTES_MAX = 16_384;

/** What stands behind the declarations, for one instance. */
export function createWasiLinks(options: WasiOptions): Links {
  const environment: WasiEnvironment = {
    lineBytesMax: DEFAULT_LINE_BYTES_MAX,
    onWriter: () => {},
    ...options,
  };
  const links: Record<string, Links[string]> = {};
  for (const { declaration, implement } of offered) {
    links[declaration.name] = implement(environment);
  }
  return links;
}
