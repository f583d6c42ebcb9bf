// What the build takes of `core-js-pure`, which has no types of its own.

declare module "core-js-pure/actual/url/index.js" {
  const value: typeof URL;
  export { value as default };
}

declare module "core-js-pure/actual/url-search-params/index.js" {
  const value: typeof URLSearchParams;
  export { value as default };
}
