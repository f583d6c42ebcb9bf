const COMMITS = 0;
const WRITES = 1;
const SHARED_BYTES = 16;

/** Totals since the storage thread was started, counted there and read anywhere. */
export class WriteCounts {
  readonly shared: SharedArrayBuffer;
  readonly #cells: BigInt64Array;

  constructor(shared: SharedArrayBuffer = new SharedArrayBuffer(SHARED_BYTES)) {
    this.shared = shared;
    this.#cells = new BigInt64Array(shared);
  }

  addCommit(): void {
    Atomics.add(this.#cells, COMMITS, 1n);
  }

  addWrites(count: number): void {
    Atomics.add(this.#cells, WRITES, BigInt(count));
  }

  /** Groups stored, each with one fsync. */
  get commits(): number {
    return Number(Atomics.load(this.#cells, COMMITS));
  }

  /** Writes stored in them. */
  get writes(): number {
    return Number(Atomics.load(this.#cells, WRITES));
  }
}
