/**
 * What the process ends with. A number is API: scripts depend on it, and `downpour --help` lists it.
 */
export const EXIT_CODES = {
  ok: { status: 0, meaning: "it worked" },
  failure: { status: 1, meaning: "it failed; the message and its code say why" },
  usage: { status: 2, meaning: "the command line or the project file is wrong" },
  unauthenticated: { status: 3, meaning: "no token, or one that may not do this" },
  notFound: { status: 4, meaning: "the tenant, app, function, revision or key is not there" },
  unreachable: { status: 5, meaning: "no host answers at the URL, or what answers is none" },
  buildFailed: { status: 6, meaning: "the function does not build; nothing was deployed" },
  functionFailed: { status: 7, meaning: "the function ran and gave a failure instead of a result" },
  interrupted: { status: 130, meaning: "ended by Ctrl-C; `dev` and `host` end with 0 then" },
} as const satisfies Record<string, { readonly status: number; readonly meaning: string }>;

export type ExitName = keyof typeof EXIT_CODES;
