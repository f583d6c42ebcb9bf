import { layoutOf } from "../canonical/layout.ts";
import { hostBytesOf } from "../canonical/lift-cost.ts";
import { compileLoad } from "../canonical/load-value.ts";
import { compileSave } from "../canonical/save-value.ts";
import type { StringEncoding } from "../canonical/strings.ts";
import type { ValueType } from "../component/types.ts";
import { isNumber } from "./copy-buffer.ts";
import type { ElementLayout } from "./copy-buffer.ts";

/** What a copy needs of its elements; undefined where they have no content. */
export function compileElement(
  type: ValueType | null,
  encoding: StringEncoding,
): ElementLayout | undefined {
  if (type === null) return undefined;
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
