/**
 * Clients that write and read without pause and keep book: what was acknowledged must be found again.
 *
 * Every write goes to a key of its own, so that a value found is right or wrong with nothing to interpret. A
 * write that failed may have happened or not; its key may be missing or hold the value written, nothing else.
 *
 * @module
 */

import type { Context, Door } from "./command.ts";

/** What was done since the last reading. */
export interface Tally {
  /** Writes acknowledged. */
  readonly puts: number;
  /** Reads that gave the value written. */
  readonly gets: number;
  /** Requests that failed. */
  readonly failed: number;
  /** Milliseconds counted. */
  readonly ms: number;
  /** Milliseconds between the first and the last failure; 0 for none or one. */
  readonly failingMs: number;
  /** The slowest request, in milliseconds. */
  readonly slowestMs: number;
}

/** Several clients at work. */
export class Load {
  readonly #acknowledged = new Map<string, string>();
  readonly #wrong: string[] = [];
  readonly #workers: Promise<void>[];
  #stopping = false;
  #puts = 0;
  #gets = 0;
  #failed = 0;
  #since = performance.now();
  #firstFailure = 0;
  #lastFailure = 0;
  #slowestMs = 0;

  /** Start so many clients, each with a connection to one of `addresses`. */
  constructor(context: Context, clients: number, addresses: readonly string[]) {
    this.#workers = Array.from(
      { length: clients },
      (_, worker) => this.#work(context, worker, addresses[worker % addresses.length]!),
    );
  }

  /** The counters since the last call. */
  take(): Tally {
    const now = performance.now();
    const tally = {
      puts: this.#puts,
      gets: this.#gets,
      failed: this.#failed,
      ms: now - this.#since,
      failingMs: this.#lastFailure - this.#firstFailure,
      slowestMs: this.#slowestMs,
    };
    this.#puts =
      this.#gets =
      this.#failed =
      this.#firstFailure =
      this.#lastFailure =
      this.#slowestMs =
        0;
    this.#since = now;
    return tally;
  }

  /** Stop; resolves when the last request is over. */
  async stop(): Promise<void> {
    this.#stopping = true;
    await Promise.all(this.#workers);
  }

  /** Writes acknowledged since the start. */
  get acknowledged(): number {
    return this.#acknowledged.size;
  }

  /** Read everything acknowledged again; what is missing or wrong, one line each. */
  async verify(door: Door): Promise<string[]> {
    for (const [key, value] of this.#acknowledged) await this.#read(door, key, value);
    return this.#wrong;
  }

  async #work(context: Context, worker: number, address: string): Promise<void> {
    const door = await context.connect(address);
    for (let count = 0; !this.#stopping; count++) {
      const [key, value] = [`load-${worker}-${count}`, `value ${count} of client ${worker}`];
      const written = await this.#timed(async () => {
        await door.put(encode(key), encode(value), {});
        this.#acknowledged.set(key, value);
        this.#puts++;
      });
      const earlier = `load-${worker}-${count >> 1}`;
      const expected = this.#acknowledged.get(earlier);
      if (expected !== undefined) await this.#timed(() => this.#read(door, earlier, expected));
      if (!written) await new Promise((resolve) => setTimeout(resolve, 10));
    }
    await door.close();
  }

  async #read(door: Door, key: string, expected: string): Promise<void> {
    const { values } = await door.get(encode(key), {});
    const found = values.map((value) => new TextDecoder().decode(value));
    if (found.length === 1 && found[0] === expected) this.#gets++;
    else this.#wrong.push(`${key}: acknowledged "${expected}", found ${JSON.stringify(found)}`);
  }

  async #timed(task: () => Promise<void>): Promise<boolean> {
    const start = performance.now();
    try {
      await task();
      return true;
    } catch {
      this.#failed++;
      this.#lastFailure = performance.now();
      this.#firstFailure ||= this.#lastFailure;
      return false;
    } finally {
      this.#slowestMs = Math.max(this.#slowestMs, performance.now() - start);
    }
  }
}

function encode(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
