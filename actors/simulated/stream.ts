/**
 * One end of a simulated connection: what the kernel holds for a process, and what the process sees of it.
 *
 * Bytes come out of a stream in pieces that have nothing to do with how they went in, so every read here ends
 * at a random place. What a process has written and its peer has not read is bounded: past the window a write
 * waits, as it does when a real peer stops reading.
 *
 * @module
 */

import { crc32c } from "../runtime/crc32c.ts";
import { type Connection, type Endpoint, NetworkError } from "../runtime/environment.ts";
import type { Events, Process } from "./events.ts";
import type { Detail, Lane, Links, Travelling } from "./links.ts";

/** Bytes written and not yet read at the other end, at most. */
const WINDOW_BYTES = 256 * 1024;

/** Bytes that have arrived and wait to be read. */
export interface Chunk {
  /** What is left of them. */
  bytes: Uint8Array;
  /** How much of the sender's window they take: a duplicate takes none. */
  credit: number;
}

/** A read that waits. */
interface Reader {
  readonly into: Uint8Array;
  readonly resolve: (count: number | null) => void;
  readonly reject: (error: NetworkError) => void;
}

/** A write that waits. */
interface Writer {
  readonly bytes: Uint8Array;
  readonly resolve: (count: number) => void;
  readonly reject: (error: NetworkError) => void;
}

/** What a {@link Stream} is made of. */
export interface StreamParts {
  /** Whose end this is. */
  readonly process: Process;
  /** The other side's address. */
  readonly remote: Endpoint;
  /** The way to the other end. */
  readonly lane: Lane;
  /** How things travel. */
  readonly links: Links;
  /** When they happen. */
  readonly events: Events;
  /** Called once, when the end is closed or broken. */
  readonly onEnd: (stream: Stream) => void;
}

/** Never settles: what a process waits for that has ended. */
export function never<T>(): Promise<T> {
  return new Promise(() => {});
}

/** One end of a connection. */
export class Stream implements Connection {
  /** See {@link Connection.remote}. */
  readonly remote: Endpoint;
  /** Whose end this is. */
  readonly process: Process;

  readonly #parts: StreamParts;
  #peer: Stream | null = null;
  #chunks: Chunk[] = [];
  #readers: Reader[] = [];
  #writers: Writer[] = [];
  /** Bytes on the way to the peer or waiting there. */
  #inFlightBytes = 0;
  #ended = false; // the peer said that nothing more comes
  #closed = false; // this side is closed
  #broken: NetworkError | null = null;

  /**
   * Make one.
   *
   * @param parts what it is made of; the peer follows by {@link Stream.join}
   */
  constructor(parts: StreamParts) {
    this.#parts = parts;
    this.remote = parts.remote;
    this.process = parts.process;
  }

  /** Make two ends one connection. */
  static join(a: Stream, b: Stream): void {
    a.#peer = b;
    b.#peer = a;
  }

  /** See {@link Connection.read}. */
  read(into: Uint8Array): Promise<number | null> {
    if (!this.process.alive) return never();
    return new Promise((resolve, reject) => {
      this.#readers.push({ into, resolve, reject });
      this.#serveReaders();
    });
  }

  /** See {@link Connection.write}. */
  write(bytes: Uint8Array): Promise<number> {
    if (!this.process.alive) return never();
    return new Promise((resolve, reject) => {
      this.#writers.push({ bytes, resolve, reject });
      this.#serveWriters();
    });
  }

