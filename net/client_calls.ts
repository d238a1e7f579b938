/**
 * The engine of the client: calls under way over one connection at a time.
 *
 * A call keeps its number through every connection it is sent on. When a connection breaks, the next address
 * is tried and what was under way is sent again: a read harmlessly, a write under its request id, of which the
 * store keeps one version at most. A node that says it is stopping is left for the next, but what it has taken
 * is waited for. Any other failure is one call's own. One timer looks after all deadlines.
 *
 * @module
 */

import type { Clock, Connection, Environment, Random, Timer } from "../actors/runtime/environment.ts";
import { NetworkError } from "../actors/runtime/environment.ts";
import { LIMITS } from "../actors/runtime/limits.ts";
import { Mailbox } from "../actors/runtime/mailbox.ts";
import { parseAddress } from "./address.ts";
import { Channel, reasonOf } from "./channel.ts";
import { type ClientFailure, definitely } from "./client_errors.ts";
import { remaining } from "./control_codec.ts";
import type { Frame } from "./frame.ts";
import { greet, HandshakeRefused } from "./greet.ts";
import { PING } from "./messages/handshake.ts";
import type { Header } from "./messages/message.ts";
import { Window } from "./window.ts";

/** Deadlines are looked at this often while calls are under way. */
const SWEEP_MS = 50;
/** A node that owes answers and is silent this long is asked whether it lives, */
const DOUBT_MS = 1_000;
/** and this long is given up for the next. */
const GIVE_UP_MS = 3_000;
/** The node answers `timeout` itself; a little later the client does. */
const GRACE_MS = 250;
/** When it does with more time left than this, it was mistaken; so long after it is asked once more. */
const AGAIN_MS = 50;
const RETRY_MIN_MS = 20;
const RETRY_MAX_MS = 500;

/** Something asked of a node. */
export interface Call<T extends { readonly ok: true }> {
  /** When to give up, on the client's clock. */
  readonly deadline: number;
  /** Whether it may be sent again when its answer is in doubt. */
  readonly repeatable: boolean;
  /** Whether an unknown outcome may have changed something. */
  readonly isWrite: boolean;
  /** Write the request; false when it is too large. */
  send(channel: Channel, header: Header): boolean;
  /** Read the answer. */
  read(frame: Frame): T | ClientFailure;
  /** Called exactly once. */
  done(outcome: T | ClientFailure): void;
}

interface Pending {
  /** The number its caller knows it by; that on the wire may be a later one. */
  readonly handle: number;
  readonly call: Call<{ readonly ok: true }>;
  sent: boolean;
  /** Where its answer will come. */
  on: Channel | null;
  /** A node that was sent it never answered: whatever the next ones say, it may have happened. */
  inDoubt: boolean;
  refusals: number;
}

/** The decisions the client leaves to pure functions; a test plants a bug by substituting one. */
export const CLIENT_CORE = { isOverdue, isDefinite, window: (): Window => new Window() };

/** See {@link CLIENT_CORE}. */
export type ClientCore = typeof CLIENT_CORE;

/** Whether to give a call up that was sent, or was not. */
function isOverdue(deadline: number, sent: boolean, now: number): boolean {
  return now >= deadline + (sent ? GRACE_MS : 0);
}

/** Whether a call that is given up has certainly changed nothing. */
function isDefinite(
  { inDoubt, sent, isWrite }: Pick<Pending, "inDoubt" | "sent"> & { isWrite: boolean },
): boolean {
  return !inDoubt && (!sent || !isWrite);
}

/** What the client uses of an environment. */
export type ClientEnvironment = Pick<Environment, "clock" | "network" | "random">;

/** Calls under way. */
export class Calls {
  readonly #addresses: readonly string[];
  readonly #core: ClientCore;
  readonly #environment: ClientEnvironment;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #pending = new Map<number, Pending>();
  #last = 0;
  #address = 0;
  /** Of the first node that was reached: what another cluster holds is not what was asked for. */
  #clusterId: string | null = null;
  #channel: Channel | null = null;
  /** How many calls wait for answers on it, and how many may. */
  #onChannel = 0;
  #window: Window;
  /** Calls that may wait to be sent, in order; those that are over or were sent are skipped. */
  #waiting = new Mailbox<number>(Infinity);
  /** Connections to nodes that are stopping: nothing more is sent on them, some answers are still to come. */
  readonly #leaving = new Set<Channel>();
  #connecting = false;
  #sweeper: Timer | null = null;
  #closed = false;
  /** Since when some call is under way. */
  #busySince = 0;
  #pingedAt = 0;

  /**
   * @param addresses `host:port`s, tried in turn @param environment time, chance and sockets
   * @param core see {@link CLIENT_CORE}
   */
  constructor(addresses: readonly string[], environment: ClientEnvironment, core: ClientCore = CLIENT_CORE) {
    this.#addresses = addresses;
    this.#core = core;
    this.#environment = environment;
    this.#clock = environment.clock;
    this.#random = environment.random;
    this.#window = core.window();
  }

