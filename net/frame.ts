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
 * size, is read straight into it, and its large parts are views: no copy at all.
 *
 * @module
 */

import { decodeUtf8Strict } from "../actors/runtime/bytes.ts";
import { crc32c } from "../actors/runtime/crc32c.ts";
import { Slab } from "../actors/runtime/slab.ts";

/** Bytes before what the checksum covers: the length and the checksum itself. */
export const PREFIX_BYTES = 8;
/** Bytes of the header after the prefix: message, flags, number, remaining time. */
export const HEADER_BYTES = 14;
/** Bytes of a trace context: W3C trace id (16), span id (8), flags (1). */
export const TRACE_BYTES = 25;
/** Flag: a trace context follows the header. Every other flag bit must be 0. */
export const FLAG_TRACE = 1;
/** Two to the 32nd: an unsigned 64-bit number travels as two halves. */
export const TWO_32 = 2 ** 32;

/** Why a stream is not followed any further; append-only. */
export type WireErrorCode =
  /** The length is more than the limit, or too small for a header. */
  | "bad-length"
  /** The checksum does not match. */
  | "bad-crc"
  /** A flag this version does not know. */
  | "bad-flags"
  /** No such message, or not one this side may be sent now. */
  | "unexpected-message"
  /** The body does not have the layout of its message. */
  | "bad-body"
  /** The other side refused the handshake, or is not who it should be. */
  | "refused";

/** The stream is out of step or hostile: the connection is closed. */
export class WireError extends Error {
  override readonly name = "WireError";
  /** @param code what is wrong @param detail for people */
  constructor(readonly code: WireErrorCode, detail: string) {
    super(`${code}: ${detail}`);
  }
}

/** {@link crc32c}, except in tests that plant a bug. */
export type Checksum = typeof crc32c;

/** Small pieces share a slab of so many bytes: the most that one kept piece can keep alive. */
const SLAB_BYTES = 4096;
/** Pieces above this get an array of their own. */
const SMALL_BYTES = 1024;
/** The read buffer starts small, for the connections that never say much, and grows when reads fill it. */
const SMALLEST_BUFFER_BYTES = 4096;
const LARGEST_BUFFER_BYTES = 64 * 1024;

/**
 * One frame: its header, and a cursor over its body. Every read is checked against the end of the body and
 * throws a {@link WireError} past it. The reader has one `Frame` and reuses it: it is good until the next
 * call of {@link FrameReader.next}; the arrays taken from it are good for ever.
 */
export class Frame {
  /** The message number. */
  message = 0;
  /** The request's, ticket's or ask's number. */
  number = 0;
  /** Milliseconds until nobody waits any more; 0 when nobody ever did. */
  remainingMs = 0;
  /** The trace context, when the frame carries one. */
  trace: Uint8Array | undefined = undefined;
  #bytes = new Uint8Array(0);
  #view: DataView = new DataView(this.#bytes.buffer);
  #at = 0;
  #end = 0;
  #owned = false;
  readonly #slab = new Slab(SLAB_BYTES, SMALL_BYTES);

  /** For {@link FrameReader}: stand on the frame whose checksummed part is `[at, end)` of `bytes`. */
  open(bytes: Uint8Array<ArrayBuffer>, view: DataView, at: number, end: number, owned: boolean): void {
    this.#bytes = bytes;
    this.#view = view;
    this.#at = at;
    this.#end = end;
    this.#owned = owned;
    this.message = this.u8();
    const flags = this.u8();
    if (flags & ~FLAG_TRACE) throw new WireError("bad-flags", `flags ${flags} of message ${this.message}`);
    this.number = this.u64();
    this.remainingMs = this.u32();
    this.trace = flags & FLAG_TRACE ? this.bytes(TRACE_BYTES) : undefined;
  }

  /** Bytes of the body not yet read. */
  get left(): number {
    return this.#end - this.#at;
  }

  /** An unsigned byte. */
  u8(): number {
    return this.#view.getUint8(this.#advance(1));
  }

  /** An unsigned 16-bit number. */
  u16(): number {
    return this.#view.getUint16(this.#advance(2));
  }

  /** An unsigned 32-bit number. */
  u32(): number {
    return this.#view.getUint32(this.#advance(4));
  }

  /** An unsigned 64-bit number; one past 2^53 - 1 is refused rather than rounded. */
  u64(): number {
    const at = this.#advance(8);
    const high = this.#view.getUint32(at);
    if (high >= 0x200000) throw new WireError("bad-body", "a number past 2^53 - 1");
    return high * TWO_32 + this.#view.getUint32(at + 4);
  }

  /** The next `sizeBytes` bytes, owned by the caller. */
  bytes(sizeBytes: number): Uint8Array<ArrayBuffer> {
    const at = this.#advance(sizeBytes);
    if (sizeBytes > SMALL_BYTES) {
      return this.#owned ? this.#bytes.subarray(at, at + sizeBytes) : this.#bytes.slice(at, at + sizeBytes);
    }
    const piece = this.#slab.take(sizeBytes);
    piece.set(this.#bytes.subarray(at, at + sizeBytes));
    return piece;
  }

  /** The rest of the body, owned by the caller. */
  rest(): Uint8Array<ArrayBuffer> {
    return this.bytes(this.left);
  }

  /** The next `sizeBytes` bytes as lower-case hex. */
  hex(sizeBytes: number): string {
    const at = this.#advance(sizeBytes);
    return this.#bytes.subarray(at, at + sizeBytes).toHex();
  }

  /** The next `sizeBytes` bytes as UTF-8. */
  text(sizeBytes: number): string {
    const at = this.#advance(sizeBytes);
    const text = decodeUtf8Strict(this.#bytes.subarray(at, at + sizeBytes));
    if (text === null) throw new WireError("bad-body", "text that is not UTF-8");
    return text;
  }

  /** Throw when a body goes on after its message is over. */
  done(): void {
    if (this.#at !== this.#end) {
      throw new WireError("bad-body", `${this.left} bytes too many in message ${this.message}`);
    }
  }

  #advance(sizeBytes: number): number {
    const at = this.#at;
    if (sizeBytes > this.#end - at) {
      throw new WireError("bad-body", `message ${this.message} ends early`);
    }
    this.#at = at + sizeBytes;
    return at;
  }
}

/**
 * Cuts a byte stream into frames, however it arrives split. Read into {@link FrameReader.space}, say how much
 * with {@link FrameReader.fed}, then take frames with {@link FrameReader.next} until there are no more.
 *
 * @example
 * ```ts
 * import { FrameReader } from "./frame.ts";
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

  /** @param limitBytes the largest frame allowed @param checksum for tests */
  constructor(limitBytes: number, checksum: Checksum = crc32c) {
    this.limitBytes = limitBytes;
    this.#checksum = checksum;
  }

  /** Bytes that have arrived and not been taken as frames. */
  get waitingBytes(): number {
    return this.#end - this.#at;
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

  /** The next whole frame, null when more bytes are needed; throws a {@link WireError} on a bad one. */
  next(): Frame | null {
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
    this.#frame.open(this.#bytes, this.#view, at, end, this.#owned);
    return this.#frame;
  }

  #checkedLength(): number {
    const frameBytes = PREFIX_BYTES + this.#view.getUint32(this.#at);
    if (frameBytes > this.limitBytes) {
      throw new WireError("bad-length", `a frame of ${frameBytes} bytes, limit ${this.limitBytes}`);
    }
    if (frameBytes < PREFIX_BYTES + HEADER_BYTES) {
      throw new WireError("bad-length", `a frame of ${frameBytes} bytes is no frame`);
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
