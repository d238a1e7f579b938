/**
 * What a file holds, twice: as everyone reads it, and as a power cut would leave it.
 *
 * Naive: a crash cuts the file after the last synced byte. Disks do worse, and a log that relies on the naive
 * answer loses acknowledged writes: the page cache writes sectors back in any order, so after a crash any
 * subset of the sectors written since the last sync may be there, each in any version it ever had, the length
 * of the file being one more thing written on its own; and a sector may be half written.
 *
 * A failed sync is worse still (Rebello et al., "Can Applications Recover from fsync Failures?", 2020): the
 * kernel marks the pages clean, so they go on being read as if nothing had happened, are never written again
 * by a later sync that succeeds, and are gone after the crash. So a failed sync here settles what reached the
 * disk, forgets the rest and leaves what readers see alone.
 *
 * @module
 */

import type { SimulatedRandom } from "./random.ts";

/** What a disk writes as a unit, most of the time. */
const SECTOR_BYTES = 512;

/** Something done to a file and not yet synced. */
type Change =
  | {
    readonly kind: "write";
    readonly sequence: number;
    readonly position: number;
    readonly bytes: Uint8Array;
  }
  | { readonly kind: "truncate"; readonly sequence: number; readonly sizeBytes: number };

/** What becomes of changes that were not synced: none, all, some first part, or any sectors of them are there. */
export type Fate = "lost" | "kept" | "torn" | "reordered";

const FATES = ["lost", "kept", "torn", "reordered"] as const;

/** Bytes that grow; what lies beyond `size` is zero. */
class Contents {
  size = 0;
  #bytes = new Uint8Array(0);

  static copy(other: Contents): Contents {
    const copy = new Contents();
    copy.write(0, other.view());
    return copy;
  }

  view(): Uint8Array {
    return this.#bytes.subarray(0, this.size);
  }

  write(position: number, bytes: Uint8Array): void {
    this.resize(Math.max(this.size, position + bytes.length));
    this.#bytes.set(bytes, position);
  }

