import { Type } from "typebox";
import type { Static, TSchema } from "typebox";
import { ERROR_CODES } from "../errors.ts";
import type { ErrorCode } from "../errors.ts";
import { NAME_PATTERN } from "../state-keys.ts";

/**
 * The bodies of the HTTP API: the one source for types, validation, serialisation and OpenAPI.
 * Clients share this file (`@downpour/host/schemas`) and nothing else of the host.
 *
 * Requests refuse unknown keys. Answers may gain keys; a client ignores those it does not know.
 */

/** Header names of the API, in the case in which they are written. */
export const HEADERS = {
  /** Answer of an invocation: its id, which its log entries carry too. */
  invocation: "Downpour-Invocation",
  /** Answer of an invocation: the revision that ran. */
  revision: "Downpour-Revision",
  /** Request: the caller's own limit for the invocation, in milliseconds. */
  deadlineMs: "Downpour-Deadline-Ms",
  /** Request: passed to the function, the same for each retry of one request. */
  idempotencyKey: "Idempotency-Key",
  /** Answer of a state key: `register` or `counter`. */
  stateKind: "Downpour-State-Kind",
} as const;

/** An object of a request: keys that are not listed are refused, so that a misspelt one is not ignored. */
const strict = { additionalProperties: false } as const;

const name = (description: string) =>
  Type.String({ pattern: NAME_PATTERN, maxLength: 63, description });
const positive = (maximum: number, description: string) =>
  Type.Integer({ minimum: 1, maximum, description });
const time = (description: string) => Type.String({ format: "date-time", description });

export const TenantName = name("A tenant: lower-case letters, digits and hyphens.");
export const AppName = name("An app: lower-case letters, digits and hyphens.");
export const RevisionId = Type.String({
  pattern: "^[0-9a-f]{64}$",
  description: "The SHA-256 of the component, lower-case hexadecimal.",
});

// Failures.

/** RFC 9457, with what a program needs: a stable `code`, and whether to try again. */
export const Problem = Type.Object(
  {
    type: Type.String({ description: "`urn:downpour:error:` and the code." }),
    title: Type.String({ description: "The code in words." }),
    status: Type.Integer(),
    detail: Type.String({ description: "This failure, for people." }),
    code: Type.Unsafe<ErrorCode>(
      Type.String({
        description: "Stable; see docs/errors.md.",
        examples: Object.keys(ERROR_CODES),
      }),
    ),
    retryable: Type.Boolean({ description: "The same request may succeed later, unchanged." }),
    details: Type.Record(Type.String(), Type.Unknown(), {
      description: "Data of this failure; which keys there are depends on the code.",
    }),
    requestId: Type.String(),
  },
  { title: "Problem" },
);
export type Problem = Static<typeof Problem>;

// Tenants.

export const Quotas = Type.Object(
  {
    appsMax: positive(100_000, "Apps of the tenant."),
    revisionsKeptMax: positive(100, "Revisions kept of each app, the active one included."),
    uploadBytesMax: positive(1_073_741_824, "Bytes of one component."),
    componentFunctionsMax: positive(
      1_000_000,
      "Functions in the core modules of one component; for uploads from now on, as the next five.",
    ),
    componentSectionsMax: positive(1_000_000, "Sections of one component, and of what is in it."),
    componentNestingMax: positive(100, "Components inside each other in one upload."),
    tableElementsMax: positive(
      1_000_000,
      "Elements of all tables of one instance, by their maxima; a table grows to a tenth of it.",
    ),
    compileMsMax: Type.Integer({
      minimum: 100,
      maximum: 600_000,
      description: "Milliseconds for checking, compiling and describing one upload.",
    }),
    compileHeapMibMax: Type.Integer({
      minimum: 64,
      maximum: 16_384,
      description: "MiB of JavaScript heap for it.",
    }),
    uploadsMax: positive(1_000, "Uploads under way at once."),
    concurrencyMax: positive(100_000, "Invocations of all its apps that run at once."),
    instancesMax: positive(
      5_000,
      "Instances of all its apps: so many run at once; each executor keeps idle ones up to its part.",
    ),
    queueDepthMax: positive(1_000_000, "Invocations of all its apps that wait."),
    queuedBytesMax: positive(1_073_741_824, "Bytes of input of those that wait."),
    requestsPerSecondMax: positive(
      1_000_000,
      "Invocations of all its apps that begin in a second, and as many at once.",
    ),
    apiRequestsPerSecondMax: positive(
      1_000_000,
      "Requests in a second that are no invocations, and as many at once.",
    ),
    weight: positive(
      10_000,
      "Its share of the executors where others want them too, beside theirs.",
    ),
    deadlineMsMax: positive(
      86_400_000,
      "Milliseconds that an invocation may take, its wait included.",
    ),
    cpuMsMax: positive(86_400_000, "Milliseconds that an invocation may compute."),
    memoryBytesMax: positive(4_294_967_296, "Bytes of linear memory of one instance."),
    inputBytesMax: positive(268_435_456, "Bytes of input of one invocation."),
    resultBytesMax: positive(268_435_456, "Bytes that one invocation answers."),
    stateOperationsMax: positive(
      1_000_000_000,
      "What one invocation asks of the state: reads, writes and listings.",
    ),
    stateValueBytesMax: positive(16_777_216, "Bytes of one state value."),
    stateKeysMax: positive(10_000_000_000, "Keys of its state."),
    stateBytesMax: positive(
      17_592_186_044_416,
      "Bytes of its state: of its keys, as the store has them, and their values; a counter has 16.",
    ),
    logBytesPerSecondMax: positive(
      1_073_741_824,
      "Bytes that its functions log in a second, each entry with 200 beside its message.",
    ),
  },
  { title: "Quotas" },
);
export type Quotas = Static<typeof Quotas>;

