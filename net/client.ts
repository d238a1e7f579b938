/**
 * The client: one pipelined connection to a denamo cluster, with failover to the next address.
 *
 * @module
 */

import type { GetSuccess, PutSuccess } from "../actors/coordinator/protocol.ts";
import type { OperatorProtocol } from "../actors/operator/protocol.ts";
import { decodeUtf8, encodeUtf8 } from "../actors/runtime/bytes.ts";
import { crc32c } from "../actors/runtime/crc32c.ts";
import { LIMITS } from "../actors/runtime/limits.ts";
import type { AskKind, Body, Reply } from "../actors/runtime/protocol.ts";
import { RealClock } from "../actors/runtime/real/clock.ts";
import { RealNetwork } from "../actors/runtime/real/network.ts";
import { RealRandom } from "../actors/runtime/real/random.ts";
import { type Call, Calls, CLIENT_CORE, type ClientCore, type ClientEnvironment } from "./client_calls.ts";
import { type ClientErrorCode, type ClientFailure, definitely, DenamoError } from "./client_errors.ts";
import type { Frame } from "./frame.ts";
import { type Fault, judgeCount, judgeKey, judgeTtl, judgeValue } from "./judge.ts";
import { ADMIN, ADMIN_REPLY } from "./messages/control.ts";
import { PING, PONG } from "./messages/handshake.ts";
import { readMessage } from "./messages/message.ts";
import { DONE, FAILED, GET, GOT, PUT } from "./messages/requests.ts";

export { type ClientEnvironment, type ClientErrorCode, type ClientFailure, DenamoError };

/** What every call takes. */
export interface CallOptions {
  /** Milliseconds until it is given up. Default 5,000, at most 60,000. */
  readonly timeoutMs?: number;
  /** Gives it up at once, with code `aborted`; a write may then have happened. */
  readonly signal?: AbortSignal;
}

/** Options of {@link Client.get}. */
export interface GetOptions extends CallOptions {
  /** Replicas that must answer. Default: the cluster's R. */
  readonly r?: number;
  /**
   * Whether hints may count in the place of replicas that are away, where the others could not make R: true, or false
   * for a strict read. Default: as the cluster does it.
   */
  readonly sloppy?: boolean;
}

/** Options of {@link Client.put} and {@link Client.del}. */
export interface PutOptions extends CallOptions {
  /** What was read: the write replaces that and nothing else. Without it the write is concurrent with all. */
  readonly context?: Uint8Array | null;
  /** Replicas that must have it on stable storage. Default: the cluster's W. */
  readonly w?: number;
  /**
   * The value expires after so many milliseconds, 1 to a hundred years: no read shows it any more, and it is deleted.
   * Default: never. Of a delete it means nothing.
   */
  readonly ttlMs?: number;
  /**
   * Whether nodes that stand in for replicas that are away may count, where the others could not make W: true, or false
   * for a strict write. Default: as the cluster does it.
   */
  readonly sloppy?: boolean;
}

/** Options of {@link Client.update}. */
export interface UpdateOptions extends GetOptions {
  /** See {@link PutOptions.w}. */
  readonly w?: number;
}

/** Options of {@link Client.connect}. */
export interface ConnectOptions {
  /** Time, chance and sockets. Default: the real ones. */
  readonly environment?: ClientEnvironment;
  /** Pure decisions to substitute: how a test plants a bug. */
  readonly core?: Partial<ClientCore>;
}

/** What a key holds. */
export class GetResult {
  /** The values: none when the key is not there, several when writes were concurrent. */
  readonly values: readonly Uint8Array[];
  /** The CRC-32C of each value. */
  readonly checksums: readonly number[];
  /** Send it with the next write of this key. */
  readonly context: Uint8Array;

  /** From what a node answered. */
  constructor({ values, context }: GetSuccess) {
    this.values = values.map(({ value }) => value);
    this.checksums = values.map(({ crc32c }) => crc32c);
    this.context = context;
  }

