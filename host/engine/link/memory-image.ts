/**
 * One linear memory as the pages that differ from another image of it, or from zeros: what an instance
 * has to keep of it to be as it was. Its bytes lie outside of V8's heap.
 */
export class MemoryImage {
  /** Of the whole memory. */
  readonly memoryBytes: number;
  /** Their numbers, in ascending order. */
  readonly #pages: Uint32Array;
  /** Their bytes, one page after the other. */
  readonly #bytes: Buffer;

  private constructor(memoryBytes: number, pages: Uint32Array, bytes: Buffer) {
    this.memoryBytes = memoryBytes;
    this.#pages = pages;
    this.#bytes = bytes;
  }

  /** `base` is of the same memory when it was not larger than now. */
  static of(memory: Uint8Array, base: MemoryImage | undefined): MemoryImage {
    const now = Buffer.from(memory.buffer, memory.byteOffset, memory.byteLength);
    const pages: number[] = [];
    let inBase = 0;
    for (let page = 0; page * PAGE_BYTES < now.length; page += 1) {
      const isInBase = base !== undefined && base.#pages[inBase] === page;
      const before = isInBase ? base.#bytes : ZEROS;
      const at = isInBase ? inBase * PAGE_BYTES : 0;
      if (isInBase) inBase += 1;
      const start = page * PAGE_BYTES;
      if (before.compare(now, start, start + PAGE_BYTES, at, at + PAGE_BYTES) !== 0) {
        pages.push(page);
      }
    }
    // Not one of Node's shared pool, which would stay for as long as the image.
    const bytes = Buffer.from(new ArrayBuffer(pages.length * PAGE_BYTES));
    for (const [index, page] of pages.entries()) {
      now.copy(bytes, index * PAGE_BYTES, page * PAGE_BYTES, (page + 1) * PAGE_BYTES);
    }
    return new MemoryImage(now.length, Uint32Array.from(pages), bytes);
  }

  /** What the image itself takes. */
  get keptBytes(): number {
    return this.#bytes.length;
  }

  /** `memory` is as its base was, and as large as the image says. */
  restore(memory: Uint8Array): void {
    for (const [index, page] of this.#pages.entries()) {
      const start = index * PAGE_BYTES;
      memory.set(this.#bytes.subarray(start, start + PAGE_BYTES), page * PAGE_BYTES);
    }
  }
}

/** That of the machine; pages of WebAssembly, of 64 KiB each, are whole numbers of them. */
const PAGE_BYTES = 4096;
const ZEROS = Buffer.alloc(PAGE_BYTES);