export const QuotasPatch = Type.Partial(Quotas, { ...strict, title: "QuotasPatch" });
export type QuotasPatch = Static<typeof QuotasPatch>;

export const TokenScope = Type.Enum(["invoke", "deploy", "state", "admin"], {
  description:
    "`invoke`: call functions. `deploy`: apps and their logs. `state`: keys over HTTP. `admin`: the tenant's own tokens and its export.",
});

export const TokenView = Type.Object({
  scopes: Type.Array(TokenScope),
  tokenId: Type.String({ description: "Names the token in a revocation; not a secret." }),
  createdAt: time("When the token was made."),
});
export type TokenView = Static<typeof TokenView>;

export const TenantView = Type.Object(
  {
    tenant: TenantName,
    quotas: Quotas,
    tokens: Type.Array(TokenView),
    createdAt: time("When the tenant was created."),
    suspended: Type.Boolean({ description: "Its tokens are refused; nothing is removed." }),
    deleting: Type.Boolean({ description: "Its data is being removed; its tokens are refused." }),
  },
  { title: "Tenant" },
);
export type TenantView = Static<typeof TenantView>;

export const TenantCreate = Type.Object(
  { tenant: TenantName, quotas: Type.Optional(QuotasPatch) },
  { ...strict, title: "TenantCreate" },
);
export type TenantCreate = Static<typeof TenantCreate>;

export const TenantCreated = Type.Object({
  tenant: TenantView,
  token: Type.String({ description: "Shown here and never again." }),
});
export type TenantCreated = Static<typeof TenantCreated>;

export const TenantList = Type.Object({ tenants: Type.Array(TenantView) });
export type TenantList = Static<typeof TenantList>;

export const TenantPatch = Type.Object(
  {
    quotas: Type.Optional(QuotasPatch),
    suspended: Type.Optional(
      Type.Boolean({ description: "true: refuse its tokens; false: take them again." }),
    ),
  },
  { ...strict, minProperties: 1, title: "TenantPatch" },
);
export type TenantPatch = Static<typeof TenantPatch>;

export const TokenList = Type.Object({ tokens: Type.Array(TokenView) });
export type TokenList = Static<typeof TokenList>;

export const TokenCreate = Type.Object(
  { scopes: Type.Optional(Type.Array(TokenScope, { minItems: 1, uniqueItems: true })) },
  { ...strict, title: "TokenCreate" },
);
export type TokenCreate = Static<typeof TokenCreate>;

export const TokenCreated = Type.Object({
  tokenId: Type.String(),
  scopes: Type.Array(TokenScope),
  token: Type.String({ description: "Shown here and never again." }),
});
export type TokenCreated = Static<typeof TokenCreated>;

/** Who the bearer of the token is. */
export const WhoAmI = Type.Object({
  role: Type.Enum(["admin", "tenant"]),
  tenant: Type.Optional(TenantName),
});
export type WhoAmI = Static<typeof WhoAmI>;

// Apps.

