import { openAsBlob } from "node:fs";
import { resolve } from "node:path";
import type { Command } from "commander";
import type { WhoAmI } from "@downpour/host/schemas";
import { buildProject, formatBuilt, showBuildNotes } from "../build-project.ts";
import { CliError } from "../cli-error.ts";
import { examples } from "../command-context.ts";
import type { CommandContext, OpenContext } from "../command-context.ts";
import { deployComponent, formatAddresses, formatDeployed } from "../deploy-component.ts";
import { interruptible } from "../interruptible.ts";
import { engine } from "../parse-option.ts";
import type { BuildEngine } from "../project-file.ts";
import { resolveApp, resolveEngine, resolveEntry } from "../settings.ts";

interface DeployFlags {
  readonly app?: string;
  readonly entry?: string;
  readonly engine?: BuildEngine;
}

export function registerDeploy(program: Command, open: OpenContext): void {
  program
    .command("deploy")
    .description("build this project, or take a component, and make it the app's active revision")
    .argument("[component]", "a .wasm component; the project is built where absent")
    .option("-a, --app <name>", "the app; the project's where absent")
    .option("--entry <file>", "the entry file to build")
    .option("--engine <engine>", "quickjs or starlingmonkey", engine)
    .addHelpText(
      "after",
      examples(
        ["downpour deploy", "build and deploy this project"],
        ["downpour deploy app.wasm --app counter", "a component from any toolchain"],
        ["downpour deploy -C examples/counter", "another project"],
      ),
    )
    .action(async (component: string | undefined, flags: DeployFlags, command: Command) => {
      await deploy(open(command), component, flags);
    });
}

async function deploy(
  context: CommandContext,
  componentPath: string | undefined,
  flags: DeployFlags,
): Promise<void> {
  const { client, terminal, settings } = context;
  const app = resolveApp(settings.project, flags.app);
  // A host that is away, or a token that is not one of its own, is told before the build and not after.
  await client.json<WhoAmI>("GET", "/v1/whoami");
  const component =
    componentPath === undefined
      ? await buildForDeploy(context, app, flags)
      : await openComponent(resolve(context.io.workingDirectory, componentPath));
  const deployed = await deployComponent(client, app, component, terminal);
  const { deployment } = deployed;
  terminal.result(
    { ...deployment, durationMs: deployed.durationMs },
    [
      `${terminal.out("green", "✓")} ${formatDeployed(deployed, terminal)}`,
      ...formatAddresses(
        settings.url,
        app,
        deployment.functions.map(({ name }) => name),
      ),
    ].join("\n"),
  );
}

async function buildForDeploy(
  { settings, terminal, io }: CommandContext,
  app: string,
  flags: DeployFlags,
): Promise<Blob> {
  const entry = resolveEntry(settings.project, flags.entry, io.workingDirectory);
  const engineName = resolveEngine(settings.project, flags.engine);
  const built = await interruptible((signal) =>
    buildProject({ entry, engine: engineName, signal }, terminal),
  );
  showBuildNotes(built, terminal);
  terminal.note(`${terminal.err("green", "✓")} ${formatBuilt(built, app)}`);
  return new Blob([built.component]);
}

async function openComponent(path: string): Promise<Blob> {
  try {
    // Opened before anything is sent, so that a missing file is not an aborted upload.
    return await openAsBlob(path, { type: "application/wasm" });
  } catch (cause) {
    throw new CliError("FILE_UNREADABLE", `${path} cannot be read`, { exit: "usage", cause });
  }
}
