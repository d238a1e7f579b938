/**
 * Frames, the writing half: one growing output buffer per connection that gathers every frame of a turn.
 *
 * @module
 */

import { crc32c } from "../actors/runtime/crc32c.ts";
import { encodeUtf8 } from "../actors/runtime/bytes.ts";
import { LIMITS } from "../actors/runtime/limits.ts";
import { FLAG_MORE, FLAG_TRACE, HEADER_BYTES, PREFIX_BYTES, TRACE_BYTES, TWO_32 } from "./frame.ts";

/** Pieces from this size on go to the socket from where they are instead of through the buffer. */
export const LARGE_BYTES = 64 * 1024;
const SMALLEST_BUFFER_BYTES = 1024;
const LARGEST_BUFFER_BYTES = 64 * 1024;

/**
 * Writes frames one after the other: {@link FrameWriter.begin}, the body's parts, {@link FrameWriter.end};
 * {@link FrameWriter.take} gives what is ready for the socket: one chunk, unless there is much of it. A full
 * buffer is moved into a larger one; the largest becomes a chunk and the frame goes on in a fresh one. What is
 * more than one frame takes is cut into several at its end.
 */
export class FrameWriter {
  /** The largest message that may be written, as if it went in one frame. */
  messageBytes: number;
  readonly #limitBytes: number;
  #bytes = new Uint8Array(SMALLEST_BUFFER_BYTES);
  #view = new DataView(this.#bytes.buffer);
  /** Where the next byte goes. */
  #at = 0;
  /** Where the chunk being filled starts. */
  #chunkAt = 0;
  #chunks: Uint8Array[] = [];
  #sizeBytes = 0;

  // The frame being written: where its prefix is, and how far its checksum has come.
  #prefix = this.#view;
  #prefixAt = 0;
  #chunksBefore = 0;
  #crc = 0;
  #crcAt = 0;
  #length = 0;

  /** @param limitBytes the largest frame @param messageBytes the largest message, in several frames if need be */
  constructor(limitBytes: number, messageBytes: number = limitBytes) {
    this.#limitBytes = limitBytes;
    this.messageBytes = messageBytes;
  }

  /** Bytes of whole frames not yet taken. */
  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  /**
   * Start a frame.
   * @param message the message number
   * @param number the request's, ticket's or ask's number, an integer from 0 to 2^53 - 1
   * @param remainingMs milliseconds until nobody waits any more, 0 for never
   * @param trace a trace context of 25 bytes
   */
  begin(message: number, number: number, remainingMs: number, trace?: Uint8Array): void {
    this.#begin(message, trace ? FLAG_TRACE : 0, number, remainingMs, trace);
  }

  #begin(message: number, flags: number, number: number, remainingMs: number, trace?: Uint8Array): void {
    const headBytes = PREFIX_BYTES + HEADER_BYTES + TRACE_BYTES;
    if (this.#at + headBytes > this.#bytes.length) this.#turnOver(headBytes, false);
    this.#chunksBefore = this.#chunks.length;
    this.#prefix = this.#view;
    this.#prefixAt = this.#at;
    this.#at += PREFIX_BYTES;
    this.#crcAt = this.#at;
    this.#crc = 0;
    this.#length = 0;
    this.u8(message);
    this.u8(flags);
    this.u64(number);
    this.u32(remainingMs);
    if (!trace) return;
    if (trace.length !== TRACE_BYTES) throw new RangeError("a trace context has 25 bytes");
    this.bytes(trace);
  }

  /** An unsigned byte. */
  u8(value: number): void {
    this.#room(1);
    this.#view.setUint8(this.#at++, value);
  }

  /** An unsigned 16-bit number. */
  u16(value: number): void {
    this.#room(2);
    this.#view.setUint16(this.#at, value);
    this.#at += 2;
  }

  /** An unsigned 32-bit number. */
  u32(value: number): void {
    this.#room(4);
    this.#view.setUint32(this.#at, value);
    this.#at += 4;
  }

  /** An unsigned 64-bit number, as far as a double counts exactly. */
  u64(value: number): void {
    this.#room(8);
    this.#view.setUint32(this.#at, value / TWO_32);
    this.#view.setUint32(this.#at + 4, value);
    this.#at += 8;
  }

  /** Bytes as they are. Large ones are kept by reference until written: do not change them. */
  bytes(bytes: Uint8Array): void {
    if (bytes.length >= LARGE_BYTES) return this.#large(bytes);
    this.#room(bytes.length);
    this.#bytes.set(bytes, this.#at);
    this.#at += bytes.length;
  }

  /** The bytes that hex digits show. */
  hex(hex: string): void {
    const sizeBytes = hex.length >>> 1;
    this.#room(sizeBytes);
    this.#bytes.subarray(this.#at, this.#at + sizeBytes).setFromHex(hex);
    this.#at += sizeBytes;
  }

  /** UTF-8 after its length as two bytes. For names. */
  name(text: string): void {
    const bytes = encodeUtf8(text);
    if (bytes.length > LIMITS.nameBytes) throw new RangeError(`a name over ${LIMITS.nameBytes} bytes`);
    this.u16(bytes.length);
    this.bytes(bytes);
  }

  /** Finish the message. False when it is over the limit: then it is as if it had never begun. */
  end(): boolean {
    this.#sum();
    const frameBytes = PREFIX_BYTES + this.#length;
    if (frameBytes > this.messageBytes) {
      this.abandon();
      return false;
    }
    if (frameBytes > this.#limitBytes) this.#split();
    else this.#seal();
    return true;
  }

  #seal(): void {
    this.#prefix.setUint32(this.#prefixAt, this.#length);
    this.#prefix.setUint32(this.#prefixAt + 4, this.#crc);
    this.#sizeBytes += PREFIX_BYTES + this.#length;
  }

