// `URL` and `URLSearchParams` for QuickJS, which lacks them; the build adds them to a bundle that
// names one.

import PureUrl from "core-js-pure/actual/url/index.js";
import PureUrlSearchParams from "core-js-pure/actual/url-search-params/index.js";
import { defineGlobal } from "../globals/define-global.ts";

defineGlobal("URL", PureUrl);
defineGlobal("URLSearchParams", PureUrlSearchParams);
