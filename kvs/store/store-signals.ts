const COMMITS = 0;
const ENDED = 1;
const SHARED_BYTES = 8;

/** What the writer of a store tells all readers of the process, in memory they share. */
export class StoreSignals {
  readonly shared: SharedArrayBuffer;
  readonly #cells: Int32Array;

  constructor(shared: SharedArrayBuffer = new SharedArrayBuffer(SHARED_BYTES)) {
    this.shared = shared;
    this.#cells = new Int32Array(shared);
  }

  /** Changes with every commit. It wraps: compare for equality only. */
  get commits(): number {
    return Atomics.load(this.#cells, COMMITS);
  }

  /** The writer calls it after each commit, before it tells anyone of it. */
  announceCommit(): void {
    Atomics.add(this.#cells, COMMITS, 1);
  }

  /** True once there is no writer any more: nothing new may be opened. */
  get hasEnded(): boolean {
    return Atomics.load(this.#cells, ENDED) !== 0;
  }

  announceEnd(): void {
    Atomics.store(this.#cells, ENDED, 1);
  }
}