  /** The values as text. */
  texts(): string[] {
    return this.values.map(decodeUtf8);
  }
}

/** Bytes, or text to be sent as UTF-8. */
export type Bytes = Uint8Array | string;

/** Failures after which an update reads again and tries anew. */
const WORTH_ANOTHER_TRY: ReadonlySet<string> = new Set<ClientFailure["code"]>([
  "quorum-unmet",
  "timeout",
  "overloaded",
  "ring-changing",
  "unavailable",
  "stopping",
]);
/** Failures of a question after which it certainly was not handled. */
const NOT_DONE: ReadonlySet<string> = new Set<ClientFailure["code"]>(["bad-request", "dead", "overloaded"]);
const RETRY_MIN_MS = 10;
const RETRY_MAX_MS = 500;

/**
 * A client of a cluster. Every method may be called again before earlier calls are over: requests share the
 * connection and are answered as they are done.
 *
 * Failed calls reject with a {@link DenamoError}; its `definite` says whether a write certainly did not happen.
 *
 * @example
 * ```ts
 * import { Client, Cluster } from "../mod.ts";
 * import { assertEquals } from "@std/assert";
 *
 * await using cluster = await Cluster.inProcess({ nodes: 3 });
 * await using client = await Client.connect(cluster.addresses); // ["127.0.0.1:3001", …]
 * await client.put("foo", "bar");
 * const { context } = await client.get("foo");
 * await client.put("foo", "baz", { context });
 * assertEquals((await client.get("foo")).texts(), ["baz"]);
 * ```
 */
export class Client implements AsyncDisposable {
  readonly #calls: Calls;
  readonly #environment: ClientEnvironment;
  readonly #requestPrefix: string;
  #requests = 0;

  private constructor(calls: Calls, environment: ClientEnvironment) {
    this.#calls = calls;
    this.#environment = environment;
    this.#requestPrefix = environment.random.bytes(10).toHex();
  }

  /**
   * Connect to the first of `addresses` (`host:port`) that answers; the others are for when it fails.
   *
   * @throws {DenamoError} with code `connect` when none does.
   */
  static async connect(addresses: string | readonly string[], options: ConnectOptions = {}): Promise<Client> {
    const all = typeof addresses === "string" ? [addresses] : addresses;
    if (all.length === 0) throw new TypeError("a client needs an address");
    const environment = options.environment ??
      { clock: new RealClock(), network: new RealNetwork(), random: new RealRandom() };
    const calls = new Calls(all, environment, { ...CLIENT_CORE, ...options.core });
    try {
      await calls.connect();
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      const failure = { ok: false, code: "connect", message, definite: true } as const;
      throw new DenamoError(failure);
    }
    return new Client(calls, environment);
  }

  /** The `host:port` of the node in use. */
  get address(): string {
    return this.#calls.address;
  }

  /** Read a key. */
  async get(key: Bytes, options: GetOptions = {}): Promise<GetResult> {
    return new GetResult(
      await this.#promise(options, (done) => this.submitGet(toBytes(key), options, done)),
    );
  }

  /** Write a key. Resolves when W replicas have it. */
  async put(key: Bytes, value: Bytes, options: PutOptions = {}): Promise<void> {
    await this.#promise(options, (done) => this.submitPut(toBytes(key), toBytes(value), options, done));
  }

  /** Delete a key. What others wrote concurrently stays. */
  async del(key: Bytes, options: PutOptions = {}): Promise<void> {
    await this.#promise(options, (done) => this.submitPut(toBytes(key), null, options, done));
  }