export const AppConfig = Type.Object(
  {
    deadlineMs: positive(
      86_400_000,
      "The longest one invocation may take; the tenant's quota caps it.",
    ),
    cpuMsMax: positive(
      86_400_000,
      "The longest one invocation may compute; the tenant's quota caps it.",
    ),
    memoryBytesMax: positive(
      4_294_967_296,
      "Linear memory of one instance, all its memories together; the tenant's quota caps it.",
    ),
    concurrencyMax: positive(100_000, "Invocations that run at once; the tenant's quota caps it."),
    queueDepthMax: positive(1_000_000, "Invocations that wait; the tenant's quota caps it."),
    requestsPerSecondMax: positive(
      1_000_000,
      "Invocations that begin in a second, and as many at once; the tenant's quota caps it.",
    ),
    idleInstancesMax: Type.Integer({
      minimum: 0,
      maximum: 1_000,
      description: "Warm instances kept by each executor; 0 makes a new one for each invocation.",
    }),
    reuse: Type.Enum(["always", "never"], {
      description:
        "`never`: each invocation has an instance of its own, and nothing of one call is in the memory of the next.",
    }),
    environment: Type.Record(
      Type.String({ pattern: "^(?!__proto__$)[A-Za-z_][A-Za-z0-9_]{0,127}$" }),
      Type.String({ maxLength: 32_768 }),
      {
        additionalProperties: false,
        maxProperties: 128,
        description: "The app's own configuration, at most 64 KiB in all.",
      },
    ),
  },
  { title: "AppConfig" },
);
export type AppConfig = Static<typeof AppConfig>;

const orDefault = <S extends TSchema>(schema: S) =>
  Type.Optional(Type.Union([schema, Type.Null({ description: "Back to the host's default." })]));

/** What is absent stays; null goes back to the host's default. `environment` is replaced as a whole. */
export const AppConfigPatch = Type.Object(
  {
    deadlineMs: orDefault(AppConfig.properties.deadlineMs),
    cpuMsMax: orDefault(AppConfig.properties.cpuMsMax),
    memoryBytesMax: orDefault(AppConfig.properties.memoryBytesMax),
    concurrencyMax: orDefault(AppConfig.properties.concurrencyMax),
    queueDepthMax: orDefault(AppConfig.properties.queueDepthMax),
    requestsPerSecondMax: orDefault(AppConfig.properties.requestsPerSecondMax),
    idleInstancesMax: orDefault(AppConfig.properties.idleInstancesMax),
    reuse: orDefault(AppConfig.properties.reuse),
    environment: orDefault(AppConfig.properties.environment),
  },
  { ...strict, title: "AppConfigPatch" },
);
export type AppConfigPatch = Static<typeof AppConfigPatch>;

export const FunctionView = Type.Object({
  name: Type.String(),
  description: Type.Optional(Type.String()),
});
export type FunctionView = Static<typeof FunctionView>;

/** What earlier hosts did not count is absent for what they have taken. */
const counted = (description: string) => Type.Optional(Type.Integer({ description }));

/** Of the upload alone: what the host already had would tell a tenant what others have. */
export const Sizes = Type.Object({
  componentBytes: Type.Integer({ description: "The upload." }),
  coreModules: Type.Integer({ description: "Core modules in it." }),
  coreModuleBytes: Type.Integer({ description: "Bytes of its core modules." }),
  coreFunctions: counted("Functions in them."),
  sections: counted("Its sections, and those of what is in it."),
  nestingDepth: counted("Components inside each other, itself included."),
  tableElements: counted("Elements of the tables of an instance, by their maxima."),
});
export type Sizes = Static<typeof Sizes>;

export const RevisionView = Type.Object({
  revision: RevisionId,
  active: Type.Boolean(),
  deployedAt: time("When it was last uploaded."),
  componentBytes: Type.Integer(),
  functionCount: Type.Integer(),
});
export type RevisionView = Static<typeof RevisionView>;

/** What is under way now. */
export const LoadView = Type.Object({
  inFlight: Type.Integer({ description: "Invocations that run, most of them waiting for state." }),
  queued: Type.Integer({ description: "Invocations that wait for their turn." }),
  queuedBytes: Type.Integer({ description: "Input of those that wait." }),
});
export type LoadView = Static<typeof LoadView>;

