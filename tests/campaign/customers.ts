/**
 * Clients that read and write without pause, as users of the client library do, and look at everything they are given.
 *
 * Whoever is told that something may pass (no quorum, overload, a node that stops, a connection that breaks) tries
 * again, for a while, from reading on; what has not come to pass by then is a request that failed.
 *
 * @module
 */

import { Client, DenamoError } from "../../mod.ts";
import { Histogram } from "../bench/histogram.ts";
import { sleep } from "../outside/harness.ts";
import type { Ledger } from "./ledger.ts";

/** A caller gives a request up after so long. */
const PATIENCE_MS = 15_000;
/** Between two tries. */
const PAUSE_MS = 25;
/** Requests under way at once on each connection when all keys are written, or read. */
const AT_ONCE = 128;
/** What is wrong is listed up to here; the rest is counted. */
const MOST_LISTED = 10;

/** Codes after which a request is tried again. */
const MAY_PASS: ReadonlySet<string> = new Set([
  "quorum-unmet",
  "timeout",
  "overloaded",
  "ring-changing",
  "unavailable",
  "stopping",
  "connect",
  "lost",
  "dead",
]);

/** What happened since the last look. */
export interface Tally {
  /** Requests answered, per second. */
  readonly perSecond: number;
  /** Milliseconds that one request of a hundred took longer than. */
  readonly p99: number;
  /** And the slowest. */
  readonly slowest: number;
}

/** See the module. */
export class Customers implements AsyncDisposable {
  /** Requests answered. */
  done = 0;
  /** Requests that failed for who made them: one line each, as far as they are listed. */
  readonly failures: string[] = [];
  /** How many failed. */
  failed = 0;
  /** Tries that were not the last of their request, by code. */
  readonly retries = new Map<string, number>();
  /** Reads that missed something, a line each. */
  readonly wrong: string[] = [];
  /** How many did. */
  missed = 0;
  readonly #ledger: Ledger;
  readonly #perSecond: number;
  readonly #streams: Promise<void>[] = [];
  #all = 0;
  #latencies = new Histogram();
  #slowest = 0;
  #since = performance.now();
  #isStopping = false;

  /** @param ledger their keys @param perSecond requests of all of them together, no more */
  constructor(ledger: Ledger, perSecond: number) {
    this.#ledger = ledger;
    this.#perSecond = perSecond;
  }

  /** How often something was tried again. */
  get retried(): number {
    return this.retries.values().reduce((sum, count) => sum + count, 0);
  }

  /** One line for each code. */
  get retriesInWords(): string {
    return [...this.retries].map(([code, count]) => `${count} ${code}`).join(", ") || "none";
  }

  /**
   * So many more clients, the first `of` the keys dealt among all that there will ever be; each with a connection of
   * its own to the first of these addresses, and the others to fall back on.
   */
  async come(addresses: readonly string[], count: number, of: number): Promise<void> {
    const clients = await Promise.all(Array.from({ length: count }, () => Client.connect(addresses)));
    for (const client of clients) this.#streams.push(this.#work(client, this.#all++, of));
  }

  /** What happened since it was last asked. */
  take(): Tally {
    const now = performance.now();
    const tally = {
      perSecond: Math.round(this.#latencies.count / Math.max(0.001, (now - this.#since) / 1000)),
      p99: this.#latencies.quantile(0.99),
      slowest: this.#slowest,
    };
    this.#latencies = new Histogram();
    this.#slowest = 0;
    this.#since = now;
    return tally;
  }

  /** Stop; resolves when the last request is over. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    await Promise.all(this.#streams.splice(0));
    this.#isStopping = false;
    this.#all = 0;
  }

  /** See {@link Customers.stop}. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  /** Write every key, through all of these at once. */
  async writeAll(addresses: readonly string[], onProgress: (share: number) => void): Promise<void> {
    await this.#each(addresses, onProgress, async (client, index) => {
      const { number, value } = this.#ledger.begin(index);
      try {
        await client.put(this.#ledger.key(index), value);
        this.#ledger.acknowledge(index, number);
      } catch (error) {
        this.#onFailedTry(error);
        await this.#write(client, index);
      }
    });
  }

