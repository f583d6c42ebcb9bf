// The build imports this where a bundle names `URLSearchParams`.
export { default as URLSearchParams } from "core-js-pure/actual/url-search-params/index.js";