  /**
   * Write what was written as one frame again as several. So large a message is rare: it may be checksummed
   * twice, but it is not copied.
   */
  #split(): void {
    const message = this.#prefix.getUint8(this.#prefixAt + PREFIX_BYTES);
    const flags = this.#prefix.getUint8(this.#prefixAt + PREFIX_BYTES + 1);
    const high = this.#prefix.getUint32(this.#prefixAt + PREFIX_BYTES + 2);
    const number = high * TWO_32 + this.#prefix.getUint32(this.#prefixAt + PREFIX_BYTES + 6);
    const remainingMs = this.#prefix.getUint32(this.#prefixAt + PREFIX_BYTES + 10);
    const headBytes = PREFIX_BYTES + HEADER_BYTES + (flags & FLAG_TRACE ? TRACE_BYTES : 0);
    let left = PREFIX_BYTES + this.#length - headBytes;
    this.#cut();
    const [first, ...parts] = this.#chunks.splice(this.#chunksBefore);
    const start = this.#prefixAt - first!.byteOffset;
    if (start > 0) this.#chunks.push(first!.subarray(0, start));
    const head = first!.subarray(start, start + headBytes);
    const trace = flags & FLAG_TRACE ? head.slice(PREFIX_BYTES + HEADER_BYTES) : undefined;
    let room = this.#limitBytes - headBytes;
    this.#begin(message, flags | FLAG_MORE, number, remainingMs, trace);
    for (const part of [first!.subarray(start + headBytes), ...parts]) {
      for (let at = 0; at < part.length;) {
        if (room === 0) {
          this.#sum();
          this.#seal();
          room = this.#limitBytes - PREFIX_BYTES - HEADER_BYTES;
          this.#begin(message, left > room ? FLAG_MORE : 0, number, remainingMs);
        }
        const count = Math.min(room, part.length - at);
        this.bytes(part.subarray(at, at + count));
        at += count;
        left -= count;
        room -= count;
      }
    }
    this.#sum();
    this.#seal();
  }

  /** Give up the frame that was begun: its whole chunks go, and the one it began in ends before it. */
  abandon(): void {
    const inOneBuffer = this.#prefix === this.#view;
    const started = this.#chunks[this.#chunksBefore];
    this.#chunks.length = this.#chunksBefore;
    if (started === undefined) {
      this.#at = this.#prefixAt;
      return;
    }
    const before = this.#prefixAt - started.byteOffset;
    if (before > 0) this.#chunks.push(started.subarray(0, before));
    if (!inOneBuffer) this.#at = 0;
    this.#chunkAt = this.#at;
  }

  /** What is ready, in order, for the socket. The arrays are good until {@link FrameWriter.written}. */
  take(): Uint8Array[] {
    this.#cut();
    const chunks = this.#chunks;
    this.#chunks = [];
    this.#sizeBytes = 0;
    return chunks;
  }

  /** Whole frames that another writer made go next. */
  append(chunks: readonly Uint8Array[]): void {
    this.#cut();
    for (const chunk of chunks) {
      this.#chunks.push(chunk);
      this.#sizeBytes += chunk.length;
    }
  }

  /** Everything taken has been written: the buffer may be used again from its start. */
  written(): void {
    if (this.#sizeBytes === 0) this.#at = this.#chunkAt = 0;
  }

  #room(sizeBytes: number): void {
    if (this.#at + sizeBytes > this.#bytes.length) this.#turnOver(sizeBytes, true);
  }

  /** The buffer is full: move what is in it to a larger or fresh one, or leave it as a chunk when it is much. */
  #turnOver(sizeBytes: number, inFrame: boolean): void {
    const filled = this.#at - this.#chunkAt;
    const moved = filled + sizeBytes <= LARGEST_BUFFER_BYTES;
    if (!moved && inFrame) this.#sum();
    if (!moved) this.#cut();
    const start = this.#bytes.subarray(this.#chunkAt, this.#at);
    const prefixMoves = inFrame && moved && this.#prefix === this.#view && this.#prefixAt >= this.#chunkAt;
    const length = Math.max(start.length + sizeBytes, Math.min(LARGEST_BUFFER_BYTES, this.#bytes.length * 2));
    this.#bytes = new Uint8Array(length);
    this.#bytes.set(start);
    this.#view = new DataView(this.#bytes.buffer);
    this.#crcAt -= this.#chunkAt;
    if (prefixMoves) {
      this.#prefix = this.#view;
      this.#prefixAt -= this.#chunkAt;
    }
    this.#at = start.length;
    this.#chunkAt = 0;
  }

  #large(bytes: Uint8Array): void {
    this.#sum();
    this.#cut();
    this.#chunks.push(bytes);
    this.#crc = crc32c(bytes, this.#crc);
    this.#length += bytes.length;
  }

  /** Take what was written since the last time into the frame's checksum and length. */
  #sum(): void {
    this.#crc = crc32c(this.#bytes, this.#crc, this.#crcAt, this.#at);
    this.#length += this.#at - this.#crcAt;
    this.#crcAt = this.#at;
  }

  /** End the chunk that is being filled. */
  #cut(): void {
    if (this.#at > this.#chunkAt) this.#chunks.push(this.#bytes.subarray(this.#chunkAt, this.#at));
    this.#chunkAt = this.#at;
  }
}
