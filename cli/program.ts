import { Command } from "commander";
import { EXIT_CODES } from "./exit-codes.ts";
import { CommandContext } from "./command-context.ts";
import type { OpenContext, ProcessIo } from "./command-context.ts";
import { registerApps } from "./commands/apps.ts";
import { registerBuild } from "./commands/build.ts";
import { registerDeploy } from "./commands/deploy.ts";
import { registerDev } from "./commands/dev.ts";
import { registerHost } from "./commands/host.ts";
import { registerInit } from "./commands/init.ts";
import { registerInvoke } from "./commands/invoke.ts";
import { registerLogs } from "./commands/logs.ts";
import { registerState } from "./commands/state.ts";
import { registerStatus } from "./commands/status.ts";
import { registerTenants } from "./commands/tenants.ts";
import { registerUsage } from "./commands/usage.ts";
import { VERSION } from "./version.ts";

const SETTINGS_HELP = `
Settings, the first that is there: a flag, the environment (DOWNPOUR_URL, DOWNPOUR_TOKEN),
the project file downpour.json ("app", "entry", "url", "engine"), the host that \`downpour dev\`
or the demo started from this folder (.downpour/), the default.`;

/** The whole command line, bound to a process; it throws where another program would exit. */
export function createProgram(io: ProcessIo): Command {
  const program = new Command("downpour")
    .description("Deploy and run stateful functions on a Downpour host.")
    .version(VERSION, "-V, --version", "print the version")
    .option("--url <url>", "the host's address")
    .option(
      "--token <token>",
      "the token; others on this machine can see it, so prefer --token-file",
    )
    .option("--token-file <file>", "a file that holds the token")
    .option("-C, --directory <path>", "the project's directory, in place of the working directory")
    .option("--json", "print one JSON document on stdout, and nothing else there")
    .configureHelp({ showGlobalOptions: true, sortSubcommands: false })
    .configureOutput({
      writeOut: (text) => io.stdout.write(text),
      writeErr: (text) => io.stderr.write(text),
    })
    .showHelpAfterError("(add --help for the options and examples)")
    .exitOverride();

  const open: OpenContext = (command) => new CommandContext(io, command.optsWithGlobals());
  program.commandsGroup("Write and run functions:");
  registerInit(program, open);
  registerDev(program, open);
  registerBuild(program, open);
  registerDeploy(program, open);
  registerInvoke(program, open);
  registerLogs(program, open);
  registerState(program, open);
  registerApps(program, open);
  registerUsage(program, open);
  program.commandsGroup("Run a host:");
  registerStatus(program, open);
  registerTenants(program, open);
  registerHost(program, open);
  program.addHelpText("after", `${SETTINGS_HELP}\n\n${exitCodesHelp()}`);
  return program;
}

function exitCodesHelp(): string {
  return [
    "Exit status:",
    ...Object.values(EXIT_CODES).map(
      ({ status, meaning }) => `  ${String(status).padStart(3)}  ${meaning}`,
    ),
  ].join("\n");
}
