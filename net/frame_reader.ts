/**
 * Frames: how messages are cut out of a byte stream, and how they are put into one. `PROTOCOL.md` has the
 * layout; this file is the reading half, {@link module:net/frame_writer} the writing half.
 *
 * The naive reader takes a length, waits for that many bytes and hands on a view of its read buffer. Three
 * things are wrong with it. It believes the length, so four bytes make it allocate 4 GiB. It believes the
 * bytes, so a flipped bit becomes a stored value. And a value kept by reference keeps the whole read buffer:
 * 100 bytes of data, 64 KiB of memory. Here the length is held against a limit before anything else happens,
 * the CRC-32C before anything is decoded, and what a message keeps is moved into small slabs that die early
 * (a slab costs 0.1 us a piece where an array of its own costs 0.7). A large frame gets a buffer of exactly its
 * size, is read straight into it, and its large parts are views: no copy at all. A message over the limit of
 * one frame comes in several and is put together here; nobody who reads or writes messages knows of it.
 *
 * @module
 */

import { crc32c } from "../actors/runtime/crc32c.ts";
import { Frame, HEADER_BYTES, PREFIX_BYTES, WireError } from "./frame.ts";
import { Parts } from "./parts.ts";

/** {@link crc32c}, except in tests that plant a bug. */
export type Checksum = typeof crc32c;

/** The read buffer starts small, for the connections that never say much, and grows when reads fill it. */
const SMALLEST_BUFFER_BYTES = 4096;
const LARGEST_BUFFER_BYTES = 64 * 1024;

/**
 * Cuts a byte stream into frames, however it arrives split. Read into {@link FrameReader.space}, say how much
 * with {@link FrameReader.fed}, then take frames with {@link FrameReader.next} until there are no more.
 *
 * @example
 * ```ts
 * import { FrameReader } from "./frame_reader.ts";
 * import { FrameWriter } from "./frame_writer.ts";
 * import { assert, assertEquals } from "../actors/runtime/testing/assert.ts";
 *
 * const writer = new FrameWriter(1024);
 * writer.begin(4, 7, 0);
 * writer.u16(513);
 * assert(writer.end());
 * const reader = new FrameReader(1024);
 * for (const byte of writer.take()[0]!) {
 *   assertEquals(reader.next(), null);
 *   reader.space()[0] = byte;
 *   reader.fed(1);
 * }
 * const frame = reader.next();
 * assert(frame);
 * assertEquals([frame.message, frame.number, frame.u16(), frame.left], [4, 7, 513, 0]);
 * ```
 */
export class FrameReader {
  /** The largest frame allowed, in bytes, prefix included. Raised when the handshake is over. */
  limitBytes: number;
  /** The largest message allowed, as if it came in one frame. */
  messageBytes: number;
  readonly #checksum: Checksum;
  readonly #frame = new Frame();
  #bytes = new Uint8Array(SMALLEST_BUFFER_BYTES);
  #view = new DataView(this.#bytes.buffer);
  #at = 0;
  #end = 0;
  /** Size of the frame at `#at`, 0 when its length has not arrived. */
  #frameBytes = 0;
  /** Whether the buffer belongs to one large frame alone. */
  #owned = false;
  #full = false;
  readonly #parts = new Parts();

  /**
   * @param limitBytes the largest frame allowed
   * @param checksum for tests
   * @param messageBytes the largest message, when it may come in several frames
   */
  constructor(limitBytes: number, checksum: Checksum = crc32c, messageBytes: number = limitBytes) {
    this.limitBytes = limitBytes;
    this.messageBytes = messageBytes;
    this.#checksum = checksum;
  }

  /** Bytes that have arrived and not been taken as messages. */
  get waitingBytes(): number {
    return this.#end - this.#at + this.#parts.sizeBytes;
  }

  /** Where the next bytes of the stream go: at least one byte long, as long as `next` has answered null. */
  space(): Uint8Array<ArrayBuffer> {
    if (this.#at === this.#end) this.#startOver();
    else if (this.#at + Math.max(this.#frameBytes, PREFIX_BYTES) > this.#bytes.length) this.#makeRoom();
    return this.#bytes.subarray(this.#end);
  }

  /** `count` bytes have been put at the start of what {@link FrameReader.space} gave. */
  fed(count: number): void {
    this.#end += count;
    this.#full = this.#end === this.#bytes.length;
  }

  /** The next whole message, null when more bytes are needed; throws a {@link WireError} on a bad one. */
  next(): Frame | null {
    for (let frame = this.#next(); frame !== null; frame = this.#next()) {
      if (!frame.more && this.#parts.sizeBytes === 0) return frame;
      if (this.#parts.take(frame)) return frame;
    }
    return null;
  }

  #next(): Frame | null {
    const waiting = this.#end - this.#at;
    if (waiting < PREFIX_BYTES) return null;
    if (this.#frameBytes === 0) this.#frameBytes = this.#checkedLength();
    if (waiting < this.#frameBytes) return null;
    const at = this.#at + PREFIX_BYTES;
    const end = this.#at + this.#frameBytes;
    const expected = this.#view.getUint32(this.#at + 4);
    if (this.#checksum(this.#bytes, 0, at, end) !== expected) {
      throw new WireError("bad-crc", "a frame does not match its CRC-32C");
    }
    this.#at = end;
    this.#frameBytes = 0;
    const frame = this.#frame;
    frame.open(this.#bytes, this.#view, at, end, this.#owned);
    if (frame.more && end - at + PREFIX_BYTES !== this.limitBytes) {
      throw new WireError("bad-flags", "a message goes on after a frame with room left");
    }
    return frame;
  }

  #checkedLength(): number {
    const frameBytes = PREFIX_BYTES + this.#view.getUint32(this.#at);
    if (frameBytes > this.limitBytes) {
      throw new WireError("bad-length", `a frame of ${frameBytes} bytes, limit ${this.limitBytes}`);
    }
    if (frameBytes < PREFIX_BYTES + HEADER_BYTES) {
      throw new WireError("bad-length", `a frame of ${frameBytes} bytes is no frame`);
    }
    const messageBytes = this.#parts.sizeBytes + frameBytes;
    if (messageBytes > this.messageBytes) {
      throw new WireError("bad-length", `a message of ${messageBytes} bytes, limit ${this.messageBytes}`);
    }
    return frameBytes;
  }

  #startOver(): void {
    const length = this.#bytes.length;
    if (this.#owned) this.#use(new Uint8Array(LARGEST_BUFFER_BYTES), false);
    else if (this.#full && length < LARGEST_BUFFER_BYTES) this.#use(new Uint8Array(length * 4), false);
    this.#at = this.#end = 0;
  }

  /** Move the beginning of a frame to where the whole of it fits. */
  #makeRoom(): void {
    const start = this.#bytes.subarray(this.#at, this.#end);
    const large = this.#frameBytes > this.#bytes.length;
    if (large) this.#use(new Uint8Array(this.#frameBytes), true);
    this.#bytes.set(start);
    this.#end = start.length;
    this.#at = 0;
  }

  #use(bytes: Uint8Array<ArrayBuffer>, owned: boolean): void {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer);
    this.#owned = owned;
  }
}
