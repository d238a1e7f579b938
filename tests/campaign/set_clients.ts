/**
 * Clients that add elements to sets and remove others, whatever happens to the nodes they talk to.
 *
 * @module
 */

import { Client, DenamoError, type GetResult } from "../../mod.ts";
import { sleep, until } from "../outside/harness.ts";
import { countFates, type Element, type Fates, newElement } from "./elements.ts";

const SETS = 24;
const CALL_MS = 2_000;
const READS_AT_ONCE = 64;

/** Several clients at work, each at a node of its own. */
export class SetClients {
  /** Requests answered, and failed. */
  readonly requests = { done: 0, failed: 0 };
  readonly #elements = new Map<string, Element>();
  readonly #workers: Promise<void>[];
  readonly #options: { readonly r?: number; readonly w?: number };
  #stopping = false;

  /** Start one client at each address. @param options quorums of each request; default: the cluster's */
  constructor(addresses: readonly string[], options: { readonly r?: number; readonly w?: number } = {}) {
    this.#options = options;
    this.#workers = addresses.map((address, worker) => this.#work(worker, address));
  }

  /** Resolves when so many more requests have been answered. */
  async progress(count: number): Promise<void> {
    const enough = this.requests.done + count;
    await until(`${count} more requests`, () => this.requests.done >= enough);
  }

  /** Stop; resolves when the last request is over. */
  async stop(): Promise<void> {
    this.#stopping = true;
    await Promise.all(this.#workers);
  }

  /** What became of everything, as all replicas together have it. */
  async fates(addresses: readonly string[], r: number): Promise<Fates> {
    await using client = await Client.connect(addresses);
    const there = new Set<string>();
    const keys = [
      ...Array.from({ length: SETS }, (_, i) => setKey(i)),
      ...[...this.#elements.keys()].filter(isAlone),
    ];
    for (let at = 0; at < keys.length; at += READS_AT_ONCE) {
      await Promise.all(
        keys.slice(at, at + READS_AT_ONCE).map(async (key) => {
          for (const name of namesIn(await client.get(key, { r, timeoutMs: 10_000 }))) there.add(name);
        }),
      );
    }
    return countFates(this.#elements, (name) => there.has(name));
  }

  async #work(worker: number, address: string): Promise<void> {
    let client: Client | null = null;
    for (let count = 0; !this.#stopping; count++) {
      try {
        client ??= await Client.connect(address);
        if (count % 3 === 2) await this.#alone(client, `alone-${worker}-${count}`);
        else await this.#add(client, `e-${worker}-${count}`, setKey((worker * 7 + count) % SETS));
      } catch (error) {
        if (!(error instanceof DenamoError)) throw error;
        this.requests.failed++;
        if (error.code === "connect" || error.code === "dead") {
          await client?.close().catch(() => {});
          client = null;
        }
        await sleep(50);
      }
    }
    await client?.close().catch(() => {});
  }

  /** Add an element to a set that others add to. */
  async #add(client: Client, name: string, key: string): Promise<void> {
    const element = newElement();
    const startedAt = performance.now();
    const got = await this.#get(client, key);
    const names = namesIn(got);
    for (const [other, { addedAt }] of this.#elements) {
      const isHere = !isAlone(other) && setOf(other) === key;
      if (isHere && addedAt !== null && addedAt < startedAt && !names.has(other)) {
        this.#elements.get(other)!.wasMissed = true;
      }
    }
    this.#elements.set(name, element);
    await this.#put(client, key, [...names, name].join(" "), got);
    element.addedAt = performance.now();
  }

  /** An element under a key of its own: put, read, and mostly removed again. */
  async #alone(client: Client, name: string): Promise<void> {
    const element = newElement();
    this.#elements.set(name, element);
    await this.#put(client, name, name);
    element.addedAt = performance.now();
    const got = await this.#get(client, name);
    if (!namesIn(got).has(name)) element.wasMissed = true;
    if (Math.random() < 0.3) return;
    element.removal = "begun";
    await client.del(name, { context: got.context, ...this.#quorum("w"), timeoutMs: CALL_MS });
    this.requests.done++;
    element.removal = "acknowledged";
  }

  async #get(client: Client, key: string): Promise<GetResult> {
    const got = await client.get(key, { ...this.#quorum("r"), timeoutMs: CALL_MS });
    this.requests.done++;
    return got;
  }

  async #put(client: Client, key: string, value: string, read?: GetResult): Promise<void> {
    const context = read === undefined ? {} : { context: read.context };
    await client.put(key, value, { ...context, ...this.#quorum("w"), timeoutMs: CALL_MS });
    this.requests.done++;
  }

  #quorum<Q extends "r" | "w">(which: Q): { [K in Q]?: number } {
    const needed = this.#options[which];
    return (needed === undefined ? {} : { [which]: needed }) as { [K in Q]?: number };
  }
}

function setKey(i: number): string {
  return `set-${i}`;
}

function isAlone(name: string): boolean {
  return name.startsWith("alone-");
}

function setOf(name: string): string {
  const [, worker, count] = name.split("-");
  return setKey((Number(worker) * 7 + Number(count)) % SETS);
}

function namesIn(got: GetResult): Set<string> {
  return new Set(got.texts().flatMap((text) => text.split(" ")).filter((name) => name !== ""));
}
