import type { CompiledComponent, Complexity } from "../engine/engine.ts";
import type { ErrorWire } from "../errors.ts";
import type { CompiledArtifact } from "./app-record.ts";
import type { ComponentLimits } from "./component-limits.ts";
import type { Manifest } from "./manifest.ts";

/** What the compile thread is started with. */
export interface CompileThreadData {
  readonly artifactDirectory: string;
}

/** One at a time: the main thread sends the next request after the reply to the last one. */
export type CompileRequest =
  | {
      readonly kind: "compile";
      readonly tenantId: string;
      readonly componentPath: string;
      readonly limits: ComponentLimits;
    }
  | {
      readonly kind: "load";
      readonly tenantId: string;
      readonly componentSha256: string;
      readonly artifact: CompiledArtifact;
      /** Of its upload: for a revision that has to be compiled anew. */
      readonly limits: ComponentLimits;
    };

export type CompileReply =
  | { readonly kind: "ready" }
  | { readonly kind: "compiled"; readonly upload: CompiledUpload }
  | { readonly kind: "loaded"; readonly loaded: LoadedComponent }
  | {
      readonly kind: "refused";
      readonly error: ErrorWire;
      /** The stack of what should not have happened: for the host's log, never for an answer. */
      readonly bug: string | undefined;
    };

/** Everything that is known of an upload after it was checked, compiled and asked to describe itself. */
export interface CompiledUpload {
  readonly component: CompiledComponent;
  readonly artifact: CompiledArtifact;
  readonly manifest: Manifest;
  readonly coreModules: number;
  readonly coreModuleBytes: number;
  readonly complexity: Complexity;
}

export interface LoadedComponent {
  readonly component: CompiledComponent;
  /** Where it had to be compiled anew, for another engine or a damaged artifact: what to load next time. */
  readonly recompiled: CompiledArtifact | undefined;
}
