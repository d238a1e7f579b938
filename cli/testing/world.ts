/**
 * A terminal and a node for testing commands: what is written is kept, what is asked is answered from a `Map`.
 *
 * @module
 */

import type { Environment } from "../../actors/runtime/environment.ts";
import { realEnvironment } from "../../actors/runtime/real/mod.ts";
import { crc32c } from "../../actors/runtime/crc32c.ts";
import { type Bytes, GetResult } from "../../net/client.ts";
import type { NodeOptions } from "../../net/node.ts";
import type { Context, Door, RunningNode } from "../command.ts";
import type { Terminal } from "../terminal.ts";

/** What a test may set up. */
export interface WorldOptions {
  /** Whether standard output is a terminal. */
  readonly interactive?: boolean;
  /** Standard input. */
  readonly input?: Uint8Array;
  /** Files by path. */
  readonly files?: Readonly<Record<string, string>>;
  /** Environment variables. */
  readonly variables?: Readonly<Record<string, string>>;
  /** Answers to `admin`, by kind. */
  readonly admin?: Readonly<Record<string, unknown>>;
  /** The machine; by default this one. */
  readonly environment?: Environment;
  /** What connecting rejects with. */
  readonly unreachable?: Error;
}

/** What `exit` throws. */
export class Exited extends Error {
  /** @param code the exit code */
  constructor(readonly code: number) {
    super(`exit ${code}`);
  }
}

/** What a failed request looks like; the client's own error has this shape. */
export class Refused extends Error {
  /** @param code why @param definite whether it certainly did not happen @param answered and `needed`: counts */
  constructor(
    readonly code: string,
    readonly definite: boolean,
    readonly answered?: number,
    readonly needed?: number,
  ) {
    super(`${code}: refused`);
  }
}

/** A context whose every effect can be looked at. */
export class World implements Context, Terminal {
  readonly terminal = this;
  readonly interactive: boolean;
  readonly watched = false;
  readonly coloured = false;
  readonly columns = 80;
  readonly abandoned = false;
  /** What was written to standard output. */
  stdout = "";
  /** The bytes among it. */
  bytes: Uint8Array = new Uint8Array();
  /** What was written to standard error. */
  stderr = "";
  /** Where was connected to. */
  readonly addresses: string[] = [];
  /** What the door was asked, kind and arguments. */
  readonly asked: unknown[][] = [];
  /** Values by key. */
  readonly store = new Map<string, Uint8Array[]>();
  /** What a node was started with. */
  started: NodeOptions | undefined;
  /** Whether the started node was stopped. */
  stopped = false;
  /** Ends the started node as its root supervisor would. */
  giveUp: (reason: string) => void = () => {};
  /** Connections not closed. */
  open = 0;
  readonly #options: WorldOptions;
  readonly #stops = new Set<() => void>();

  constructor(options: WorldOptions = {}) {
    this.#options = options;
    this.interactive = options.interactive ?? false;
  }

  out(text: string): void {
    this.stdout += text;
  }
  outBytes(bytes: Uint8Array): void {
    this.bytes = bytes;
  }
  err(text: string): void {
    this.stderr += text;
  }
  readInput(): Promise<Uint8Array> {
    return Promise.resolve(this.#options.input ?? new Uint8Array());
  }
  readFile(path: string): string {
    const file = this.#options.files?.[path];
    if (file === undefined) throw new Error("no such file");
    return file;
  }
  variables(): Readonly<Record<string, string>> {
    return this.#options.variables ?? {};
  }
  onStop(task: () => void): () => void {
    this.#stops.add(task);
    return () => this.#stops.delete(task);
  }
  exit(code: number): never {
    throw new Exited(code);
  }
  /** As Ctrl-C does. */
  signal(): void {
    for (const task of this.#stops) task();
  }

  startNode(options: NodeOptions): Promise<RunningNode> {
    this.started = options;
    return Promise.resolve({
      endpoint: { host: options.host!, port: options.port! },
      terminated: new Promise((resolve) => this.giveUp = (reason) => resolve({ reason })),
      stop: () => Promise.resolve(void (this.stopped = true)),
    });
  }

  environment(): Environment {
    return this.#options.environment ?? realEnvironment({ node: "denamo" });
  }

  connect(addresses: string | string[]): Promise<Door> {
    this.addresses.push(...[addresses].flat());
    if (this.#options.unreachable) return Promise.reject(this.#options.unreachable);
    this.open++;
    return Promise.resolve(this.#door());
  }

  #door(): Door {
    const text = (key: Bytes) => typeof key === "string" ? key : new TextDecoder().decode(key);
    const bytes = (value: Bytes) => typeof value === "string" ? new TextEncoder().encode(value) : value;
    return {
      get: (key, options = {}) => {
        this.asked.push(["get", text(key), options]);
        const values = (this.store.get(text(key)) ?? []).map((value) => ({ value, crc32c: crc32c(value) }));
        return Promise.resolve(new GetResult({ ok: true, values, context: Uint8Array.of(7, 9) }));
      },
      put: (key, value, options = {}) => {
        this.asked.push(["put", text(key), options]);
        const seen = options.context ? [] : this.store.get(text(key)) ?? [];
        this.store.set(text(key), [...seen, bytes(value)]);
        return Promise.resolve();
      },
      del: (key, options = {}) => {
        this.asked.push(["del", text(key), options]);
        return Promise.resolve(void this.store.delete(text(key)));
      },
      ping: () => Promise.resolve(),
      admin: (kind, body) => {
        this.asked.push([kind, body]);
        return Promise.resolve(this.#options.admin?.[kind] as never);
      },
      close: () => Promise.resolve(void this.open--),
    };
  }
}