/** One app with its active revision. */
export const AppView = Type.Object(
  {
    app: AppName,
    revision: RevisionId,
    functions: Type.Array(FunctionView),
    imports: Type.Array(Type.String(), {
      description: "What the component imports, `namespace:package/interface@version`.",
    }),
    sizes: Sizes,
    config: AppConfig,
    load: LoadView,
    revisions: Type.Array(RevisionView, { description: "Newest first." }),
    createdAt: time("When the app was first uploaded."),
    updatedAt: time("When its revision or config last changed."),
  },
  { title: "App" },
);
export type AppView = Static<typeof AppView>;

export const AppSummary = Type.Object({
  app: AppName,
  revision: RevisionId,
  functionCount: Type.Integer(),
  componentBytes: Type.Integer(),
  updatedAt: time("When its revision or config last changed."),
});
export type AppSummary = Static<typeof AppSummary>;

export const AppList = Type.Object({ apps: Type.Array(AppSummary) });
export type AppList = Static<typeof AppList>;

/** The answer of an upload. */
export const Deployment = Type.Object(
  {
    app: AppName,
    revision: RevisionId,
    outcome: Type.Enum(["created", "updated", "unchanged"], {
      description: "`unchanged`: the active revision is this component already.",
    }),
    functions: Type.Array(FunctionView),
    imports: Type.Array(Type.String()),
    sizes: Sizes,
    timings: Type.Object({
      receiveMs: Type.Number({ description: "From the first byte of the request to the last." }),
      compileMs: Type.Number({ description: "Decode, check, compile, first `describe`." }),
      activateMs: Type.Number({ description: "Make it durable and route to it." }),
    }),
  },
  { title: "Deployment" },
);
export type Deployment = Static<typeof Deployment>;

export const RollbackRequest = Type.Object(
  {
    revision: Type.Optional(RevisionId),
  },
  { ...strict, title: "RollbackRequest" },
);
export type RollbackRequest = Static<typeof RollbackRequest>;

// State.

export const StateKind = Type.Enum(["register", "counter"]);
export type StateKind = Static<typeof StateKind>;

export const StateListQuery = Type.Object(
  {
    prefix: Type.Optional(Type.String()),
    after: Type.Optional(Type.String({ description: "`next` of the page before." })),
    limit: Type.Optional(positive(1_000, "Keys on a page; 100 where absent.")),
  },
  strict,
);

export const StateList = Type.Object(
  {
    entries: Type.Array(Type.Object({ key: Type.String(), kind: StateKind })),
    next: Type.Optional(Type.String({ description: "Absent on the last page." })),
  },
  { title: "StateList" },
);
export type StateList = Static<typeof StateList>;

export const StatePutQuery = Type.Object({ kind: Type.Optional(StateKind) }, strict);

/** Body of `PUT /v1/state/{key}?kind=counter`. */
export const CounterAdd = Type.Object(
  { add: Type.Integer({ minimum: Number.MIN_SAFE_INTEGER, maximum: Number.MAX_SAFE_INTEGER }) },
  { ...strict, title: "CounterAdd" },
);
export type CounterAdd = Static<typeof CounterAdd>;

export const CounterValue = Type.Object({ value: Type.Integer() }, { title: "CounterValue" });
export type CounterValue = Static<typeof CounterValue>;

// Logs.

export const LogsQuery = Type.Object(
  {
    since: Type.Optional(
      Type.Integer({
        minimum: 0,
        description: "Entries after this `seq`; all that are kept where absent.",
      }),
    ),
    limit: Type.Optional(positive(10_000, "The newest so many; 1000 where absent.")),
    follow: Type.Optional(
      Type.Boolean({ description: "Server-sent events, until the client leaves." }),
    ),
  },
  strict,
);

export const LogEntryView = Type.Object(
  {
    seq: Type.Integer({ description: "Grows with each entry of the host, also over restarts." }),
    at: time("When the function wrote it."),
    level: Type.Enum(["trace", "debug", "info", "warn", "error"]),
    function: Type.String(),
    invocation: Type.String(),
    message: Type.String(),
  },
  { title: "LogEntry" },
);
export type LogEntryView = Static<typeof LogEntryView>;

/**
 * With `follow=true`: server-sent events `log` (data: one `LogEntry`, id: its `seq`) and `notice`
 * (data: a `LogNotice`), which tells that entries are missing or why the stream ends.
 */
export const LogPage = Type.Object({
  entries: Type.Array(LogEntryView, { description: "Oldest first." }),
  dropped: Type.Boolean({
    description: "Entries between `since` and the first one here are no longer kept.",
  }),
});
export type LogPage = Static<typeof LogPage>;

