// The build adds this to a bundle that names `structuredClone`.

import { defineGlobal } from "../globals/define-global.ts";
import { cloneStructured } from "../globals/structured-clone.ts";

defineGlobal("structuredClone", cloneStructured);
