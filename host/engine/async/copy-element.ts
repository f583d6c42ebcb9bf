import { layoutOf } from "../canonical/layout.ts";
import { hostBytesOf } from "../canonical/lift-cost.ts";
import { compileLoad } from "../canonical/load-value.ts";
import { compileSave } from "../canonical/save-value.ts";
import type { StringEncoding } from "../canonical/strings.ts";
import { NO_TYPE } from "../component/types.ts";
import type { TypeNumber, ValueType } from "../component/types.ts";
import { isNumber } from "./copy-buffer.ts";
import type { ElementLayout } from "./copy-buffer.ts";

/** What the copies of one plan need of their elements: compiled when there is a copy of such, once for each encoding. */
export class ElementLayouts {
  readonly #types: ReadonlyMap<TypeNumber, ValueType>;
  readonly #layouts = new Map<string, ElementLayout>();

  constructor(types: ReadonlyMap<TypeNumber, ValueType>) {
    this.#types = types;
  }

  /** Undefined where they have no content. */
  layout(number: TypeNumber, encoding: StringEncoding): ElementLayout | undefined {
    if (number === NO_TYPE) return undefined;
    const key = `${number} ${encoding}`;
    let layout = this.#layouts.get(key);
    if (layout === undefined) {
      const type = this.#types.get(number);
      if (type === undefined) throw new Error("a plan copies what it does not have");
      layout = compileElement(type, encoding);
      this.#layouts.set(key, layout);
    }
    return layout;
  }
}

function compileElement(type: ValueType, encoding: StringEncoding): ElementLayout {
  const { alignment, byteLength } = layoutOf(type);
  return {
    alignment,
    byteLength,
    hostBytes: hostBytesOf(type),
    isNumber: isNumber(type),
    load: compileLoad(type, encoding),
    save: compileSave(type, encoding),
  };
}
