/**
 * Records on their way to a segment: what one disk write, and one sync, will make durable together.
 *
 * @module
 */

import { crc32c } from "../../actors/runtime/crc32c.ts";
import { DiskError, type DiskFile } from "../../actors/runtime/environment.ts";
import type { EngineError } from "../engine.ts";
import { encodeRecordHeader, recordBytes } from "./format.ts";

const SLAB_BYTES = 256 * 1024;
/** Memory is taken when there is something to gather. */
const NO_SLAB = new Uint8Array(0);
/** A part as long as this is written from where it is; shorter ones are gathered into one write. */
export const BY_REFERENCE_BYTES = 32 * 1024;

const PADDING = new Uint8Array(8);

/** What record headers say of the segment they stand in. */
export interface Place {
  /** The segment's seed. */
  readonly seed: number;
  /** Up to where the segment will be durable before the record is written. */
  readonly durable: number;
}

/** Encoded records in the order in which they will stand in the file. */
export class RecordBuffer {
  /** Bytes appended so far. */
  sizeBytes = 0;
  #pieces: Uint8Array[] = [];
  #slab: Uint8Array;
  #from = 0;
  #to = 0;

  /** @param slab memory to gather into, from {@link RecordBuffer.release} of one that is done with */
  constructor(slab: Uint8Array = NO_SLAB) {
    this.#slab = slab;
  }

  /** Add a record that will stand at `offset` of its segment; the payload is all parts in order. */
  append(place: Place, offset: number, type: number, parts: readonly Uint8Array[]): void {
    let payloadBytes = 0;
    let payloadCrc = 0;
    for (const part of parts) {
      payloadBytes += part.length;
      payloadCrc = crc32c(part, payloadCrc);
    }
    const { seed, durable } = place;
    this.#gather(encodeRecordHeader(seed, offset, { type, payloadBytes, payloadCrc, durable }));
    for (const part of parts) {
      if (part.length < BY_REFERENCE_BYTES) this.#gather(part);
      else {
        this.#seal();
        this.#pieces.push(part);
      }
    }
    const sizeBytes = recordBytes(payloadBytes);
    const paddingBytes = sizeBytes - (payloadBytes + 16);
    if (paddingBytes > 0) this.#gather(PADDING.subarray(0, paddingBytes));
    this.sizeBytes += sizeBytes;
  }

  /** What to write, one after the other. */
  pieces(): readonly Uint8Array[] {
    this.#seal();
    return this.#pieces;
  }

  /** Forget the pieces, which have been written, and give the memory to the next buffer. */
  release(): Uint8Array {
    this.#pieces = [];
    return this.#slab;
  }

  #gather(bytes: Uint8Array): void {
    if (this.#to + bytes.length > this.#slab.length) {
      this.#seal();
      this.#slab = new Uint8Array(SLAB_BYTES);
      this.#from = this.#to = 0;
    }
    this.#slab.set(bytes, this.#to);
    this.#to += bytes.length;
  }

  #seal(): void {
    if (this.#to > this.#from) this.#pieces.push(this.#slab.subarray(this.#from, this.#to));
    this.#from = this.#to;
  }
}

/** The segment that records go to; its file may still have to be made. */
export interface Tail {
  /** Its number. */
  readonly number: number;
  /** Its header, for whoever makes the file. */
  readonly header: Uint8Array;
  /** Its seed. */
  readonly seed: number;
}

/** Records of one segment that are written and made durable together, and who waits for that. */
export interface Batch {
  /** Their segment. */
  readonly tail: Tail;
  /** What their headers say of it. */
  readonly place: Place;
  /** They themselves. */
  readonly buffer: RecordBuffer;
  /** Settles when they are durable. */
  readonly promise: Promise<void>;
  /** Fulfil the promise. */
  readonly resolve: () => void;
  /** Break it. */
  readonly reject: (reason: EngineError) => void;
  /** How many. */
  records: number;
  /** Whether they are to be synced whatever the policy. */
  mustSync: boolean;
}

/** An empty batch for `tail`, which will be durable up to `durable` before it is written. */
export function newBatch(tail: Tail, durable: number, slab: Uint8Array | undefined): Batch {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  promise.catch(() => {}); // whoever waits for it hears of a failure; nobody has to
  const place = { seed: tail.seed, durable };
  const buffer = new RecordBuffer(slab);
  return { tail, place, buffer, promise, resolve, reject, records: 0, mustSync: false };
}

/** Write all of `pieces` from `position` on, however short each write falls. Returns where they end. */
export function writeAll(file: DiskFile, pieces: readonly Uint8Array[], position: number): number {
  for (const piece of pieces) {
    for (let done = 0; done < piece.length;) {
      const count = file.write(done === 0 ? piece : piece.subarray(done), position);
      if (count === 0) throw new DiskError("no-space", file.path, "the disk takes no more bytes");
      done += count;
      position += count;
    }
  }
  return position;
}
