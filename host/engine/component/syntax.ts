import type { PrimitiveKind } from "./types.ts";

/**
 * A component as it is written: definitions in their order, which refer to each other by index.
 * The decoder makes it; `resolve/` gives the indices their meaning.
 *
 * S1. Whatever a field says is as the upload says it: an index may point nowhere.
 * S2. It contains no construct that the engine does not support; the decoder refused those by name.
 */
export interface ComponentSyntax {
  readonly definitions: readonly Definition[];
}

export interface SortIndex {
  readonly sort: SortName;
  readonly index: number;
}

/** One name for each index space: `core func`, `func`, … as in the text format. */
export type SortName =
  | "core func"
  | "core table"
  | "core memory"
  | "core global"
  | "core tag"
  | "core module"
  | "core instance"
  | "func"
  | "type"
  | "component"
  | "instance";

export interface NamedSortIndex extends SortIndex {
  readonly name: string;
}

export type Definition = DefinitionBody & { readonly offset: number };

type DefinitionBody =
  /** The index is that of the upload's own list of modules. */
  | { readonly kind: "core-module"; readonly module: number }
  | {
      readonly kind: "core-instantiate";
      readonly module: number;
      readonly args: readonly CoreArg[];
    }
  | { readonly kind: "core-exports"; readonly exports: readonly NamedSortIndex[] }
  | { readonly kind: "component"; readonly component: ComponentSyntax }
  | {
      readonly kind: "instantiate";
      readonly component: number;
      readonly args: readonly NamedSortIndex[];
    }
  | { readonly kind: "exports"; readonly exports: readonly NamedSortIndex[] }
  | AliasSyntax
  | { readonly kind: "type"; readonly type: TypeSyntax }
  | { readonly kind: "canon"; readonly canon: CanonSyntax }
  | { readonly kind: "import"; readonly name: string; readonly type: ExternTypeSyntax }
  | (NamedSortIndex & { readonly kind: "export"; readonly type: ExternTypeSyntax | null });

export interface CoreArg {
  readonly name: string;
  readonly instance: number;
}

export type AliasSyntax =
  | {
      readonly kind: "alias-export";
      readonly sort: SortName;
      readonly instance: number;
      readonly name: string;
    }
  | {
      readonly kind: "alias-core-export";
      readonly sort: SortName;
      readonly instance: number;
      readonly name: string;
    }
  /** `outer` counts scopes outwards: 0 is the scope of the alias itself. */
  | {
      readonly kind: "alias-outer";
      readonly sort: SortName;
      readonly outer: number;
      readonly index: number;
    };

/** A primitive, or the index of a type. */
export type TypeReference = PrimitiveKind | number;

export interface LabelledType {
  readonly name: string;
  readonly type: TypeReference;
}

export type ValueTypeSyntax =
  | { readonly kind: "primitive"; readonly type: PrimitiveKind }
  | { readonly kind: "list"; readonly element: TypeReference }
  | { readonly kind: "record"; readonly fields: readonly LabelledType[] }
  | { readonly kind: "tuple"; readonly types: readonly TypeReference[] }
  | {
      readonly kind: "variant";
      readonly cases: readonly { readonly name: string; readonly type: TypeReference | null }[];
    }
  | { readonly kind: "enum"; readonly names: readonly string[] }
  | { readonly kind: "flags"; readonly names: readonly string[] }
  | { readonly kind: "option"; readonly type: TypeReference }
  | {
      readonly kind: "result";
      readonly ok: TypeReference | null;
      readonly err: TypeReference | null;
    }
  | { readonly kind: "own"; readonly resource: number }
  | { readonly kind: "borrow"; readonly resource: number }
  | { readonly kind: "stream" | "future"; readonly element: TypeReference | null };

export type TypeSyntax =
  | ValueTypeSyntax
  | {
      readonly kind: "func";
      readonly async: boolean;
      readonly params: readonly LabelledType[];
      readonly result: TypeReference | null;
    }
  | { readonly kind: "instance"; readonly declarations: readonly Declaration[] }
  | { readonly kind: "component"; readonly declarations: readonly Declaration[] }
  /** `destructor` is the index of a core function. */
  | { readonly kind: "resource"; readonly destructor: number | null };

export type Declaration = { readonly offset: number } & (
  | AliasSyntax
  | { readonly kind: "type"; readonly type: TypeSyntax }
  | { readonly kind: "import"; readonly name: string; readonly type: ExternTypeSyntax }
  | { readonly kind: "export"; readonly name: string; readonly type: ExternTypeSyntax }
);

export type ExternTypeSyntax =
  | { readonly kind: "func"; readonly type: number }
  | { readonly kind: "instance"; readonly type: number }
  | { readonly kind: "component"; readonly type: number }
  /** The very type of this index. */
  | { readonly kind: "type-equal"; readonly type: number }
  /** Some resource, known only to its maker. */
  | { readonly kind: "type-resource" };

export type StringEncoding = "utf8" | "utf16" | "latin1+utf16";

export interface CanonOptionsSyntax {
  readonly stringEncoding: StringEncoding;
  readonly memory: number | null;
  readonly realloc: number | null;
  readonly postReturn: number | null;
  readonly async: boolean;
  readonly callback: number | null;
}

export type EndKind = "stream" | "future";

export type EndSide = "readable" | "writable";

export type CanonSyntax =
  | {
      readonly kind: "lift";
      readonly coreFunc: number;
      readonly type: number;
      readonly options: CanonOptionsSyntax;
    }
  | { readonly kind: "lower"; readonly func: number; readonly options: CanonOptionsSyntax }
  | {
      readonly kind: "resource-new" | "resource-drop" | "resource-rep";
      readonly resource: number;
    }
  | {
      readonly kind: "task-return";
      readonly result: TypeReference | null;
      readonly options: CanonOptionsSyntax;
    }
  | { readonly kind: "context-get" | "context-set"; readonly slot: 0 | 1 }
  | {
      readonly kind: "waitable-set-wait" | "waitable-set-poll";
      readonly cancellable: boolean;
      readonly memory: number;
    }
  | { readonly kind: "thread-yield"; readonly cancellable: boolean }
  | { readonly kind: "subtask-cancel"; readonly async: boolean }
  /** Of the type of a stream or future, by its index. */
  | { readonly kind: "end-new"; readonly end: EndKind; readonly type: number }
  | {
      readonly kind: "end-copy";
      readonly end: EndKind;
      readonly side: EndSide;
      readonly type: number;
      readonly options: CanonOptionsSyntax;
    }
  | {
      readonly kind: "end-cancel";
      readonly end: EndKind;
      readonly side: EndSide;
      readonly type: number;
      readonly async: boolean;
    }
  | {
      readonly kind: "end-drop";
      readonly end: EndKind;
      readonly side: EndSide;
      readonly type: number;
    }
  | {
      readonly kind:
        | "task-cancel"
        | "waitable-set-new"
        | "waitable-set-drop"
        | "waitable-join"
        | "subtask-drop"
        | "backpressure-set"
        | "backpressure-inc"
        | "backpressure-dec";
    };
