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
  "3daa697a4164f6bb7a28a4971965ab0f0fcc36e765d79d185f49ec4e1d41d178",
  "b1307e353bf5107c6da21701114cc3bbde863a45e129118cf3321e8da9c101b3",
  "77d39c55181b04d9d4d0af402529c367333d19fc6f0159f1cb10169d6067c891",
  "55687b46031a752a9c9fd514df2543258be55449e6aee58e9e3ef3060a90305c",
  "ff27381f7a7582ba44e5e5b2de33c79b2c8a30adaccd2fb0ebb52c7a104df828",
]);