  /** The address in use. */
  get address(): string {
    return this.#addresses[this.#address]!;
  }

  /** Connect to the first address that takes us; rejects with what the last one said. */
  async connect(): Promise<void> {
    for (let tried = 1;; tried++) {
      try {
        this.#adopt(await this.#dial());
        return;
      } catch (error) {
        reasonOf(error); // a bug is no reason to try another address
        this.#nextAddress();
        if (tried >= this.#addresses.length) throw error;
      }
    }
  }

  /** Send a call now, or as soon as there is a connection. */
  submit<T extends { readonly ok: true }>(call: Call<T>): number {
    const number = ++this.#last;
    if (this.#closed) call.done(definitely("closed", "the client is closed"));
    else if (this.#pending.size >= LIMITS.requestsInFlight) {
      call.done(definitely("overloaded", `this client has ${LIMITS.requestsInFlight} calls under way`));
    } else {
      if (this.#pending.size === 0) this.#busySince = this.#clock.now();
      const pending = {
        handle: number,
        call: call as unknown as Pending["call"],
        sent: false,
        on: null,
        inDoubt: false,
        refusals: 0,
      };
      this.#pending.set(number, pending);
      this.#sweeper ??= this.#clock.after(SWEEP_MS, () => this.#sweep());
      this.#waiting.force(number);
      this.#sendWaiting();
    }
    return number;
  }

  /** Give a call up. Nothing happens when it is over. */
  abort(number: number): void {
    for (const [current, { handle }] of this.#pending) {
      if (handle === number) return this.#fail(current, "aborted", "the caller gave up");
    }
  }

  /** End everything. */
  close(): void {
    this.#closed = true;
    this.#sweeper?.cancel();
    for (const channel of this.#channels()) channel.close("the client is closed");
    for (const number of [...this.#pending.keys()]) this.#fail(number, "closed", "the client was closed");
  }

  #send(channel: Channel, number: number, pending: Pending): void {
    const { call } = pending;
    pending.inDoubt ||= pending.sent && call.isWrite;
    if (call.send(channel, { number, remainingMs: remaining(call.deadline, this.#clock.now()) })) {
      pending.sent = true;
      pending.on = channel;
      if (channel === this.#channel) this.#onChannel++;
    } else if (channel.closed === null) {
      this.#finish(number, definitely("too-large", `over the limit of ${LIMITS.frameBytes} bytes a message`));
    }
  }

  #onFrame(channel: Channel, frame: Frame): void {
    const { number } = frame;
    const pending = this.#pending.get(number);
    if (channel === this.#channel) this.#window.onAnswer();
    if (pending?.on !== channel) return; // given up before, or an answer that comes twice
    const outcome = pending.call.read(frame);
    if (outcome.ok) this.#finish(number, outcome);
    else if (
      !this.#tryElsewhere(channel, pending, outcome) && !this.#tryAgain(channel, number, pending, outcome)
    ) this.#finish(number, { ...outcome, definite: outcome.definite && !pending.inDoubt });
  }

  /** A node that is stopping has done nothing: this call goes to the next, and so do those that come. */
  #tryElsewhere(channel: Channel, pending: Pending, { code }: ClientFailure): boolean {
    if (code !== "stopping" || !pending.call.repeatable) return false;
    if (++pending.refusals >= this.#addresses.length) return false;
    pending.sent = false;
    this.#release(pending);
    if (channel === this.#channel) {
      this.#leaving.add(channel);
      this.#channel = null;
      this.#nextAddress();
    }
    this.#sendAgain();
    return true;
  }

  /** A node takes a request for late that is not, for it had been stopped, or its clock runs fast. */
  #tryAgain(channel: Channel, number: number, pending: Pending, { code, definite }: ClientFailure): boolean {
    const { call: { repeatable, deadline }, refusals } = pending;
    if (code !== "timeout" || !definite || !repeatable || refusals > 0) return false;
    if (deadline - this.#clock.now() <= AGAIN_MS) return false;
    pending.refusals++;
    this.#clock.after(AGAIN_MS, () => {
      if (this.#pending.get(number) !== pending || pending.on !== channel) return;
      pending.sent = false; // it was not done
      this.#release(pending);
      // Under another number: should the answer come twice, it is not the answer to this.
      this.#pending.delete(number);
      const next = ++this.#last;
      this.#pending.set(next, pending);
      this.#send(channel, next, pending);
    });
    return true;
  }

  #channels(): Channel[] {
    return this.#channel ? [this.#channel, ...this.#leaving] : [...this.#leaving];
  }

  /** What was on a connection is to be sent again, before what was never sent. */
  #sendAgain(): void {
    this.#waiting = new Mailbox(Infinity);
    for (const [number, { on }] of this.#pending) if (on === null) this.#waiting.force(number);
    this.#sendWaiting();
  }

  /** Send what is on no connection, as far as there is room; now, or as soon as there is one. */
  #sendWaiting(): void {
    if (this.#channel === null) {
      if (this.#pending.size > 0) this.#reconnect();
      return;
    }
    while (this.#onChannel < this.#window.size) {
      const number = this.#waiting.take();
      if (number === undefined) return;
      const pending = this.#pending.get(number);
      if (pending?.on === null) this.#send(this.#channel, number, pending);
    }
  }

  /** A call is on its connection no more. */
  #release(pending: Pending): void {
    if (pending.on === this.#channel && pending.on !== null) this.#onChannel--;
    pending.on = null;
  }

  #finish(number: number, outcome: { readonly ok: true } | ClientFailure): void {
    const pending = this.#pending.get(number);
    if (!pending) return;
    this.#pending.delete(number);
    const wasSent = pending.on !== null;
    this.#release(pending);
    if (wasSent && this.#waiting.length > 0) this.#sendWaiting();
    pending.call.done(outcome);
  }

  #fail(number: number, code: ClientFailure["code"], message: string): void {
    const pending = this.#pending.get(number);
    if (!pending) return;
    const definite = this.#core.isDefinite({ ...pending, isWrite: pending.call.isWrite });
    this.#finish(number, { ok: false, code, message, definite });
  }

  #sweep(): void {
    this.#sweeper = null;
    const now = this.#clock.now();
    for (const [number, { call, sent }] of this.#pending) {
      if (!this.#core.isOverdue(call.deadline, sent, now)) continue;
      if (sent) this.#fail(number, "timeout", `no answer from ${this.address}`);
      else if (this.#channel === null) this.#fail(number, "connect", "no node could be reached");
      else this.#fail(number, "overloaded", `${this.#onChannel} calls before it were not answered in time`);
    }
    const awaited = new Set([...this.#pending.values()].map(({ on }) => on));
    for (const channel of this.#leaving) if (!awaited.has(channel)) channel.close("nothing more is to come");
    if (this.#pending.size === 0) return;
    this.#checkSilence(now);
    this.#sweeper = this.#clock.after(SWEEP_MS, () => this.#sweep());
  }

  #checkSilence(now: number): void {
    let doubtful = false;
    for (const channel of this.#channels()) {
      const silentMs = now - Math.max(channel.aliveAt, this.#busySince);
      if (silentMs >= GIVE_UP_MS) channel.close(`silent for ${Math.round(silentMs)} ms`);
      else if (silentMs >= DOUBT_MS) doubtful = true;
    }
    if (!doubtful || now - this.#pingedAt < DOUBT_MS) return;
    this.#pingedAt = now;
    for (const channel of this.#channels()) channel.send(PING, { number: 0 }, null);
  }

  async #dial(): Promise<Channel> {
    const address = this.address;
    const endpoint = parseAddress(address);
    if (!endpoint) throw new NetworkError("failed", `${address} is not host:port`);
    const connection: Connection = await this.#environment.network.connect(endpoint, LIMITS.dialMs);
    const channel = new Channel(connection, this.#clock);
    try {
      const { clusterId } = await greet(channel, null);
      this.#clusterId ??= clusterId;
      if (clusterId !== this.#clusterId) {
        throw new HandshakeRefused(
          "cluster-id",
          `${address} belongs to another cluster than the nodes before`,
        );
      }
      return channel;
    } catch (error) {
      channel.close("handshake failed");
      throw error;
    }
  }

  #adopt(channel: Channel): void {
    if (this.#closed) return void channel.close("the client is closed");
    this.#channel = channel;
    this.#onChannel = 0;
    this.#window = this.#core.window();
    void channel.run((frame) => this.#onFrame(channel, frame)).then(() => this.#onLost(channel));
    this.#sendAgain();
  }

  #onLost(channel: Channel): void {
    for (const [number, pending] of this.#pending) {
      if (pending.on !== channel) continue;
      this.#release(pending);
      if (!pending.call.repeatable) this.#fail(number, "lost", `the connection to ${channel.remote} broke`);
    }
    if (!this.#leaving.delete(channel)) {
      this.#channel = null;
      this.#nextAddress();
    }
    this.#sendAgain();
  }

  #nextAddress(): void {
    this.#address = (this.#address + 1) % this.#addresses.length;
  }

  /** Keep trying for as long as anyone waits. */
  #reconnect(): void {
    if (this.#connecting) return;
    this.#connecting = true;
    void this.#tryAll().finally(() => this.#connecting = false);
  }

  async #tryAll(): Promise<void> {
    for (let round = 0; this.#pending.size > 0 && !this.#closed; round++) {
      try {
        return await this.connect();
      } catch (error) {
        reasonOf(error);
        const longest = Math.min(RETRY_MAX_MS, RETRY_MIN_MS * 2 ** Math.min(round, 16));
        await new Promise<void>((resolve) => {
          this.#clock.after(longest * (0.5 + this.#random.next() / 2), resolve);
        });
      }
    }
  }
}
