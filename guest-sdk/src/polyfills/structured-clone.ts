// The build imports this where a bundle names `structuredClone`.
export { default as structuredClone } from "core-js-pure/actual/structured-clone.js";
