/**
 * A tap on the wire: what machines said to each other, in the words of the protocol.
 *
 * Units are what one `write` call gave, so a message may come in many of them and many messages in one. Reading
 * them as the receiver does would end with the first that is lost, though mostly that unit was a whole message
 * and the receiver reads on. So they are read as the sender wrote them, lost ones included: then what was lost
 * has a name too. The reader and the layouts are those of the nodes; a stream that they cannot read is shown as
 * so many bytes from there on.
 *
 * @module
 */

import { decodeUtf8 } from "../../actors/runtime/bytes.ts";
import { crc32c } from "../../actors/runtime/crc32c.ts";
import { LIMITS } from "../../actors/runtime/limits.ts";
import type { SeenMessage } from "../../actors/simulated/links.ts";
import { type Frame, HEADER_BYTES, PREFIX_BYTES, TRACE_BYTES, WireError } from "../../net/frame.ts";
import { FrameReader } from "../../net/frame_reader.ts";
import { ADMIN, ADMIN_REPLY, CONTROL, CONTROL_REPLY } from "../../net/messages/control.ts";
import { HELLO, PING, PONG, REFUSED, WELCOME } from "../../net/messages/handshake.ts";
import { type Message, readMessage } from "../../net/messages/message.ts";
import { KEEP, READ, READ_ANSWER, READ_HINT, WRITE, WRITE_ANSWER } from "../../net/messages/replicas.ts";
import { DONE, FAILED, GET, GOT, PUT } from "../../net/messages/requests.ts";

/** What became of it on its way. */
export type Fate =
  /** It arrived, in order. */
  | "arrived"
  /** It is still on its way, or what it was sent to is gone for good. */
  | "under way"
  /** It never arrives. */
  | "lost"
  /** It arrived out of turn. */
  | "stray"
  /** It is a duplicate. */
  | "again";

/** One message, or a step of the connection under it. Times are true simulated milliseconds. */
export interface Spoken {
  /** Its name in `PROTOCOL.md`, or a step: `connect`, `accept`, `refuse`, `end`, `reset`; `bytes` when unknown. */
  readonly message: string;
  /** What it says, for people. */
  readonly text: string;
  /** The key it is about; an answer is about the key of its question. */
  readonly key: string | null;
  /** The connection's number. */
  readonly connection: number;
  /** The machine it is from. */
  readonly from: string;
  /** The machine it is for. */
  readonly to: string;
  /** Its bytes on the wire. */
  readonly sizeBytes: number;
  /** When it was sent. */
  readonly sentMs: number;
  /** When the last of it arrived; null when it has not. */
  readonly arrivedMs: number | null;
  /** What became of it. */
  readonly fate: Fate;
  /** Whether a partition held it. */
  readonly held: boolean;
}

/** What a message says. */
interface Said {
  readonly text?: string;
  readonly key?: string;
  /** The questions among which a question is remembered, or an answer's is looked up, by the frame's number. */
  readonly asks?: string;
  readonly answers?: string;
}

/** A message's name, and how its frame is read. */
interface Reading {
  readonly name: string;
  readonly read: (frame: Frame) => Said;
}

/** Longest piece of a value that is shown. */
const SHOWN = 24;

function shown(value: Uint8Array): string {
  const text = decodeUtf8(value.subarray(0, SHOWN));
  return value.length <= SHOWN ? text : `${text}… (${value.length} bytes)`;
}

function reading<T>(message: Message<T>, say: (body: T, number: number) => Said): [number, Reading] {
  const read = (frame: Frame) => say(readMessage(message, frame), frame.number);
  return [message.number, { name: message.name, read }];
}

