/**
 * Clients that write and read without pause and keep book.
 *
 * Each client writes unique values to keys of its own, which must be found exactly as they were acknowledged,
 * and puts unique items into carts that all clients share, by reading a cart and writing it back with its
 * context: an acknowledged item must be found in one of the siblings of its cart (DeCandia et al., "Dynamo",
 * SOSP 2007, section 4.4). What was not acknowledged may have happened or not.
 *
 * @module
 */

import { Client, type GetResult } from "../../mod.ts";
import { sleep } from "./harness.ts";

/** A request that failed. */
export interface Failure {
  /** When, on the clock of `performance.now()`. */
  readonly at: number;
  /** What it said. */
  readonly message: string;
}

/** Items that a client puts into one cart before it turns to the next. */
const ITEMS_PER_CART = 10;
/** Reads under way at once when everything is read back. */
const READS_AT_ONCE = 128;

let workloads = 0;

/** Several clients at work. */
export class Workload implements AsyncDisposable {
  /** Requests that failed, oldest first. */
  readonly failures: Failure[] = [];
  /** Requests that were answered well. */
  done = 0;
  /** The slowest request since this was last set, in milliseconds. */
  slowestMs = 0;
  readonly #own = new Map<string, string>();
  readonly #carts = new Map<string, Set<string>>();
  readonly #wrong: string[] = [];
  readonly #workers: Promise<void>[];
  /** Keeps the keys of one workload from those of another. */
  readonly #number = ++workloads;
  #stopping = false;

  /** Start one client per list of addresses. */
  constructor(addresses: readonly (readonly string[])[]) {
    this.#workers = addresses.map((of, worker) => this.#work(worker, of));
  }

  /** Clients that each know one address, dealt round. */
  static at(addresses: readonly string[], clients: number): Workload {
    return new Workload(Array.from({ length: clients }, (_, i) => [addresses[i % addresses.length]!]));
  }

  /** Writes acknowledged: values and items. */
  get acknowledged(): number {
    let items = 0;
    for (const cart of this.#carts.values()) items += cart.size;
    return this.#own.size + items;
  }

  /** The keys of acknowledged writes, in the order of their first. */
  get keys(): { own: string[]; carts: string[] } {
    return { own: [...this.#own.keys()], carts: [...this.#carts.keys()] };
  }

  /** Milliseconds from `start` to the last failure after it; 0 when there was none. */
  windowAfter(start: number): number {
    const last = this.failures.findLast(({ at }) => at >= start);
    return last ? last.at - start : 0;
  }

  /** Resolves when `count` more requests have been answered well. */
  async progress(count: number): Promise<void> {
    const enough = this.done + count;
    for (const start = performance.now(); this.done < enough; await sleep(5)) {
      if (performance.now() - start < 30_000) continue;
      const said = this.failures.slice(-3).map(({ message }) => message);
      throw new Error(`${enough - this.done} of ${count} requests not answered in 30 s: ${said.join("; ")}`);
    }
  }

  /** Stop; resolves when the last request is over. */
  async stop(): Promise<void> {
    this.#stopping = true;
    await Promise.all(this.#workers);
  }

  /** See {@link Workload.stop}. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  /** Read back everything acknowledged; what is missing or wrong, here or in an earlier read, a line each. */
  async wrong(address: string, r: number): Promise<string[]> {
    await using client = await Client.connect(address);
    const reads = [
      ...[...this.#own].map(([key, value]) => ({ key, judge: judgeOwn(value) })),
      ...[...this.#carts].map(([key, items]) => ({ key, judge: judgeCart(items) })),
    ];
    const wrong = [...this.#wrong];
    for (let at = 0; at < reads.length; at += READS_AT_ONCE) {
      await Promise.all(
        reads.slice(at, at + READS_AT_ONCE).map(async ({ key, judge }) => {
          const problem = judge(await client.get(key, { r }));
          if (problem !== null) wrong.push(`${key}, read at ${address} with R = ${r}: ${problem}`);
        }),
      );
    }
    return wrong;
  }

  async #work(worker: number, addresses: readonly string[]): Promise<void> {
    const client = await Client.connect(addresses);
    const written: [key: string, value: string][] = [];
    for (let count = 0; !this.#stopping; count++) {
      const [key, value] = [`own-${this.#number}-${worker}-${count}`, `value ${count} of client ${worker}`];
      const put = await this.#timed(() => client.put(key, value));
      if (put.ok) {
        written.push([key, value]);
        this.#own.set(key, value);
      }
      const earlier = written[Math.floor(Math.random() * written.length)];
      if (earlier) await this.#readBack(client, ...earlier);
      if (count % 2 === 0) await this.#intoCart(client, `item-${worker}-${count}`, count);
      await sleep(put.ok ? 1 : 20);
    }
    await client.close();
  }

  async #readBack(client: Client, key: string, value: string): Promise<void> {
    const got = await this.#timed(() => client.get(key));
    const problem = got.ok ? judgeOwn(value)(got.value) : null;
    if (problem !== null) this.#wrong.push(`${key}, read under load at ${client.address}: ${problem}`);
  }

  async #intoCart(client: Client, item: string, count: number): Promise<void> {
    const key = `cart-${this.#number}-${Math.floor(count / 2 / ITEMS_PER_CART)}`;
    const got = await this.#timed(() => client.get(key));
    if (!got.ok) return;
    const items = [...itemsOf(got.value), item].join(" ");
    const put = await this.#timed(() => client.put(key, items, { context: got.value.context }));
    if (!put.ok) return;
    const cart = this.#carts.get(key);
    if (cart) cart.add(item);
    else this.#carts.set(key, new Set([item]));
  }

  async #timed<T>(task: () => Promise<T>): Promise<{ ok: true; value: T } | { ok: false }> {
    const start = performance.now();
    try {
      const value = await task();
      this.done++;
      return { ok: true, value };
    } catch (error) {
      this.failures.push({ at: performance.now(), message: String(error) });
      return { ok: false };
    } finally {
      this.slowestMs = Math.max(this.slowestMs, performance.now() - start);
    }
  }
}

function itemsOf(got: GetResult): Set<string> {
  return new Set(got.texts().flatMap((text) => text.split(" ")));
}

type Judge = (got: GetResult) => string | null;

/** A value that one client wrote once: itself and nothing else, however often the write was retried. */
function judgeOwn(value: string): Judge {
  return (got) => {
    const texts = got.texts();
    return texts.length === 1 && texts[0] === value
      ? null
      : `acknowledged ${JSON.stringify(value)}, found ${JSON.stringify(texts)}`;
  };
}

/** A cart: every acknowledged item is in one of its siblings. */
function judgeCart(items: ReadonlySet<string>): Judge {
  return (got) => {
    const found = itemsOf(got);
    const missing = [...items].filter((item) => !found.has(item));
    return missing.length === 0 ? null : `acknowledged and missing: ${missing.join(" ")}`;
  };
}