  /** Read every key, through all of these at once. */
  async readAll(
    addresses: readonly string[],
    onProgress: (share: number) => void,
    r?: number,
  ): Promise<void> {
    await this.#each(addresses, onProgress, (client, index) => this.#read(client, index, r));
  }

  async #each(
    addresses: readonly string[],
    onProgress: (share: number) => void,
    deed: (client: Client, index: number) => Promise<unknown>,
  ): Promise<void> {
    const { keys } = this.#ledger;
    let next = 0;
    await Promise.all(addresses.map(async (address) => {
      await using client = await Client.connect([address, ...addresses]);
      await Promise.all(Array.from({ length: AT_ONCE }, async () => {
        while (next < keys) {
          const index = next++;
          if (index % 1000 === 0) onProgress(index / keys);
          await deed(client, index);
        }
      }));
    }));
  }

  /** A client's life: it alone writes every `of`th key; it reads all. */
  async #work(client: Client, number: number, of: number): Promise<void> {
    const { keys } = this.#ledger;
    const turnMs = 1000 * of * 3 / this.#perSecond; // read and write, and read another
    while (!this.#isStopping) {
      const startedAt = performance.now();
      const index = Math.floor(Math.random() * keys);
      const own = index - index % of + number;
      if (own < keys) await this.#write(client, own);
      await this.#read(client, index);
      const restMs = turnMs * (0.5 + Math.random()) - (performance.now() - startedAt);
      if (restMs > 1) await sleep(restMs);
    }
    await client.close();
  }

  /** Read a key and write it. */
  async #write(client: Client, index: number): Promise<void> {
    const key = this.#ledger.key(index);
    await this.#untilDone(`writing ${key}`, async () => {
      const { context } = await this.#look(client, index);
      const { number, value } = this.#ledger.begin(index);
      await this.#timed(() => client.put(key, value, { context }));
      this.#ledger.acknowledge(index, number);
    });
  }

  async #read(client: Client, index: number, r?: number): Promise<void> {
    await this.#untilDone(`reading ${this.#ledger.key(index)}`, () => this.#look(client, index, r));
  }

  async #look(client: Client, index: number, r?: number) {
    const least = this.#ledger.acknowledged(index);
    const got = await this.#timed(() => client.get(this.#ledger.key(index), r === undefined ? {} : { r }));
    const problem = this.#ledger.judge(index, least, got.texts());
    if (problem !== null && ++this.missed <= MOST_LISTED) this.wrong.push(`${problem}, at ${client.address}`);
    return got;
  }

  async #timed<T>(request: () => Promise<T>): Promise<T> {
    const startedAt = performance.now();
    try {
      const answer = await request();
      this.done++;
      return answer;
    } finally {
      const ms = performance.now() - startedAt;
      this.#latencies.add(ms);
      this.#slowest = Math.max(this.#slowest, ms);
    }
  }

  /** Try until it is done, or the caller gives it up. */
  async #untilDone(what: string, deed: () => Promise<unknown>): Promise<void> {
    for (const startedAt = performance.now();;) {
      try {
        return void await deed();
      } catch (error) {
        if (performance.now() - startedAt > PATIENCE_MS || !MAY_PASS.has((error as DenamoError).code)) {
          if (++this.failed <= MOST_LISTED) this.failures.push(`${what}: ${error}`);
          return;
        }
        this.#onFailedTry(error);
        await sleep(PAUSE_MS * (0.5 + Math.random()));
      }
    }
  }

  #onFailedTry(error: unknown): void {
    if (!(error instanceof DenamoError)) throw error;
    this.retries.set(error.code, 1 + (this.retries.get(error.code) ?? 0));
  }
}