/** How every message there is is read, by its number. */
export const READINGS: ReadonlyMap<number, Reading> = new Map([
  reading(HELLO, (hello) => ({ text: hello.magic && hello.facts ? "as a peer" : "as a client" })),
  reading(WELCOME, () => ({})),
  reading(REFUSED, ({ code }) => ({ text: code })),
  reading(PING, () => ({})),
  reading(PONG, () => ({})),
  reading(GET, ({ key, r }) => ({ key: decodeUtf8(key), text: r ? `R ${r}` : "", asks: "request" })),
  reading(PUT, ({ key, value, w, forwarded }) => ({
    key: decodeUtf8(key),
    text: [value ? `= ${shown(value)}` : "(delete)", w ? `W ${w}` : "", forwarded ? "forwarded" : ""]
      .filter((part) => part !== "").join(", "),
    asks: "request",
  })),
  reading(GOT, ({ values }) => ({
    text: `[${values.map(({ value }) => shown(value)).join(", ")}]`,
    answers: "request",
  })),
  reading(DONE, () => ({ answers: "request" })),
  reading(FAILED, ({ code, definite, answered, needed }) => ({
    text: `${code}${answered === undefined ? "" : ` (${answered} of ${needed})`}${
      definite ? "" : ", in doubt"
    }`,
    answers: "request",
  })),
  reading(READ, ({ key }) => ({ key: decodeUtf8(key), asks: "read" })),
  reading(READ_ANSWER, (answer) => ({
    text: answer.ok ? (answer.object ? "found" : "missing") : answer.code,
    answers: "read",
  })),
  reading(WRITE, ({ key }, ticket) => ({
    key: decodeUtf8(key),
    ...(ticket === 0 ? { text: "(repair)" } : { asks: "write" }),
  })),
  reading(WRITE_ANSWER, (answer) => ({ text: answer.ok ? "ok" : answer.code, answers: "write" })),
  reading(
    KEEP,
    ({ key, target }) => ({ key: decodeUtf8(key), text: `for ${target.slice(0, 8)}`, asks: "write" }),
  ),
  reading(READ_HINT, ({ key }) => ({ key: decodeUtf8(key), asks: "read" })),
  reading(
    CONTROL,
    ({ to, kind }, number) => ({ text: `${to}.${kind}`, ...(number > 0 && { asks: "control" }) }),
  ),
  reading(CONTROL_REPLY, ({ failure }) => ({ text: failure ?? "", answers: "control" })),
  reading(ADMIN, ({ kind }) => ({ text: kind, asks: "admin" })),
  reading(ADMIN_REPLY, (reply) => ({ text: reply.ok ? "" : reply.code, answers: "admin" })),
]);

/** A message as its frame came: not yet known is what the units that carried it went through. */
type Named = Pick<Spoken, "message" | "text" | "key" | "sizeBytes">;

/** What has been asked, so that an answer can be told from another. */
class Questions {
  readonly #asked = new Map<string, Said>();

  /** A said thing with the key, and if it has no key with the words, of its question. */
  complete(said: Said, number: number, from: string, to: string): Said {
    const { asks, answers } = said;
    if (asks !== undefined) this.#asked.set(`${asks} ${from} ${to} ${number}`, said);
    const question = answers === undefined
      ? undefined
      : this.#asked.get(`${answers} ${to} ${from} ${number}`);
    if (question?.key !== undefined) return { ...said, key: question.key };
    return question?.text === undefined ? said : { text: `${question.text} ${said.text}`.trim() };
  }
}

/** One direction of one connection. */
class Stream {
  readonly #reader = new FrameReader(LIMITS.frameBytes, crc32c, LIMITS.messageBytes);
  readonly #name: (frame: Frame) => Named;
  /** Units with a part of a message that is not whole yet. */
  #pending: SeenMessage[] = [];
  #broken = false;

  constructor(name: (frame: Frame) => Named) {
    this.#name = name;
  }

