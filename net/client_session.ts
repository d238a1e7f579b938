/**
 * One client at the door: its requests become messages to the coordinator, and the answers find their way back.
 *
 * @module
 */

import type {
  CoordinatorProtocol,
  Failure,
  FailureCode,
  GetOutcome,
  PutOutcome,
} from "../actors/coordinator/protocol.ts";
import type { OperatorProtocol } from "../actors/operator/protocol.ts";
import { crc32c } from "../actors/runtime/crc32c.ts";
import type { Clock, Log } from "../actors/runtime/environment.ts";
import { LIMITS } from "../actors/runtime/limits.ts";
import { Recent } from "../actors/runtime/recent.ts";
import {
  type Address,
  AskError,
  type AskKind,
  type Ref,
  type TellResult,
} from "../actors/runtime/protocol.ts";
import { shape, ShapeError } from "../actors/runtime/shape.ts";
import type { Channel } from "./channel.ts";
import { deadlineOf, writeOutcome } from "./codec.ts";
import { type Frame, WireError } from "./frame.ts";
import { ADMIN_BODIES } from "./messages/admin.ts";
import { ADMIN, ADMIN_REPLY, type AdminReply } from "./messages/control.ts";
import { PING, PONG } from "./messages/handshake.ts";
import { judgeKey, judgeValue } from "./judge.ts";
import { readMessage } from "./messages/message.ts";
import { GET, PUT } from "./messages/requests.ts";
import type { Ticket, Tickets } from "./tickets.ts";
import { Window } from "./window.ts";

/** What a session needs of the node. */
export interface Desk {
  /** The listener. */
  readonly self: Address;
  /** Who takes requests. */
  readonly coordinator: Ref<CoordinatorProtocol>;
  /** Who takes questions about the node. */
  readonly operator: Ref<OperatorProtocol>;
  /** Which client waits for which answer. */
  readonly tickets: Tickets;
  /** The node's clock. */
  readonly clock: Clock;
  /** The listener's log. */
  readonly log: Log;
  /** Crashes the listener. */
  readonly crash: (error: unknown) => void;
  /** Whether the node is stopping. */
  readonly draining: () => boolean;
}

/** One client's connection, past its handshake. */
export class ClientSession {
  readonly #channel: Channel;
  readonly #desk: Desk;
  #inFlight = 0;
  #inFlightBytes = 0;
  readonly #window = new Window();
  /** The last writes by their numbers, and the time each was given. */
  readonly #puts = new Recent<number, number>(LIMITS.requestsPerConnection);
  /** The largest of the last answers. */
  #answerBytes = 0;
  #wake: (() => void) | null = null;

  /** @param channel open @param desk the node behind it */
  constructor(channel: Channel, desk: Desk) {
    this.#channel = channel;
    this.#desk = desk;
  }

  /** Requests not yet answered. */
  get inFlight(): number {
    return this.#inFlight;
  }

  /** A frame came. */
  onFrame(frame: Frame): void {
    switch (frame.message) {
      case GET.number:
        return this.#onGet(frame);
      case PUT.number:
        return this.#onPut(frame);
      case ADMIN.number:
        return this.#onAdmin(frame);
      case PING.number:
        readMessage(PING, frame);
        return void this.#channel.send(PONG, { number: frame.number }, null);
      default:
        throw new WireError("unexpected-message", `number ${frame.message} from a client`);
    }
  }

  /** A promise while this client has too much under way, or reads too little of what it is sent. */
  pause(): Promise<void> | null {
    return this.#full() ? this.#untilRoom() : null;
  }

  /** The channel is closed: nobody waits any more. */
  onClose(): void {
    this.#wake?.();
  }

  /** The outcome of a request of this client. */
  answer({ number, sizeBytes }: Ticket, outcome: GetOutcome | PutOutcome): void {
    this.#inFlight--;
    this.#inFlightBytes -= sizeBytes;
    this.#window.onAnswer();
    this.#answerBytes = Math.max(bytesOf(outcome), this.#answerBytes * ANSWER_DECAY);
    this.#reply(number, outcome);
    this.#wake?.();
  }

