/**
 * A message as it arrives: the header of its frame, and a cursor over its body. {@link module:net/frame_reader}
 * makes them of a byte stream.
 *
 * @module
 */

import { decodeUtf8Strict } from "../actors/runtime/bytes.ts";
import { Slab } from "../actors/runtime/slab.ts";

/** Bytes before what the checksum covers: the length and the checksum itself. */
export const PREFIX_BYTES = 8;
/** Bytes of the header after the prefix: message, flags, number, remaining time. */
export const HEADER_BYTES = 14;
/** Bytes of a trace context: W3C trace id (16), span id (8), flags (1). */
export const TRACE_BYTES = 25;
/** Flag: a trace context follows the header. */
export const FLAG_TRACE = 1;
/** Flag: the body goes on in the next frame. Every other flag bit must be 0. */
export const FLAG_MORE = 2;
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

/** Small pieces share a slab of so many bytes: the most that one kept piece can keep alive. */
const SLAB_BYTES = 4096;
/** Pieces above this get an array of their own. */
const SMALL_BYTES = 1024;
/**
 * One message: the header of its frame, and a cursor over its body. Every read is checked against the end of the
 * body and throws a {@link WireError} past it. The reader has one `Frame` and reuses it: it is good until the next
 * call of `FrameReader.next`; the arrays taken from it are good for ever.
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
  /** Whether the body goes on in the next frame; never in what `FrameReader.next` gives. */
  more = false;
  #bytes = new Uint8Array(0);
  #view: DataView = new DataView(this.#bytes.buffer);
  #at = 0;
  #end = 0;
  #owned = false;
  readonly #slab = new Slab(SLAB_BYTES, SMALL_BYTES);

  /** For the `FrameReader`: stand on the frame whose checksummed part is `[at, end)` of `bytes`. */
  open(bytes: Uint8Array<ArrayBuffer>, view: DataView, at: number, end: number, owned: boolean): void {
    this.#bytes = bytes;
    this.#view = view;
    this.#at = at;
    this.#end = end;
    this.#owned = owned;
    this.message = this.u8();
    const flags = this.u8();
    if (flags & ~(FLAG_TRACE | FLAG_MORE)) {
      throw new WireError("bad-flags", `flags ${flags} of message ${this.message}`);
    }
    this.number = this.u64();
    this.remainingMs = this.u32();
    this.trace = flags & FLAG_TRACE ? this.bytes(TRACE_BYTES) : undefined;
    this.more = (flags & FLAG_MORE) !== 0;
  }

  /** For the `FrameReader`: stand on a body that was put together of several frames'. */
  openBody(body: Uint8Array<ArrayBuffer>): void {
    this.#bytes = body;
    this.#view = new DataView(body.buffer);
    this.#at = 0;
    this.#end = body.length;
    this.#owned = true;
    this.more = false;
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
