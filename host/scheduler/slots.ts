import type { CompiledComponent } from "../engine/engine.ts";
import type { Outcome } from "../protocol.ts";
import { BoundedQueue } from "./bounded-queue.ts";
import type { DeployedApp, InvokeRequest } from "./deployed-app.ts";
import type { ExecutorHandle } from "./executor-handle.ts";
import type { Load } from "./load.ts";
import type { AppPlace, TenantPlace, WaitingLine } from "./waiting-line.ts";

// What the scheduler knows of tenants, apps, revisions and invocations. It alone changes them.

export interface TenantSlot {
  readonly tenantId: string;
  readonly load: Load;
  readonly place: TenantPlace<AppSlot>;
}

/** How long an invocation is taken to hold its thread before anything is known of its app: it makes an instance. */
const ESTIMATE_US = 1_500;
/** The weight of the newest in what is known: a few invocations tell. */
const ESTIMATE_GAIN = 0.2;

export class AppSlot {
  readonly tenant: TenantSlot;
  readonly app: string;
  readonly load: Load;
  readonly place: AppPlace<AppSlot>;
  readonly queue = new BoundedQueue<Ticket>();
  revision: Revision;
  /** For whoever removed the app, and waits until nothing of it runs. */
  onIdle: (() => void) | undefined;
  #estimateUs = ESTIMATE_US;

  constructor(options: {
    readonly tenant: TenantSlot;
    readonly revision: Revision;
    readonly load: Load;
    readonly line: WaitingLine<AppSlot>;
  }) {
    this.tenant = options.tenant;
    this.app = options.revision.app.identity.app;
    this.load = options.load;
    this.revision = options.revision;
    this.place = options.line.joinApp(options.tenant.place, this);
  }

  /** Processor time that an invocation takes, as learned from those that ended. */
  get estimateUs(): number {
    return this.#estimateUs;
  }

  learn(cpuUs: number): void {
    this.#estimateUs += Math.round((cpuUs - this.#estimateUs) * ESTIMATE_GAIN);
  }
}

/** One deployed revision with one configuration, and where it is loaded. */
export interface Revision {
  readonly key: string;
  /** Replaced when limits change that no executor sees. */
  app: DeployedApp;
  component: CompiledComponent | undefined;
  isLoading: boolean;
  isSuperseded: boolean;
  inFlight: number;
  lastUsedAtMs: number;
  readonly preparedOn: Set<ExecutorHandle>;
}

export interface Ticket {
  readonly invocationId: string;
  readonly slot: AppSlot;
  readonly request: InvokeRequest;
  readonly acceptedAtMs: number;
  readonly deadlineAtMs: number;
  /** Answers the caller; undefined once it has been answered. */
  answer: ((outcome: Outcome) => void) | undefined;
  timer: NodeJS.Timeout | undefined;
  detach: (() => void) | undefined;
  running:
    | {
        readonly revision: Revision;
        readonly executor: ExecutorHandle;
        readonly sequence: number;
        readonly atMs: number;
        /** What its tenant was charged for it ahead: nothing where nobody else waited. */
        readonly chargedUs: number;
      }
    | undefined;
  errorCode: string | undefined;
}