  /** See {@link Connection.close}. */
  close(): void {
    if (this.#closed || !this.process.alive) return;
    this.#finish();
    this.#send("end", () => this.#peer?.onEnd());
    this.#serveReaders();
    this.#serveWriters();
  }

  /** Break off without a word to this side's process: it has ended, or never knew of the connection. */
  abort(): void {
    if (this.#closed) return;
    this.#finish();
    this.#send("reset", () => this.#peer?.onReset());
  }

  /** The peer has closed: what has arrived can be read, then the stream ends. */
  onEnd(): void {
    this.#ended = true;
    this.#wake();
  }

  /** The peer is gone: everything fails. */
  onReset(): void {
    if (this.#closed || this.#broken) return;
    this.#broken = new NetworkError("reset", "connection reset by peer");
    if (!this.#ended) this.#drop();
    this.#parts.onEnd(this);
    this.#wake();
  }

  /** A unit arrives. */
  onUnit(chunk: Chunk): void {
    if (this.#closed || !this.process.alive) {
      this.#send("reset", () => this.#peer?.onReset());
    } else if (!this.#ended && !this.#broken) {
      this.#chunks.push(chunk);
      this.#wake();
    }
  }

  #finish(): void {
    this.#closed = true;
    this.#drop();
    this.#parts.onEnd(this);
  }

  #drop(): void {
    for (const { credit } of this.#chunks.splice(0)) this.#peer?.onCredit(credit);
  }

  #wake(): void {
    if (this.#readers.length + this.#writers.length === 0) return;
    this.#parts.events.wake(this.process, "stream", () => {
      this.#serveReaders();
      this.#serveWriters();
    });
  }

  #serveReaders(): void {
    for (;;) {
      const reader = this.#readers[0];
      if (!reader) return;
      if (this.#closed) reader.resolve(null);
      else if (this.#chunks.length > 0) reader.resolve(this.#take(reader.into));
      else if (this.#ended) reader.resolve(null);
      else if (this.#broken) reader.reject(this.#broken);
      else return;
      this.#readers.shift();
    }
  }

  /** Some of what has arrived, across units and within. */
  #take(into: Uint8Array): number {
    const { links, lane } = this.#parts;
    const random = links.randomOf(lane.from, lane.to);
    const waiting = this.#chunks.reduce((sum, { bytes }) => sum + bytes.length, 0);
    const most = Math.min(waiting, into.length);
    const count = most > 1 && random.chance(0.5) ? 1 + random.integer(most) : most;
    let credit = 0;
    for (let done = 0; done < count;) {
      const chunk = this.#chunks[0]!;
      const piece = chunk.bytes.subarray(0, count - done);
      into.set(piece, done);
      done += piece.length;
      chunk.bytes = chunk.bytes.subarray(piece.length);
      const paid = Math.min(chunk.credit, piece.length);
      chunk.credit -= paid;
      credit += paid;
      if (chunk.bytes.length === 0) this.#chunks.shift();
    }
    this.#peer?.onCredit(credit);
    return count;
  }

  /** The peer has taken bytes out of the window. */
  onCredit(credit: number): void {
    this.#inFlightBytes -= credit;
    if (credit === 0 || this.#writers.length === 0) return;
    // An event of its own: the reader's turn must not run the writer's code.
    this.#parts.events.schedule(
      0,
      this.process,
      `window ${this.#parts.lane.connection}`,
      () => this.#serveWriters(),
    );
  }

  #serveWriters(): void {
    for (;;) {
      const writer = this.#writers[0];
      if (!writer) return;
      const room = WINDOW_BYTES - this.#inFlightBytes;
      if (this.#closed) writer.reject(new NetworkError("closed", "the connection is closed"));
      else if (this.#broken) writer.reject(this.#broken);
      else if (writer.bytes.length === 0) writer.resolve(0);
      else if (room > 0) {
        const unit = new Uint8Array(writer.bytes.subarray(0, room)); // a copy, whatever kind of array it is
        writer.resolve(unit.length);
        this.#writers.shift(); // first: a reset under way ends every writer that is still waiting
        this.#transmit(unit);
        continue;
      } else return;
      this.#writers.shift();
    }
  }

  #transmit(bytes: Uint8Array): void {
    const { links, lane } = this.#parts;
    const { lossRate, duplicateRate, reorderRate, resetRate } = links.faultsOf(lane.from, lane.to);
    const random = links.randomOf(lane.from, lane.to);
    const { events } = this.#parts;
    const credit = bytes.length;
    const unit = { label: ` ${credit} ${crc32c(bytes)}`, bytes };
    this.#inFlightBytes += credit;
    if (random.chance(resetRate)) {
      events.inject("reset");
      this.#send("reset", () => this.#peer?.onReset());
      return this.onReset();
    }
    if (random.chance(lossRate)) {
      events.inject("loss");
      return this.#send("lost", () => this.onCredit(credit), unit);
    }
    const arrive = () => this.#peer?.onUnit({ bytes, credit });
    if (random.chance(reorderRate)) {
      events.inject("reorder");
      links.stray(lane, "stray", arrive, unit);
    } else this.#send("unit", arrive, unit);
    if (random.chance(duplicateRate)) {
      events.inject("duplicate");
      links.stray(lane, "again", () => this.#peer?.onUnit({ bytes, credit: 0 }), unit);
    }
  }

  #send(what: Travelling, task: () => void, detail?: Detail): void {
    this.#parts.links.travel(this.#parts.lane, what, task, detail);
  }
}
