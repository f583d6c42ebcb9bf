/** `docs/manifest.md`. The first member marks the text in a component's memory for the build. */
export interface Manifest {
  readonly manifest: "downpour.1";
  readonly sdk: string;
  readonly functions: readonly ManifestFunction[];
}

export interface ManifestFunction {
  readonly name: string;
  readonly description?: string | undefined;
}