  /** The messages that end in this unit. */
  read(unit: SeenMessage): Spoken[] {
    if (this.#broken) return [spokenOf(bytesOf([unit]), [unit])];
    const spoken: Spoken[] = [];
    this.#pending.push(unit);
    try {
      for (let at = 0; at < unit.bytes.length;) {
        const space = this.#reader.space();
        const piece = unit.bytes.subarray(at, at + space.length);
        space.set(piece);
        this.#reader.fed(piece.length);
        at += piece.length;
        for (let frame = this.#reader.next(); frame !== null; frame = this.#reader.next()) {
          spoken.push(spokenOf(this.#name(frame), this.#pending));
          this.#pending = [unit];
        }
      }
      if (this.#reader.waitingBytes === 0) this.#pending = [];
    } catch (error) {
      if (!(error instanceof WireError)) throw error;
      this.#broken = true;
      spoken.push(...this.rest());
    }
    return spoken;
  }

  /** What never became a message. */
  rest(): Spoken[] {
    const pending = this.#pending.splice(0);
    return pending.length === 0 ? [] : [spokenOf(bytesOf(pending), pending)];
  }
}

function bytesOf(units: readonly SeenMessage[]): Named {
  const sizeBytes = units.reduce((sum, { bytes }) => sum + bytes.length, 0);
  return { message: "bytes", text: "", key: null, sizeBytes };
}

/** A message and the units that carried it. */
function spokenOf(named: Named, units: readonly SeenMessage[]): Spoken {
  const [{ connection, from, to, sentMs }] = units as [SeenMessage];
  const arrivedMs = Math.max(...units.map((unit) => unit.arrivedMs));
  const has = (what: SeenMessage["what"]) => units.some((unit) => unit.what === what);
  const fate = has("lost")
    ? "lost"
    : arrivedMs === Infinity
    ? "under way"
    : has("stray")
    ? "stray"
    : has("again")
    ? "again"
    : "arrived";
  return {
    ...named,
    ...{ connection, from, to, sentMs },
    arrivedMs: arrivedMs === Infinity ? null : arrivedMs,
    fate,
    held: units.some(({ held }) => held),
  };
}

/** What the steps of a connection are called: a `welcome` is also a message. */
const STEPS: Readonly<Record<string, string>> = { welcome: "accept" };

/** Everything that was said, ordered by when it was sent. `readings`: for tests. */
export function spokenIn(
  seen: readonly SeenMessage[],
  readings: ReadonlyMap<number, Reading> = READINGS,
): Spoken[] {
  const questions = new Questions();
  const streams = new Map<string, Stream>();
  const streamOf = ({ connection, from, to }: SeenMessage): Stream => {
    const name = (frame: Frame): Named => {
      const sizeBytes = PREFIX_BYTES + HEADER_BYTES + (frame.trace ? TRACE_BYTES : 0) + frame.left;
      const found = readings.get(frame.message);
      if (!found) throw new WireError("unexpected-message", `number ${frame.message}`);
      const { number } = frame;
      const { text = "", key = null } = questions.complete(found.read(frame), number, from, to);
      return { message: found.name, text, key, sizeBytes };
    };
    const id = `${connection} ${from} ${to}`;
    const stream = streams.get(id) ?? new Stream(name);
    streams.set(id, stream);
    return stream;
  };
  let last: readonly Spoken[] = [];
  const spoken = seen.flatMap((unit): readonly Spoken[] => {
    if (unit.bytes.length === 0) {
      const message = STEPS[unit.what] ?? unit.what;
      return [spokenOf({ message, text: `#${unit.connection}`, key: null, sizeBytes: 0 }, [unit])];
    }
    // A duplicate comes right after its unit, and says the same.
    if (unit.what !== "again") return last = streamOf(unit).read(unit);
    return (last.length > 0 ? last : [bytesOf([unit])]).map((named) => spokenOf({ ...named }, [unit]));
  });
  spoken.push(...[...streams.values()].flatMap((stream) => stream.rest()));
  return spoken.sort((a, b) => a.sentMs - b.sentMs);
}