  #full(): boolean {
    return this.#inFlight >= this.#window.size ||
      // Answers to come, if they are like those that came: a few bytes can ask for very many.
      this.#inFlight * this.#answerBytes >= LIMITS.clientOutputBytes ||
      this.#inFlightBytes >= LIMITS.requestBytesPerConnection ||
      this.#channel.queuedBytes >= LIMITS.clientOutputBytes;
  }

  async #untilRoom(): Promise<void> {
    while (this.#full() && this.#channel.closed === null) {
      if (this.#channel.queuedBytes >= LIMITS.clientOutputBytes) await this.#channel.flushed();
      else await new Promise<void>((resolve) => this.#wake = resolve);
    }
    this.#wake = null;
  }

  #onGet(frame: Frame): void {
    const { number, remainingMs, trace } = frame;
    const { key, ...terms } = readMessage(GET, frame);
    const refusal = this.#judge(key);
    if (refusal) return this.#reply(number, refusal);
    const { coordinator, self } = this.#desk;
    const deadline = deadlineOf(remainingMs, this.#channel.arrivedAt);
    const ticket = this.#open(number, deadline, key.length, false);
    const request = { origin: self, ticket, key, ...terms, deadline };
    this.#check(ticket, number, key.length, coordinator.tell("get", trace ? { ...request, trace } : request));
  }

  #onPut(frame: Frame): void {
    const { number, remainingMs, trace } = frame;
    const body = readMessage(PUT, frame);
    const { key, value, context } = body;
    // The very same frame: what the first one came to may have been told already, and has to stay so.
    if (this.#puts.get(number) === remainingMs) return;
    this.#puts.set(number, remainingMs);
    const refusal = this.#judge(key) ?? checkValue(value, body.crc32c);
    if (refusal) return this.#reply(number, refusal);
    const { coordinator, self } = this.#desk;
    const deadline = deadlineOf(remainingMs, this.#channel.arrivedAt);
    const sizeBytes = key.length + (value?.length ?? 0) + (context?.length ?? 0);
    const ticket = this.#open(number, deadline, sizeBytes, true);
    // A client is no coordinator that could send a request on.
    const request = { ...body, origin: self, ticket, forwarded: false, fallback: false, deadline };
    this.#check(ticket, number, sizeBytes, coordinator.tell("put", trace ? { ...request, trace } : request));
  }

  #open(number: number, deadline: number, sizeBytes: number, isWrite: boolean): number {
    this.#inFlight++;
    this.#inFlightBytes += sizeBytes;
    return this.#desk.tickets.open({ waiter: this, number, deadline, sizeBytes, isWrite });
  }

  /** A request that the coordinator did not take certainly does not happen. */
  #check(ticket: number, number: number, sizeBytes: number, result: TellResult): void {
    if (result === "sent") return;
    this.#desk.tickets.cancel(ticket);
    this.#inFlight--;
    this.#inFlightBytes -= sizeBytes;
    this.#reply(
      number,
      result === "overloaded"
        ? refused("overloaded", "the coordinator has its limit of messages")
        : refused("unavailable", "no coordinator runs on this node now"),
    );
  }

  #judge(key: Uint8Array): Failure | null {
    if (this.#desk.draining()) return refused("stopping", "this node is stopping");
    const fault = judgeKey(key);
    return fault && refused(fault.code, fault.message);
  }

  #reply(number: number, outcome: GetOutcome | PutOutcome): void {
    const { writer } = this.#channel;
    if (this.#channel.closed !== null) return;
    const reads = outcome.ok && "values" in outcome;
    if (reads && this.#channel.queuedBytes > LIMITS.clientOutputMaxBytes) {
      outcome = refused("overloaded", "this client does not read its answers");
    }
    if (!writeOutcome(writer, { ticket: number, outcome })) {
      const message = `the values do not fit a message of ${LIMITS.messageBytes} bytes`;
      writeOutcome(writer, { ticket: number, outcome: refused("too-large", message) });
    }
    this.#channel.flush();
  }

  #onAdmin(frame: Frame): void {
    const { number, remainingMs } = frame;
    const { kind, body } = readMessage(ADMIN, frame);
    const timeoutMs = deadlineOf(remainingMs, this.#channel.arrivedAt) - this.#desk.clock.now();
    this.#inFlight++;
    void this.#ask(kind, body, timeoutMs).then((reply) => {
      this.#inFlight--;
      this.#sendAdminReply(number, kind, reply);
      this.#wake?.();
    }).catch(this.#desk.crash);
  }

  async #ask(kind: string, body: unknown, timeoutMs: number): Promise<AdminReply> {
    try {
      if (!isAdminKind(kind)) {
        return { ok: false, code: "bad-request", message: `there is no question ${kind}` };
      }
      const checked = shape(ADMIN_BODIES[kind], body);
      return { ok: true, reply: await this.#desk.operator.ask(kind, checked, { timeoutMs }) };
    } catch (error) {
      if (error instanceof AskError) return { ok: false, code: error.code, message: error.message };
      if (error instanceof ShapeError) return { ok: false, code: "bad-request", message: error.message };
      throw error;
    }
  }

  #sendAdminReply(number: number, kind: string, reply: AdminReply): void {
    const failed = (message: string): AdminReply => ({ ok: false, code: "crashed", message });
    try {
      if (this.#channel.send(ADMIN_REPLY, { number }, reply) || this.#channel.closed !== null) return;
      this.#channel.send(ADMIN_REPLY, { number }, failed("the answer does not fit a message"));
    } catch (error) {
      // A bug in the answer of one question; the other clients of this door need not suffer for it.
      this.#desk.log.error("an answer cannot be encoded", { kind, error });
      this.#channel.send(ADMIN_REPLY, { number }, failed("the answer cannot be encoded"));
    }
  }
}

function isAdminKind(kind: string): kind is AskKind<OperatorProtocol> {
  return Object.hasOwn(ADMIN_BODIES, kind);
}

function checkValue(value: Uint8Array | null, checksum: number): Failure | null {
  const fault = judgeValue(value);
  if (fault) return refused(fault.code, fault.message);
  if ((value ? crc32c(value) : 0) === checksum) return null;
  return refused("bad-request", "the value does not match its CRC-32C");
}

/** A large answer is remembered for some tens of small ones. */
const ANSWER_DECAY = 0.9;

/** The values in an outcome. */
function bytesOf(outcome: GetOutcome | PutOutcome): number {
  if (!outcome.ok || !("values" in outcome)) return 0;
  let sizeBytes = 0;
  for (const { value } of outcome.values) sizeBytes += value.length;
  return sizeBytes;
}

/** A refusal at the door: nothing was done. */
function refused(code: FailureCode, message: string): Failure {
  return { ok: false, code, message, definite: true };
}