  resize(sizeBytes: number): void {
    if (sizeBytes > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(sizeBytes, 2 * this.#bytes.length));
      grown.set(this.#bytes);
      this.#bytes = grown;
    } else if (sizeBytes < this.size) this.#bytes.fill(0, sizeBytes, this.size);
    this.size = sizeBytes;
  }

  apply(change: Change): void {
    if (change.kind === "write") this.write(change.position, change.bytes);
    else this.resize(change.sizeBytes);
  }
}

/** A file's contents, whatever names it has. */
export class SimulatedFile {
  #visible = new Contents();
  #durable = new Contents();
  #pending: Change[] = [];
  #sequence = 0;

  /** An empty file. @param birthMs when it is made */
  constructor(readonly birthMs = 0) {}

  /** A file that holds `bytes`, durably. */
  static of(bytes: Uint8Array, birthMs: number): SimulatedFile {
    const file = new SimulatedFile(birthMs);
    file.#visible.write(0, bytes);
    file.#durable.write(0, bytes);
    return file;
  }

  /** What readers see; not to be changed. */
  view(): Uint8Array {
    return this.#visible.view();
  }

  /** Write; `bytes` are copied. */
  write(position: number, bytes: Uint8Array): void {
    this.#change({ kind: "write", sequence: ++this.#sequence, position, bytes: new Uint8Array(bytes) });
  }

  /** Cut or extend. */
  truncate(sizeBytes: number): void {
    this.#change({ kind: "truncate", sequence: ++this.#sequence, sizeBytes });
  }

  /** A mark for {@link SimulatedFile.synced}: everything done so far. */
  mark(): number {
    return this.#sequence;
  }

  /** A sync that began at `mark` has succeeded. */
  synced(mark: number): void {
    for (const change of this.#take(mark)) this.#durable.apply(change);
  }

  /** A sync that began at `mark` has failed: part of it reached the disk, the rest never will. */
  syncFailed(mark: number, random: SimulatedRandom): void {
    this.#settle(this.#take(mark), random);
  }

  /** The power went: from now on readers see what reached the disk. Says what became of what was not synced. */
  crash(random: SimulatedRandom): Fate {
    const fate = this.#settle(this.#take(Infinity), random);
    this.#visible = Contents.copy(this.#durable);
    return fate;
  }

  /** Damage one bit on the medium, unnoticed. */
  flipBit(position: number, bit: number): void {
    for (const contents of [this.#visible, this.#durable]) {
      if (position < contents.size) contents.view()[position]! ^= 1 << bit;
    }
  }

  #change(change: Change): void {
    this.#visible.apply(change);
    this.#pending.push(change);
  }

  #take(mark: number): Change[] {
    const later = this.#pending.findIndex((change) => change.sequence > mark);
    return this.#pending.splice(0, later < 0 ? this.#pending.length : later);
  }

  /** Let chance decide what of `changes` reached the disk. */
  #settle(changes: readonly Change[], random: SimulatedRandom): Fate {
    const fate = random.pick(FATES);
    if (changes.length === 0) return "kept";
    if (fate === "lost") return fate;
    const whole = fate === "kept" ? changes.length : random.integer(changes.length + 1);
    for (const change of changes.slice(0, whole)) this.#durable.apply(change);
    const rest = changes.slice(whole);
    const next = rest[0];
    if (fate === "torn") {
      if (next?.kind === "write") this.#durable.write(next.position, head(next.bytes, random));
    } else if (fate === "reordered") this.#scatter(rest, random);
    return fate;
  }

  /** Write back each sector of `changes`, up to the next truncation, as it was at some moment. */
  #scatter(changes: readonly Change[], random: SimulatedRandom): void {
    const truncation = changes.findIndex((change) => change.kind === "truncate");
    const writes = truncation < 0 ? changes : changes.slice(0, truncation);
    let size = this.#durable.size; // the length, too, is as it was at some moment
    const sizeMoment = random.integer(writes.length + 1);
    const pieces = new Map<
      number,
      { readonly moment: number; readonly at: number; readonly bytes: Uint8Array }[]
    >();
    writes.forEach((change, moment) => {
      if (change.kind !== "write") return;
      const end = change.position + change.bytes.length;
      if (moment < sizeMoment) size = Math.max(size, end);
      for (let at = change.position; at < end;) {
        const sector = Math.floor(at / SECTOR_BYTES);
        const stop = Math.min(end, (sector + 1) * SECTOR_BYTES);
        const bytes = change.bytes.subarray(at - change.position, stop - change.position);
        pieces.set(sector, [...pieces.get(sector) ?? [], { moment, at, bytes }]);
        at = stop;
      }
    });
    for (const all of pieces.values()) {
      const until = random.integer(writes.length + 1);
      this.#writeBack(all.filter(({ moment }) => moment < until), random);
    }
    this.#durable.resize(size);
  }

  /** A sector with what was written to it by some moment, in one go: sometimes only the first part of that. */
  #writeBack(
    pieces: readonly { readonly at: number; readonly bytes: Uint8Array }[],
    random: SimulatedRandom,
  ): void {
    if (pieces.length === 0) return;
    const start = Math.min(...pieces.map(({ at }) => at));
    const end = Math.max(...pieces.map(({ at, bytes }) => at + bytes.length));
    const written = new Uint8Array(end - start);
    written.set(this.#durable.view().subarray(start, end));
    for (const { at, bytes } of pieces) written.set(bytes, at - start);
    this.#durable.write(start, random.chance(0.1) ? head(written, random) : written);
  }
}

/** Some first part of `bytes`, perhaps none. */
function head(bytes: Uint8Array, random: SimulatedRandom): Uint8Array {
  return bytes.subarray(0, random.integer(bytes.length + 1));
}
