/**
 * The core modules that tenants share, by the SHA-256 of what is uploaded: those that any two functions of
 * this SDK have in common, whatever their source says. That somebody has one of them says no more than
 * that somebody uses the SDK; that somebody has any other module is nobody's business.
 *
 * They follow from `componentize-qjs` and `wit/`; `test/isolation/shared-runtimes.test.ts` makes the list anew. On
 * StarlingMonkey the runtime lies in one module with the function's own memory: there is nothing to share.
 */
export const SHARED_RUNTIMES: ReadonlySet<string> = new Set([
  // QuickJS, 1.3 MB.
  "9db587cf543eb9127b7c85e428647fd72b12d22e3f3b0e2a9a3cc01fc8ffa446",
  // WASI for it, and what links both to the contract: together 84 KiB of memory for each app that has its own.
  "20aff9795494c4810dc3e5a66e434450978311ca3a5a1cfdd0f2b54271be88a7",
  "c31a22412bdbe5952199bb0c5575518e1f11afcd0d8e02fd00142b50935708b8",
  "fda53b7e4a527f0b766795accaeb6a92d87a46f55b8b740f7263dd85bd72d035",
  "55687b46031a752a9c9fd514df2543258be55449e6aee58e9e3ef3060a90305c",
  "ff27381f7a7582ba44e5e5b2de33c79b2c8a30adaccd2fb0ebb52c7a104df828",
]);
