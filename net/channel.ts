/**
 * A connection that speaks frames: reads them one by one, and writes everything that became ready in a turn
 * with one call. While a write is under way the next batch gathers behind it.
 *
 * @module
 */

import { type Clock, type Connection, NetworkError, type Timer } from "../actors/runtime/environment.ts";
import { LIMITS } from "../actors/runtime/limits.ts";
import { type Frame, WireError } from "./frame.ts";
import { FrameReader } from "./frame_reader.ts";
import { FrameWriter } from "./frame_writer.ts";
import { type Header, type Message, writeMessage } from "./messages/message.ts";

/** A write that took so long had to wait for room at the other side. */
const WAITED_MS = 1;

/** The largest message in each direction, in bytes; without, as much as one frame. */
export interface MessageLimits {
  /** Of those that come in. */
  readonly inBytes?: number;
  /** Of those that go out. */
  readonly outBytes?: number;
}

/** A framed connection. It starts in the handshake: {@link Channel.open} lifts the limit on frames. */
export class Channel {
  /** What is written here goes out after {@link Channel.flush}. */
  readonly writer: FrameWriter = new FrameWriter(LIMITS.frameBytes);
  readonly #connection: Connection;
  readonly #clock: Clock;
  readonly #reader = new FrameReader(LIMITS.handshakeBytes);
  readonly #idle: (() => void)[] = [];
  #lastReadAt: number;
  #arrivedAt: number;
  #tookAt = -Infinity;
  readonly #earliest: (now: number) => number;
  #flushing = false;
  #writingBytes = 0;
  #closed: string | null = null;

  /**
   * @param connection fresh, nothing read or written
   * @param clock tells when something was read last
   * @param earliest since when what is read now may have been waiting; see `arrivals.ts`
   */
  constructor(connection: Connection, clock: Clock, earliest = (now: number): number => now) {
    this.#connection = connection;
    this.#clock = clock;
    this.#earliest = earliest;
    this.#lastReadAt = this.#arrivedAt = clock.now();
  }

  /** The other side, for logs. */
  get remote(): string {
    const { host, port } = this.#connection.remote;
    return `${host}:${port}`;
  }

  /** Why it was closed, null while it is open. */
  get closed(): string | null {
    return this.#closed;
  }

  /** Bytes handed over and not yet taken by the socket. */
  get queuedBytes(): number {
    return this.writer.sizeBytes + this.#writingBytes;
  }

  /** When something was read last, on the clock; at first when the channel was made. */
  get lastReadAt(): number {
    return this.#lastReadAt;
  }

  /**
   * When the other side last gave a sign of life: something was read, or it made room for what had to wait. Who is
   * taking in many bytes over a slow link cannot answer what stands behind them.
   */
  get aliveAt(): number {
    return Math.max(this.#lastReadAt, this.#tookAt);
  }

  /** When the frame at hand arrived, on the clock, or earlier: when its last bytes may have come to be waiting. */
  get arrivedAt(): number {
    return this.#arrivedAt;
  }

  /**
   * The handshake is over: frames may be as large as any. Messages that come in, and those that go out, may
   * take several when that much is said.
   */
  open({ inBytes = LIMITS.frameBytes, outBytes = LIMITS.frameBytes }: MessageLimits = {}): void {
    this.#reader.limitBytes = LIMITS.frameBytes;
    this.#reader.messageBytes = inBytes;
    this.writer.messageBytes = outBytes;
  }

  /** Write one message; it goes out at the end of the turn. False when it is too large or all is over. */
  send<T>(message: Message<T>, header: Header, body: T): boolean {
    if (this.#closed !== null || !writeMessage(this.writer, message, header, body)) return false;
    this.flush();
    return true;
  }

  /** See that what the writer holds goes out at the end of the turn. */
  flush(): void {
    if (this.#flushing || this.#closed !== null) return;
    this.#flushing = true;
    queueMicrotask(() => void this.#drain());
  }

  /** Resolves when everything handed over so far has been taken by the socket, or the channel is closed. */
  flushed(): Promise<void> {
    if (!this.#flushing || this.#closed !== null) return Promise.resolve();
    return new Promise((resolve) => void this.#idle.push(resolve));
  }

  /** The next frame, null at the end of the stream. Rejects with a {@link WireError} or NetworkError. */
  async receive(): Promise<Frame | null> {
    for (;;) {
      const frame = this.#reader.next();
      if (frame) return frame;
      const count = await this.#connection.read(this.#reader.space());
      if (count === null || this.#closed !== null) return null;
      this.#fed(count);
    }
  }

  /**
   * Hand every frame to `onFrame` until the stream ends or breaks, then close and give the reason. `pause` is
   * asked after each frame: while its promise is pending nothing more is taken. What `onFrame` throws, except
   * a {@link WireError}, is a bug and rejects.
   */
  async run(onFrame: (frame: Frame) => void, pause?: () => Promise<void> | null): Promise<string> {
    try {
      for (;;) {
        // Not `receive`: a promise per frame would cost more than all the rest.
        for (let frame = this.#reader.next(); frame; frame = this.#reader.next()) {
          onFrame(frame);
          const pausing = pause?.();
          if (pausing) await pausing;
          if (this.#closed !== null) return this.#closed;
        }
        const count = await this.#connection.read(this.#reader.space());
        if (this.#closed !== null) return this.#closed;
        if (count === null) {
          return this.close(this.#reader.waitingBytes > 0 ? "hung up in mid-frame" : "hung up");
        }
        this.#fed(count);
      }
    } catch (error) {
      return this.close(reasonOf(error));
    } finally {
      this.close("broken");
    }
  }

  #fed(count: number): void {
    this.#reader.fed(count);
    this.#lastReadAt = this.#clock.now();
    this.#arrivedAt = this.#earliest(this.#lastReadAt);
  }

  /** Close at once; what has not gone out is lost. Gives the reason it was first closed for. */
  close(reason: string): string {
    if (this.#closed === null) {
      this.#closed = reason;
      this.#connection.close();
      this.#wake();
    }
    return this.#closed;
  }

  /** Close unless cancelled within `delayMs`. */
  closeAfter(delayMs: number, reason: string): Timer {
    return this.#clock.after(delayMs, () => void this.close(reason));
  }

  async #drain(): Promise<void> {
    try {
      while (this.writer.sizeBytes > 0 && this.#closed === null) {
        this.#writingBytes = this.writer.sizeBytes;
        for (const chunk of this.writer.take()) {
          for (let at = 0; at < chunk.length;) {
            const since = this.#clock.now();
            const count = await this.#connection.write(at === 0 ? chunk : chunk.subarray(at));
            if (this.#clock.now() - since >= WAITED_MS) this.#tookAt = this.#clock.now();
            at += count;
            this.#writingBytes -= count;
          }
        }
        this.writer.written();
      }
    } catch (error) {
      this.close(reasonOf(error));
    } finally {
      this.#flushing = false;
      this.#wake();
    }
  }

  #wake(): void {
    for (const resolve of this.#idle.splice(0)) resolve();
  }
}

/** What ended a stream, for people. Rethrows what is a bug. */
export function reasonOf(error: unknown): string {
  if (error instanceof WireError || error instanceof NetworkError) return error.message;
  throw error;
}
