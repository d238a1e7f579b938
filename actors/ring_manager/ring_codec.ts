/**
 * A ring as bytes: one canonical form, for the journal, for gossip, and to tell rings apart by checksum.
 *
 * All integers are big-endian; a text is a u16 length and its UTF-8; an id is its 16 bytes.
 *
 * ```text
 * u8   format, 2                        u16  members, then per member, ascending by id:
 * id   cluster id                            id, f64 weight, text address, text zone
 * text cluster name                     u32  removed ids, then each id, ascending
 * u64  epoch                            per partition a list of owners
 * u8   n                                u8   1 when a change is under way, else 0; the change
 * u32  partitions                       u32  CRC-32C of everything before it
 *
 * a list of owners   u8 how many, then u16 each: indexes of members
 * a change           u64 since, 2 x (u8 1 and an id, or u8 0): joining, leaving; u16 members that are gone,
 *                    then each id, ascending; u32 motions, then per motion, ascending: u32 partition,
 *                    u8 phase (0 copying, 1 settling), a list of owners
 * ```
 *
 * Format 1 had no changes and lists of min(n, members) owners without their number; it is read, and never written.
 *
 * Canonical: a ring has one encoding, and bytes of the present format that decode at all encode to themselves.
 *
 * @module
 */

import { decodeUtf8Strict, encodeUtf8, toHex } from "../runtime/bytes.ts";
import { crc32c } from "../runtime/crc32c.ts";
import { LIMITS } from "../runtime/limits.ts";
import { SerialError, SerialReader, SerialWriter } from "../runtime/serial.ts";
import { checkRing, type Member, type Motion, type Ring, type RingChange } from "./ring.ts";

/** The version of the layout, its first byte. */
const FORMAT = 2;
/** The one before it. */
const FORMAT_OF_REST = 1;
/** Largest text field, with its length. */
const TEXT_BYTES = 2 + LIMITS.nameBytes;
const CHECKSUM_BYTES = 4;

/** Tells one ring from another in a few bytes; what gossip carries. */
export interface RingDigest {
  /** The ring's epoch. */
  readonly epoch: number;
  /** CRC-32C of the ring's bytes. */
  readonly checksum: number;
}

/**
 * Outcome of {@link decodeRing}. `damaged`: the bytes are not what was encoded. `newer-format`: written by a
 * later version of this program. `unsound`: whole, and yet no ring (see {@link checkRing}).
 */
export type DecodedRing =
  | { readonly ok: true; readonly ring: Ring }
  | { readonly ok: false; readonly code: "damaged" | "newer-format" | "unsound"; readonly message: string };

/**
 * The canonical bytes of a sound ring.
 *
 * @example
 * ```ts
 * import { createRing } from "./ring.ts";
 * import { decodeRing, encodeRing } from "./ring_codec.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const member = { id: "0a".repeat(16), address: "127.0.0.1:3001", zone: "default", weight: 1 };
 * const ring = createRing({ clusterId: "00".repeat(16), cluster: "demo", n: 3, partitions: 8, member });
 * assertEquals(decodeRing(encodeRing(ring)), { ok: true, ring });
 * ```
 */
export function encodeRing(ring: Ring): Uint8Array<ArrayBuffer> {
  const listBytes = 1 + 2 * ring.n;
  const motions = ring.change === null ? 0 : ring.change.motions.length;
  const mostBytes = 128 + 16 * (ring.change?.gone.length ?? 0) + TEXT_BYTES +
    ring.members.length * (24 + 2 * TEXT_BYTES) +
    16 * ring.removed.length +
    listBytes * ring.partitions + (5 + listBytes) * motions;
  const writer = new RingWriter(mostBytes);
  writer.u8(FORMAT);
  writer.id(ring.clusterId);
  writer.text(ring.cluster);
  writer.u64(ring.epoch);
  writer.u8(ring.n);
  writer.u32(ring.partitions);
  writer.u16(ring.members.length);
  for (const member of ring.members) {
    writer.id(member.id);
    writer.f64(member.weight);
    writer.text(member.address);
    writer.text(member.zone);
  }
  writer.u32(ring.removed.length);
  for (const id of ring.removed) writer.id(id);
  for (const owners of ring.owners) writer.owners(owners);
  writer.u8(ring.change === null ? 0 : 1);
  if (ring.change !== null) writeChange(writer, ring.change);
  return writer.checksummed();
}

function writeChange(writer: RingWriter, { since, joining, leaving, gone, motions }: RingChange): void {
  writer.u64(since);
  for (const id of [joining, leaving]) {
    writer.u8(id === null ? 0 : 1);
    if (id !== null) writer.id(id);
  }
  writer.u16(gone.length);
  for (const id of gone) writer.id(id);
  writer.u32(motions.length);
  for (const { partition, phase, others } of motions) {
    writer.u32(partition);
    writer.u8(phase === "copying" ? 0 : 1);
    writer.owners(others);
  }
}

