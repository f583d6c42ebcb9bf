import type { Entity } from "./entity.ts";
import { canonicalName, parseExternName, quoteName } from "./names.ts";
import { malformed } from "./reader.ts";
import type { FuncType, ResourceId, ValueType } from "./types.ts";

/**
 * The names of the imports of one scope, or those of its exports: a component, an instance, or the type of one.
 *
 * E1. No two differ only in upper and lower case, or in what kind of member of a resource they name.
 * E2. Constructors, methods and static functions are functions, follow a resource of theirs in the same scope, and have
 *     the types that their names promise.
 */
export class ExternNames {
  readonly #what: "import" | "export";
  readonly #names = new Map<string, string>();
  readonly #resources = new Map<string, ResourceId>();

  constructor(what: "import" | "export") {
    this.#what = what;
  }

  /** Throws `ComponentError` where the name does not fit. */
  add(name: string, entity: Entity, offset: number): void {
    const canonical = canonicalName(name);
    const before = this.#names.get(canonical);
    if (before !== undefined) {
      const as = before === name ? "" : `, as ${quoteName(before)}`;
      throw malformed(`the ${this.#what} ${quoteName(name)} is there twice${as}`, offset);
    }
    this.#names.set(canonical, name);
    const parsed = parseExternName(name);
    if (parsed === undefined || parsed.kind === "interface") return;
    if (parsed.kind === "label") {
      if (entity.sort === "type" && entity.type.kind === "resource") {
        this.#resources.set(name, entity.type.resource);
      }
      return;
    }
    const { kind, resource } = parsed;
    const found = this.#resources.get(resource);
    if (found === undefined) {
      throw malformed(
        `expected an ${this.#what} of the resource ${quoteName(resource)} before ${quoteName(name)}`,
        offset,
      );
    }
    if (entity.sort !== "func") {
      throw malformed(`expected a func under the name ${quoteName(name)}`, offset);
    }
    const problem = memberProblem(kind, entity.type.type, found);
    if (problem !== undefined) {
      throw malformed(
        `expected ${quoteName(name)} to ${problem} of the resource ${quoteName(resource)}`,
        offset,
      );
    }
  }
}

/** What the function should do; undefined where it does. */
function memberProblem(
  kind: "constructor" | "method" | "static",
  { params, result }: FuncType,
  resource: ResourceId,
): string | undefined {
  if (kind === "static") return undefined;
  if (kind === "constructor") {
    const made = result?.kind === "result" ? result.ok : result;
    return isHandle(made, "own", resource) ? undefined : "return an owned handle";
  }
  const [self] = params;
  const isMethod = self?.name === "self" && isHandle(self.type, "borrow", resource);
  return isMethod ? undefined : 'take "self" first, a borrowed handle';
}

function isHandle(type: ValueType | null, kind: "own" | "borrow", resource: ResourceId): boolean {
  return type?.kind === kind && type.resource === resource;
}
