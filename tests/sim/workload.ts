/**
 * Clients at work on a few keys that they all want: they read, write with what they have read or with nothing,
 * and delete, as planned. Every value is put once, so that a history says which write a value comes from.
 *
 * @module
 */

import type { Client } from "../../net/client.ts";
import { DenamoError } from "../../net/client_errors.ts";
import type { History, Operation } from "./history.ts";
import type { Plan, PlannedCall } from "./plan.ts";

/** The keys of a plan. */
export function keysOf({ keys }: Pick<Plan, "keys">): string[] {
  return Array.from({ length: keys }, (_, index) => `key${index}`);
}

/** The quorum that a call asks for; nothing for the cluster's own. */
interface Asked {
  /** What the call is to be allowed, in milliseconds. */
  readonly timeoutMs: number;
  /** R or W, 0 for the cluster's. */
  readonly quorum: number;
  /** Whether it is a call after everything has healed. */
  readonly isFinal?: boolean;
}

/** What one client remembers between its calls. */
export class Caller {
  readonly #name: string;
  readonly #client: Client;
  readonly #history: History;
  readonly #defaults: { readonly r: number; readonly w: number };
  /** The last read of each key, and the context it gave. */
  readonly #read = new Map<string, { readonly id: number; readonly context: Uint8Array }>();

  /**
   * @param name for the history @param client its connection @param history where it is recorded
   * @param defaults R and W
   */
  constructor(
    name: string,
    client: Client,
    history: History,
    defaults: { readonly r: number; readonly w: number },
  ) {
    this.#name = name;
    this.#client = client;
    this.#history = history;
    this.#defaults = defaults;
  }

  /** Read a key. */
  get(key: string, { timeoutMs, quorum, isFinal = false }: Asked): Promise<Operation> {
    const r = quorum || this.#defaults.r;
    const operation = this.#begin({ kind: "get", key, timeoutMs, quorum: r, isFinal });
    return this.#settle(operation, async () => {
      const result = await this.#client.get(key, { timeoutMs, ...(quorum > 0 && { r }) });
      this.#read.set(key, { id: operation.id, context: result.context });
      return result.texts();
    });
  }

  /** Write a key, null to delete it; `informed`: with the context of this client's last read of it. */
  write(
    key: string,
    value: string | null,
    { timeoutMs, quorum, informed, isFinal = false }: Asked & { readonly informed: boolean },
  ): Promise<Operation> {
    const w = quorum || this.#defaults.w;
    const seen = informed ? this.#read.get(key) : undefined;
    const kind = value === null ? "del" : "put";
    const context = seen?.id ?? null;
    const operation = this.#begin({ kind, key, value, context, timeoutMs, quorum: w, isFinal });
    const options = { timeoutMs, context: seen?.context ?? null, ...(quorum > 0 && { w }) };
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

/** One client, from its first planned call to its last. `sleepUntil`: simulated milliseconds after the start. */
export async function work(
  caller: Caller,
  name: string,
  calls: readonly PlannedCall[],
  timeoutMs: number,
  sleepUntil: (atMs: number) => Promise<void>,
): Promise<void> {
  for (const [index, { atMs, kind, key, informed, quorum, sizeBytes }] of calls.entries()) {
    await sleepUntil(atMs);
    const asked = { timeoutMs, quorum };
    if (kind === "get") await caller.get(`key${key}`, asked);
    else {
      const value = kind === "del" ? null : `${name}.${index}`.padEnd(sizeBytes, ".");
      await caller.write(`key${key}`, value, { ...asked, informed });
    }
  }
}
