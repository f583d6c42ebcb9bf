// Streams and futures between a guest and the host: a `HostReader` reads what a guest writes; a `HostStream` or
// `HostFuture` is given to a guest, which reads what the host has.
//
// O1. What the host reads or brings is copied between two stretches of the guest, or in a call of its own.
// O2. While the host reads, or is asked, a guest that waits for it does not wait in vain: it is expected.
// O3. The host is asked for more only when a guest reads: nothing piles up in between.

import type { Guest } from "../canonical/guest.ts";
import type { ComponentValue, ValueType } from "../component/types.ts";
import { copyElements } from "./copy-buffer.ts";
import type { CopyBuffer } from "./copy-buffer.ts";
import { COPY_RESULTS, SharedFuture, SharedStream } from "./shared-ends.ts";
import type { Copy } from "./shared-ends.ts";

/** Elements that the host has. */
class HostSource implements CopyBuffer {
  readonly instance = undefined;
  readonly #values: ArrayLike<ComponentValue>;
  #taken = 0;

  constructor(values: ArrayLike<ComponentValue>) {
    this.#values = values;
  }

  get length(): number {
    return this.#values.length;
  }

  get remain(): number {
    return this.length - this.#taken;
  }

  take(): ComponentValue {
    this.#taken += 1;
    return this.#values[this.#taken - 1];
  }

  put(): never {
    throw new Error("elements of the host were written to");
  }
}

/** Room for elements that the host gets. */
class HostSink implements CopyBuffer {
  readonly instance = undefined;
  readonly length: number;
  readonly values: ComponentValue[] = [];

  constructor(length: number) {
    this.length = length;
  }

  get remain(): number {
    return this.length - this.values.length;
  }

  take(): never {
    throw new Error("room of the host was read from");
  }

  put(value: ComponentValue): void {
    this.values.push(value);
  }
}

/** Reads a stream or future that the host was given. Its promises settle as long as the guest lives. */
export class HostReader {
  readonly #shared: SharedStream | SharedFuture;
  readonly #guest: Guest;
  readonly #isDone = Promise.withResolvers<void>();

  constructor(shared: SharedStream | SharedFuture) {
    const { guest } = shared;
    if (guest === undefined) throw new TypeError("the host reads what is its own");
    this.#shared = shared;
    this.#guest = guest;
    guest.scheduler.expect(this.#isDone.promise, () => {});
  }

  /** Up to so many elements, as soon as there are some; undefined where the stream has ended. */
  read(countMax: number): Promise<readonly ComponentValue[] | undefined> {
    const sink = new HostSink(countMax);
    return new Promise((resolve) => {
      const copy: Copy = {
        buffer: sink,
        onCopy: (reclaim) => {
          reclaim();
          resolve(sink.values);
        },
        onDone: (result) => {
          const isDropped = result === COPY_RESULTS.dropped;
          if (isDropped || this.#shared instanceof SharedFuture) this.#isDone.resolve();
          resolve(isDropped ? undefined : sink.values);
        },
      };
      this.#guest.scheduler.expect(Promise.resolve(), () => this.#shared.read(copy));
    });
  }

  /** Whoever writes learns that nobody reads. */
  drop(): void {
    this.#guest.scheduler.expect(Promise.resolve(), () => this.#shared.drop());
    this.#isDone.resolve();
  }
}

/** Given to a guest, which reads what `source` yields: piece by piece, in arrays or typed arrays of elements. */
export class HostStream extends SharedStream {
  readonly #source: AsyncIterator<ArrayLike<ComponentValue>>;
  #left = new HostSource([]);
  #isAsking = false;

  constructor(element: ValueType | null, source: AsyncIterable<ArrayLike<ComponentValue>>) {
    super(element, undefined);
    this.#source = source[Symbol.asyncIterator]();
  }

  override read(copy: Copy): void {
    if (this.isDropped) copy.onDone(COPY_RESULTS.dropped);
    else {
      this.pending = copy;
      this.#give(copy);
    }
  }

  override drop(): void {
    super.drop();
    void this.#source.return?.();
  }

  #give({ buffer }: Copy): void {
    if (this.#left.remain === 0 && buffer.remain > 0) {
      this.#ask(buffer);
      return;
    }
    if (buffer.remain > 0) copyElements(this.#left, buffer);
    this.finishPending(COPY_RESULTS.completed);
  }

  #ask({ instance }: CopyBuffer): void {
    if (this.#isAsking) return;
    this.#isAsking = true;
    instance?.guest.scheduler.expect(this.#source.next(), (settled) => {
      this.#isAsking = false;
      if (settled.status === "rejected") throw settled.reason;
      if (settled.value.done === true) super.drop();
      else this.#left = new HostSource(settled.value.value);
      // Its read may have been cancelled: then it is for the next one.
      if (this.pending !== undefined) this.#give(this.pending);
    });
  }
}

/** Given to a guest, which reads what `value` resolves to. */
export class HostFuture extends SharedFuture {
  readonly #value: Promise<ComponentValue>;

  constructor(element: ValueType | null, value: Promise<ComponentValue>) {
    super(element, undefined);
    this.#value = value;
  }

  override read(copy: Copy): void {
    this.pending = copy;
    copy.buffer.instance?.guest.scheduler.expect(this.#value, (settled) => {
      if (this.pending !== copy) return;
      if (settled.status === "rejected") throw settled.reason;
      copyElements(new HostSource([settled.value]), copy.buffer);
      this.finishPending(COPY_RESULTS.completed);
    });
  }
}
