import type { InterfaceDeclaration, InterfaceImplementation } from "../engine.ts";
import type { LineWriter } from "./line-writer.ts";

/** The version whose types the declarations follow. Guests may import any 0.2. */
export const WASI_VERSION = "0.2.12";

/**
 * One WASI interface: what it declares, and what stands behind it for one guest. Where nothing of
 * the guest is in it, all guests share one implementation.
 */
export interface OfferedInterface {
  readonly declaration: InterfaceDeclaration;
  readonly implement: (environment: WasiEnvironment) => InterfaceImplementation;
}

/** Ids of the resources of all WASI interfaces: unique among them, whatever a guest imports. */
export const WASI_RESOURCES = {
  error: 1,
  pollable: 2,
  inputStream: 3,
  outputStream: 4,
  terminalInput: 5,
  terminalOutput: 6,
  descriptor: 7,
  directoryEntryStream: 8,
} as const;

/** What one guest sees of the world through WASI. */
export interface WasiEnvironment {
  readonly environment: Readonly<Record<string, string>>;
  /** Called with each line, without its end. */
  readonly stdout: (line: string) => void;
  readonly stderr: (line: string) => void;
  /** Told of what makes a guest's output lines, once for each stream that it opens: whoever closes it gets an unfinished line. */
  readonly onWriter: (writer: LineWriter) => void;
  /** Longer lines arrive in pieces of at most this many bytes. */
  readonly lineBytesMax: number;
}