export const LogNotice = Type.Object({
  reason: Type.Enum([
    "entries-dropped",
    "follower-too-slow",
    "app-deleted",
    "token-revoked",
    "host-draining",
  ]),
  message: Type.String(),
});
export type LogNotice = Static<typeof LogNotice>;

// Usage.

export const UsageTotals = Type.Object({
  invocations: Type.Integer(),
  errors: Type.Integer({ description: "Invocations that did not complete." }),
  coldStarts: Type.Integer(),
  cpuMs: Type.Number({ description: "Time that invocations held an executor." }),
  fuel: Type.Number({ description: "Instructions of WebAssembly, about." }),
  wallMs: Type.Number({ description: "Time from start to end of invocations, waiting included." }),
  bytesIn: Type.Integer({ description: "Inputs." }),
  bytesOut: Type.Integer({ description: "Outputs." }),
  stateOperations: Type.Integer({ description: "Reads, writes and listings of functions." }),
  logBytes: Type.Integer({ description: "Messages in the logs." }),
  logEntriesDropped: Type.Integer({ description: "Entries beyond the limits of the logs." }),
});
export type UsageTotals = Static<typeof UsageTotals>;

/** What one function used, of that which its app did. */
export const FunctionUsage = Type.Object({
  function: Type.String(),
  invocations: Type.Integer(),
  errors: Type.Integer({ description: "Invocations that did not complete." }),
  cpuMs: Type.Number({ description: "Time that invocations held an executor." }),
});
export type FunctionUsage = Static<typeof FunctionUsage>;

/** One app, and its functions. */
export const AppUsage = Type.Intersect(
  [
    Type.Object({ app: AppName }),
    UsageTotals,
    Type.Object({
      functions: Type.Array(FunctionUsage, {
        description:
          "Those of the active revision that were called; of a deleted app the last ones.",
      }),
    }),
  ],
  { title: "AppUsage" },
);
export type AppUsage = Static<typeof AppUsage>;

/** What the tenant has under way. */
export const TenantLoadView = Type.Intersect([
  LoadView,
  Type.Object({ uploads: Type.Integer({ description: "Uploads that are received or compiled." }) }),
]);
export type TenantLoadView = Static<typeof TenantLoadView>;

/** Of all revisions that are kept, the most of each: how far uploads are from their quotas. */
export const LargestView = Type.Object({
  componentBytes: Type.Integer(),
  coreFunctions: Type.Integer(),
  sections: Type.Integer(),
  nestingDepth: Type.Integer(),
  tableElements: Type.Integer(),
});
export type LargestView = Static<typeof LargestView>;

/** What is kept of the tenant now. */
export const StoredView = Type.Object({
  apps: Type.Integer(),
  revisions: Type.Integer({ description: "Of all apps." }),
  stateKeys: Type.Integer(),
  stateBytes: Type.Integer({ description: "As `stateBytesMax` counts them." }),
});
export type StoredView = Static<typeof StoredView>;

/** What the executors hold of the tenant, as of some seconds ago. */
export const HeldView = Type.Object({
  instances: Type.Integer({ description: "Busy and idle." }),
  memoryBytes: Type.Integer({ description: "Their linear memory." }),
});
export type HeldView = Static<typeof HeldView>;

export const Usage = Type.Object(
  {
    tenant: TenantName,
    total: UsageTotals,
    apps: Type.Array(Type.Intersect([Type.Object({ app: AppName }), UsageTotals]), {
      description: "Deleted apps too, up to 200 apps in all.",
    }),
    deleted: UsageTotals,
    quotas: Quotas,
    load: TenantLoadView,
    stored: StoredView,
    largest: LargestView,
    held: HeldView,
  },
  { title: "Usage" },
);
export type Usage = Static<typeof Usage>;

// The host.

export const Health = Type.Object({
  status: Type.Enum(["ok"]),
  version: Type.String(),
  uptimeMs: Type.Integer(),
});
export type Health = Static<typeof Health>;

export const Readiness = Type.Object({
  status: Type.Enum(["ready", "no-executor", "draining"], {
    description: "`no-executor` while none is ready: invocations wait, or are refused.",
  }),
  executors: Type.Integer({ description: "Those that are ready." }),
  queued: Type.Optional(Type.Integer({ description: "For the admin's token alone." })),
  inFlight: Type.Optional(Type.Integer({ description: "For the admin's token alone." })),
});
export type Readiness = Static<typeof Readiness>;