  /**
   * Read a key, let `resolve` make one value of the values there are (none: the key is not there), and write
   * it in their place; again, from the reading on, while the outcome is a failure that may pass. `resolve` may
   * run several times. It returns null to delete, undefined to leave everything as it is.
   *
   * @example
   * ```ts
   * import { Client, Cluster } from "../mod.ts";
   * import { assertEquals } from "@std/assert";
   *
   * await using cluster = await Cluster.inProcess({ nodes: 3 });
   * await using client = await Client.connect(cluster.addresses);
   * await client.put("count", "1");
   * await client.put("count", "5"); // concurrent with the first
   * const read = (value: Uint8Array) => Number(new TextDecoder().decode(value));
   * await client.update("count", (values) => String(Math.max(...values.map(read)) + 1));
   * assertEquals((await client.get("count")).texts(), ["6"]);
   * ```
   */
  async update(
    key: Bytes,
    resolve: (values: readonly Uint8Array[]) => Bytes | null | undefined,
    options: UpdateOptions = {},
  ): Promise<void> {
    const { r, w, sloppy, signal } = options;
    const { clock } = this.#environment;
    const deadline = clock.now() + timeoutOf(options);
    for (let tries = 0;; tries++) {
      const timeoutMs = Math.max(1, deadline - clock.now());
      const call = { timeoutMs, ...(signal ? { signal } : {}), ...(sloppy !== undefined && { sloppy }) };
      try {
        const { values, context } = await this.get(key, { ...call, ...(r === undefined ? {} : { r }) });
        const value = resolve(values);
        if (value === undefined) return;
        const put = { ...call, context, ...(w === undefined ? {} : { w }) };
        return value === null ? await this.del(key, put) : await this.put(key, value, put);
      } catch (error) {
        if (!(error instanceof DenamoError) || !WORTH_ANOTHER_TRY.has(error.code)) throw error;
        const longest = Math.min(RETRY_MAX_MS, RETRY_MIN_MS * 2 ** Math.min(tries, 16));
        const pauseMs = longest * (0.5 + this.#environment.random.next() / 2);
        if (clock.now() + pauseMs >= deadline) throw error;
        await new Promise<void>((resolve) => void clock.after(pauseMs, resolve));
      }
    }
  }

  /** Resolves when the node in use answers. */
  async ping(options: CallOptions = {}): Promise<void> {
    await this.#promise<PutSuccess>(options, (done) =>
      this.#submit(options, {
        repeatable: true,
        isWrite: false,
        send: (channel, header) => channel.send(PING, header, null),
        read: (frame) => {
          readMessage(PONG, frame);
          return { ok: true };
        },
        done,
      }));
  }

  /** Ask the node in use about itself or its cluster, or have it do something. The reply is not checked. */
  async admin<K extends AskKind<OperatorProtocol>>(
    kind: K,
    body: Body<OperatorProtocol, K>,
    options: CallOptions = {},
  ): Promise<Reply<OperatorProtocol, K>> {
    type Answered = { readonly ok: true; readonly reply: unknown };
    const isWrite = WRITES.has(kind);
    const { reply } = await this.#promise<Answered>(options, (done) =>
      this.#submit(options, {
        repeatable: !isWrite,
        isWrite,
        send: (channel, header) => channel.send(ADMIN, header, { kind, body }),
        read: (frame) => {
          const answer = readMessage(ADMIN_REPLY, frame);
          return answer.ok ? answer : { ...answer, definite: !isWrite || NOT_DONE.has(answer.code) };
        },
        done,
      }));
    return reply as Reply<OperatorProtocol, K>;
  }

  /** Hang up. Calls under way reject with code `closed`. */
  close(): Promise<void> {
    this.#calls.close();
    return Promise.resolve();
  }

  /** See {@link Client.close}. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /**
   * {@link Client.get} without a promise, for those who count microseconds: `done` is called exactly once.
   * Gives the call's number, for {@link Client.abort}.
   */
  submitGet(
    key: Uint8Array,
    options: GetOptions,
    done: (outcome: GetSuccess | ClientFailure) => void,
  ): number {
    const fault = judgeKey(key) ?? judgeCount("r", options.r);
    if (fault) return this.#refuse(fault, done);
    const { r = 0, sloppy } = options;
    const body = { key, r, ...(sloppy !== undefined && { sloppy }) };
    return this.#submit(options, {
      repeatable: true,
      isWrite: false,
      send: (channel, header) => channel.send(GET, header, body),
      read: readGot,
      done,
    });
  }

  /** {@link Client.put}, or {@link Client.del} when `value` is null, as {@link Client.submitGet} is `get`. */
  submitPut(
    key: Uint8Array,
    value: Uint8Array | null,
    options: PutOptions,
    done: (outcome: PutSuccess | ClientFailure) => void,
  ): number {
    const fault = judgeKey(key) ?? judgeValue(value) ?? judgeCount("w", options.w) ?? judgeTtl(options.ttlMs);
    if (fault) return this.#refuse(fault, done);
    const body = {
      key,
      value,
      crc32c: value ? crc32c(value) : 0,
      context: options.context && options.context.length > 0 ? options.context : null,
      w: options.w ?? 0,
      ...(options.ttlMs !== undefined && value !== null && { ttlMs: options.ttlMs }),
      ...(options.sloppy !== undefined && { sloppy: options.sloppy }),
      requestId: this.#requestPrefix + (++this.#requests).toString(16).padStart(12, "0"),
      forwarded: false,
    };
    return this.#submit(options, {
      repeatable: true,
      isWrite: true,
      send: (channel, header) => channel.send(PUT, header, body),
      read: readDone,
      done,
    });
  }

  /** Give up a call made with {@link Client.submitGet} or {@link Client.submitPut}. */
  abort(number: number): void {
    this.#calls.abort(number);
  }

  /** Not even sent. */
  #refuse({ code, message }: Fault, done: (outcome: ClientFailure) => void): number {
    done(definitely(code, message));
    return 0;
  }

  #submit<T extends { readonly ok: true }>(options: CallOptions, call: Omit<Call<T>, "deadline">): number {
    const deadline = this.#environment.clock.now() + timeoutOf(options);
    return this.#calls.submit({ ...call, deadline });
  }

  #promise<T extends { readonly ok: true }>(
    { signal }: CallOptions,
    submit: (done: (outcome: T | ClientFailure) => void) => number,
  ): Promise<T> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) {
        return reject(
          new DenamoError({ ok: false, code: "aborted", message: "before it began", definite: true }),
        );
      }
      const onAbort = () => this.#calls.abort(number);
      const number = submit((outcome) => {
        signal?.removeEventListener("abort", onAbort);
        if (outcome.ok) resolve(outcome);
        else reject(new DenamoError(outcome));
      });
      signal?.addEventListener("abort", onAbort);
    });
  }
}

