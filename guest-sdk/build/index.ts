export { buildComponent } from "./build-component.ts";
export type { BuildOptions, BuildResult } from "./build-component.ts";
export { BuildError, formatDiagnostic } from "./build-error.ts";
export type { BuildDiagnostic, BuildErrorKind } from "./build-error.ts";
export type { JavaScriptEngine } from "./componentize.ts";
export type { BuildLogEntry } from "./snapshot.ts";
