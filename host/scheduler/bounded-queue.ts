import assert from "node:assert/strict";

/** A FIFO with a hard limit: a full queue refuses, it never grows and never drops. */
export class BoundedQueue<T> {
  #items: (T | undefined)[] = [];
  #head = 0;

  get depth(): number {
    return this.#items.length - this.#head;
  }

  /** False where the queue is full. The limit comes with the call, because an app's may change. */
  push(item: T, depthMax: number): boolean {
    assert(Number.isSafeInteger(depthMax) && depthMax >= 0);
    if (this.depth >= depthMax) return false;
    this.#items.push(item);
    return true;
  }

  /** Puts back to the front what had left the queue already: it was admitted once, and no limit refuses it now. */
  unshift(item: T): void {
    if (this.#head > 0) {
      this.#head -= 1;
      this.#items[this.#head] = item;
    } else {
      this.#items.unshift(item);
    }
  }

  shift(): T | undefined {
    if (this.depth === 0) return undefined;
    const item = this.#items[this.#head];
    this.#items[this.#head] = undefined;
    this.#head += 1;
    // Half of it is holes: moving the rest costs each item once.
    if (this.#head * 2 >= this.#items.length) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
    return item;
  }

  /** Takes one item out, wherever it stands. */
  remove(item: T): boolean {
    const index = this.#items.indexOf(item, this.#head);
    if (index === -1) return false;
    this.#items.splice(index, 1);
    return true;
  }

  drain(): readonly T[] {
    const items: T[] = [];
    for (let item = this.shift(); item !== undefined; item = this.shift()) items.push(item);
    return items;
  }
}
