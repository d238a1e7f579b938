/**
 * Clients at work on a few keys that they all want: they read, write with what they have read or with nothing,
 * and delete. Every value is put once, so that a history says which write a value comes from.
 *
 * @module
 */

import type { Random } from "../../actors/runtime/environment.ts";
import type { SimulatedRandom } from "../../actors/simulated/random.ts";
import type { Client } from "../../net/client.ts";
import { DenamoError } from "../../net/client_errors.ts";
import type { History, Operation } from "./history.ts";

/** How a workload looks. */
export interface WorkloadOptions {
  /** Clients at once. */
  readonly clients: number;
  /** Keys they share. */
  readonly keys: number;
  /** Calls each client makes. */
  readonly calls: number;
  /** Longest pause between two calls of a client. */
  readonly pauseMs: number;
  /** What a client allows for a call. */
  readonly timeoutMs: number;
}

/** See {@link WorkloadOptions}. */
export const WORKLOAD: WorkloadOptions = { clients: 4, keys: 3, calls: 40, pauseMs: 150, timeoutMs: 1_000 };

/** The keys of a workload. */
export function keysOf({ keys }: Pick<WorkloadOptions, "keys">): string[] {
  return Array.from({ length: keys }, (_, index) => `key${index}`);
}

/** What one client remembers between its calls. */
export class Caller {
  readonly #name: string;
  readonly #client: Client;
  readonly #history: History;
  /** The last read of each key, and the context it gave. */
  readonly #read = new Map<string, { readonly id: number; readonly context: Uint8Array }>();

  /** @param name for the history @param client its connection @param history where it is recorded */
  constructor(name: string, client: Client, history: History) {
    this.#name = name;
    this.#client = client;
    this.#history = history;
  }

  /** Read a key; `r`: of so many replicas, once everything is well again. */
  get(key: string, timeoutMs: number, r?: number): Promise<Operation> {
    const operation = this.#begin({ kind: "get", key, timeoutMs, isFinal: r !== undefined });
    const options = { timeoutMs, ...(r === undefined ? {} : { r }) };
    return this.#settle(operation, async () => {
      const result = await this.#client.get(key, options);
      this.#read.set(key, { id: operation.id, context: result.context });
      return result.texts();
    });
  }

  /** Write a key, null to delete it; `informed`: with the context of this client's last read of it. */
  write(key: string, value: string | null, informed: boolean, timeoutMs: number): Promise<Operation> {
    const seen = informed ? this.#read.get(key) : undefined;
    const kind = value === null ? "del" : "put";
    const operation = this.#begin({ kind, key, value, context: seen?.id ?? null, timeoutMs });
    const options = { timeoutMs, context: seen?.context ?? null };
    return this.#settle(operation, async () => {
      if (value === null) await this.#client.del(key, options);
      else await this.#client.put(key, value, options);
      return [];
    });
  }

  #begin(call: Omit<Parameters<History["begin"]>[0], "client">): Operation {
    return this.#history.begin({ client: this.#name, ...call });
  }

  async #settle(operation: Operation, call: () => Promise<readonly string[]>): Promise<Operation> {
    try {
      this.#history.succeed(operation, await call());
    } catch (error) {
      if (!(error instanceof DenamoError)) throw error;
      this.#history.fail(operation, error);
    }
    return operation;
  }
}

/** One client, from its first call to its last. */
export async function work(
  caller: Caller,
  name: string,
  options: WorkloadOptions,
  random: SimulatedRandom,
  pause: (ms: number) => Promise<void>,
): Promise<void> {
  const keys = keysOf(options);
  const { timeoutMs } = options;
  for (let call = 0; call < options.calls; call++) {
    const key = pick(random, keys);
    const dice = random.next();
    if (dice < 0.4) await caller.get(key, timeoutMs);
    else if (dice < 0.9) await caller.write(key, `${name}.${call}`, random.chance(0.8), timeoutMs);
    else await caller.write(key, null, random.chance(0.9), timeoutMs);
    await pause(random.between(0, options.pauseMs));
  }
}

/** One of several. */
export function pick<T>(random: Random, from: readonly T[]): T {
  return from[random.integer(from.length)]!;
}
