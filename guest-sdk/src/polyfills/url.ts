// The build imports this where a bundle names `URL`.
export { default as URL } from "core-js-pure/actual/url/index.js";
