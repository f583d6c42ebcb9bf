/** One request that changes an app; it must be ended. */
export interface ChangeTicket {
  readonly key: string;
  readonly number: number;
}

interface Order {
  open: number;
  latestApplied: number;
}

/**
 * Which of several changes of one app holds in the end: the one whose request came last. An upload
 * that is overtaken while it is received or compiled, by a later upload, a rollback or a deletion
 * that has been applied, is superseded and must not be applied any more.
 */
export class UploadOrder {
  readonly #orders = new Map<string, Order>();
  #last = 0;

  begin(key: string): ChangeTicket {
    this.#last += 1;
    const order = this.#orders.get(key) ?? { open: 0, latestApplied: 0 };
    order.open += 1;
    this.#orders.set(key, order);
    return { key, number: this.#last };
  }

  isSuperseded({ key, number }: ChangeTicket): boolean {
    return (this.#orders.get(key)?.latestApplied ?? 0) > number;
  }

  applied({ key, number }: ChangeTicket): void {
    const order = this.#orders.get(key);
    if (order !== undefined) order.latestApplied = Math.max(order.latestApplied, number);
  }

  end({ key }: ChangeTicket): void {
    const order = this.#orders.get(key);
    if (order === undefined) return;
    order.open -= 1;
    // With nothing open there is nothing to be superseded.
    if (order.open === 0) this.#orders.delete(key);
  }
}