/** What must not be asked of a second node because the first did not answer. */
const WRITES: ReadonlySet<string> = new Set([
  "join",
  "admit",
  "backup",
  "replace",
  "leave",
  "forceRemove",
  "cancel",
]);

function readGot(frame: Frame): GetSuccess | ClientFailure {
  if (frame.message === FAILED.number) return readMessage(FAILED, frame);
  const got = readMessage(GOT, frame);
  for (const { value, crc32c: expected } of got.values) {
    if (crc32c(value) === expected) continue;
    return { ok: false, code: "corrupt", message: "a value does not match its CRC-32C", definite: true };
  }
  return got;
}

function readDone(frame: Frame): PutSuccess | ClientFailure {
  return frame.message === FAILED.number ? readMessage(FAILED, frame) : readMessage(DONE, frame);
}

function timeoutOf({ timeoutMs }: CallOptions): number {
  return Math.min(timeoutMs ?? LIMITS.defaultDeadlineMs, LIMITS.deadlineMs);
}

function toBytes(bytes: Bytes): Uint8Array {
  if (bytes instanceof Uint8Array) return bytes;
  if (typeof bytes !== "string") throw new TypeError(`expected bytes or text, not ${typeof bytes}`);
  if (!bytes.isWellFormed()) throw new TypeError("text with a lone surrogate has no UTF-8");
  return encodeUtf8(bytes);
}