/** The ring that bytes from a disk or a peer hold; never throws, whatever they are. */
export function decodeRing(bytes: Uint8Array): DecodedRing {
  if (bytes.length < 1 + CHECKSUM_BYTES) return failed("damaged", "too short");
  const body = bytes.subarray(0, bytes.length - CHECKSUM_BYTES);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (crc32c(body) !== view.getUint32(body.length)) return failed("damaged", "the checksum does not match");
  if (body[0]! > FORMAT) return failed("newer-format", `format ${body[0]}, this program knows ${FORMAT}`);
  try {
    const ring = readRing(new RingReader(body));
    const fault = checkRing(ring);
    return fault === null ? { ok: true, ring } : failed("unsound", fault);
  } catch (error) {
    if (error instanceof SerialError) return failed("unsound", error.message);
    throw error;
  }
}

const digests = new WeakMap<Ring, RingDigest>();

/** Epoch and checksum of a ring; computed once per ring. */
export function ringDigest(ring: Ring): RingDigest {
  let digest = digests.get(ring);
  if (digest === undefined) {
    const bytes = encodeRing(ring);
    const checksum = new DataView(bytes.buffer).getUint32(bytes.length - CHECKSUM_BYTES);
    digest = { epoch: ring.epoch, checksum };
    digests.set(ring, digest);
  }
  return digest;
}

/** Whether two rings are the same ring. */
export function sameRing(a: Ring, b: Ring): boolean {
  if (a === b) return true;
  return a.epoch === b.epoch && ringDigest(a).checksum === ringDigest(b).checksum;
}

function failed(code: "damaged" | "newer-format" | "unsound", message: string): DecodedRing {
  return { ok: false, code, message: `ring: ${message}` };
}

function readRing(reader: RingReader): Ring {
  const format = reader.u8();
  if (format !== FORMAT && format !== FORMAT_OF_REST) throw new SerialError("an unknown format");
  const clusterId = reader.id();
  const cluster = reader.text();
  const epoch = reader.u64();
  const n = reader.u8();
  const partitions = reader.u32();
  const members: Member[] = [];
  for (let left = reader.u16(); left > 0; left--) {
    const id = reader.id();
    const weight = reader.f64();
    members.push({ id, address: reader.text(), zone: reader.text(), weight });
  }
  const removed = reader.many(reader.u32(), 16, () => reader.id());
  const copies = Math.min(n, members.length);
  if (copies === 0) throw new SerialError("no member or no replicas");
  const isOld = format === FORMAT_OF_REST;
  const owners = isOld
    ? reader.many(partitions, 2 * copies, () => reader.many(copies, 2, () => reader.u16()))
    : reader.many(partitions, 3, () => reader.owners());
  const change = !isOld && reader.flag() ? readChange(reader) : null;
  reader.end();
  return { clusterId, cluster, epoch, n, partitions, members, owners, removed, change };
}

function readChange(reader: RingReader): RingChange {
  const since = reader.u64();
  const joining = reader.flag() ? reader.id() : null;
  const leaving = reader.flag() ? reader.id() : null;
  const gone = reader.many(reader.u16(), 16, () => reader.id());
  const motions = reader.many(reader.u32(), 8, (): Motion => {
    const partition = reader.u32();
    const phase = reader.flag() ? "settling" : "copying";
    return { partition, phase, others: reader.owners() };
  });
  return { since, joining, leaving, gone, motions };
}

/** Fields that only rings have. */
class RingWriter extends SerialWriter {
  id(hex: string): void {
    this.raw(Uint8Array.fromHex(hex));
  }

  text(text: string): void {
    const utf8 = encodeUtf8(text);
    this.u16(utf8.length);
    this.raw(utf8);
  }

  owners(owners: readonly number[]): void {
    this.u8(owners.length);
    for (const owner of owners) this.u16(owner);
  }

  checksummed(): Uint8Array<ArrayBuffer> {
    this.u32(crc32c(this.written));
    return this.written.slice();
  }
}

/** The same to be read; a {@link SerialError} says that the bytes match their checksum but are no ring. */
class RingReader extends SerialReader {
  id(): string {
    return toHex(this.raw(16));
  }

  text(): string {
    const text = decodeUtf8Strict(this.raw(this.u16()));
    if (text === null) throw new SerialError("text that is not UTF-8");
    return text;
  }

  /** `count` things of at least `leastBytes` each; a count that cannot fit is refused before anything is made. */
  many<T>(count: number, leastBytes: number, read: () => T): T[] {
    if (count * leastBytes > this.left) throw new SerialError("a count that does not fit");
    return Array.from({ length: count }, read);
  }

  owners(): number[] {
    return this.many(this.u8(), 2, () => this.u16());
  }

  flag(): boolean {
    const value = this.u8();
    if (value > 1) throw new SerialError(`${value} where 0 or 1 should be`);
    return value === 1;
  }

  end(): void {
    if (this.left > 0) throw new SerialError("bytes are left over");
  }
}
