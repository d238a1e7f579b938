/**
 * A first-in, first-out queue with a limit, as a ring buffer that doubles until it reaches it.
 *
 * `Array.prototype.shift` moves every element once the array is large, and a linked list allocates per
 * message; a ring buffer does neither. Slots are cleared as they are taken, so a message is garbage as soon as
 * it was handled.
 *
 * @module
 */

const SMALLEST = 16;

/**
 * Messages waiting for one actor, oldest first.
 *
 * @example
 * ```ts
 * import { Mailbox } from "./mailbox.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const mailbox = new Mailbox<string>(2);
 * assertEquals([mailbox.offer("a"), mailbox.offer("b"), mailbox.offer("c")], [true, true, false]);
 * assertEquals([mailbox.take(), mailbox.take(), mailbox.take()], ["a", "b", undefined]);
 * ```
 */
export class Mailbox<T> {
  /** How many messages {@link Mailbox.offer} lets wait. */
  readonly capacity: number;
  #slots: (T | undefined)[] = new Array(SMALLEST).fill(undefined);
  #mask = SMALLEST - 1;
  #head = 0;
  #length = 0;

  /** @param capacity a positive integer, or `Infinity` for a queue that something else bounds */
  constructor(capacity: number) {
    if (!(capacity >= 1)) throw new RangeError(`a mailbox cannot hold ${capacity} messages`);
    this.capacity = capacity;
  }

  /** Messages waiting. */
  get length(): number {
    return this.#length;
  }

  /** Append a message; false, and nothing changed, when the limit is reached. */
  offer(message: T): boolean {
    if (this.#length >= this.capacity) return false;
    this.force(message);
    return true;
  }

  /** Append a message whatever the limit says. */
  force(message: T): void {
    if (this.#length > this.#mask) this.#grow();
    this.#slots[(this.#head + this.#length) & this.#mask] = message;
    this.#length++;
  }

  /** Remove and return the oldest message; undefined when there is none. */
  take(): T | undefined {
    if (this.#length === 0) return undefined;
    const message = this.#slots[this.#head];
    this.#slots[this.#head] = undefined;
    this.#head = (this.#head + 1) & this.#mask;
    this.#length--;
    return message;
  }

  #grow(): void {
    const older = this.#slots.slice(this.#head);
    const newer = this.#slots.slice(0, this.#head);
    this.#slots = older.concat(newer, new Array(this.#slots.length).fill(undefined));
    this.#mask = this.#slots.length - 1;
    this.#head = 0;
  }
}
