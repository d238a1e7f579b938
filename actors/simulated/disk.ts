/**
 * A disk that fails like disks do.
 *
 * It belongs to a machine and outlives the processes on it: a process that is killed leaves what it wrote to
 * the next one; a power cut ({@link SimulatedDisk.crash}) leaves what `file.ts` and `names.ts` say. Faults are
 * drawn from the rates in {@link SimulatedDisk.faults}, all zero at first.
 *
 * @module
 */

import { encodeUtf8 } from "../runtime/bytes.ts";
import { crc32c } from "../runtime/crc32c.ts";
import { type Disk, DiskError } from "../runtime/environment.ts";
import type { Events, Process } from "./events.ts";
import { SimulatedFile } from "./file.ts";
import { Names, normalize, parentOf } from "./names.ts";
import { type DiskOperation, ProcessDisk } from "./process_disk.ts";
import type { SimulatedRandom } from "./random.ts";

export type { DiskOperation };

/** What goes wrong, and how often: rates are probabilities per call. Change it at any time. */
export interface DiskFaults {
  /** A read fails with `io`. */
  readErrorRate: number;
  /** A write fails with `io`, nothing written. */
  writeErrorRate: number;
  /** A write takes only a part of its bytes. */
  shortWriteRate: number;
  /** A sync fails: part of the data is lost, and nobody will see before the next crash. */
  syncErrorRate: number;
  /** A read comes back with one bit flipped; the medium is whole. */
  bitFlipRate: number;
  /** A read comes from another place in the file. */
  misdirectedReadRate: number;
  /** A write lands at another place in the file. */
  misdirectedWriteRate: number;
  /** Bytes that fit; past it writes are short, then fail with `no-space`. */
  capacityBytes: number;
  /** Every change fails with `read-only`. */
  readOnly: boolean;
  /** How long a sync takes at least. */
  syncMinMs: number;
  /** How long a sync takes at most. */
  syncMaxMs: number;
}

/** A disk with nothing wrong. */
export function healthyDisk(): DiskFaults {
  return {
    readErrorRate: 0,
    writeErrorRate: 0,
    shortWriteRate: 0,
    syncErrorRate: 0,
    bitFlipRate: 0,
    misdirectedReadRate: 0,
    misdirectedWriteRate: 0,
    capacityBytes: Infinity,
    readOnly: false,
    syncMinMs: 0.1,
    syncMaxMs: 0.4,
  };
}

/** A copy of what a disk shows, to be put back later. */
export type DiskSnapshot = ReadonlyMap<string, Uint8Array | null>;

/** The disk of one simulated machine. */
export class SimulatedDisk {
  /** What goes wrong. */
  readonly faults: DiskFaults = healthyDisk();
  /**
   * Called before each operation of a process takes effect. It may end that process (then the operation does
   * not happen) or throw a {@link DiskError}: a test can stop a program at its every step.
   */
  beforeEach: ((operation: DiskOperation, path: string) => void) | null = null;

  readonly #events: Events;
  readonly #random: SimulatedRandom;
  readonly #locks = new Map<SimulatedFile, Process>();
  #names = new Names();
  #user: Process | null = null;

  /**
   * Make one.
   *
   * @param events where syncs take their time
   * @param random decides what fails and what a crash leaves
   */
  constructor(events: Events, random: SimulatedRandom) {
    this.#events = events;
    this.#random = random;
  }

  /** The power goes: of what was not synced, chance decides what is left. */
  crash(): void {
    this.#names.crash(this.#random);
    for (const file of this.#names.files()) {
      const fate = file.crash(this.#random);
      if (fate !== "kept") this.#events.inject(`unsynced-${fate}`);
    }
  }

  /** An empty disk in its place. Not while a process uses it. */
  wipe(): void {
    this.restore(new Map());
  }

  /** A copy of everything it shows. */
  snapshot(): DiskSnapshot {
    return new Map(
      Array.from(
        this.#names.entries(),
        ([path, entry]) => [path, entry === "directory" ? null : entry.view().slice()],
      ),
    );
  }

  /** An older copy in its place, durably, its files made now. Not while a process uses it. */
  restore(snapshot: DiskSnapshot): void {
    if (this.#user?.alive) throw new Error("kill the process before its disk is exchanged");
    this.#names = new Names();
    for (const [path, bytes] of snapshot) {
      this.#names.set(path, bytes ? SimulatedFile.of(bytes, this.#events.now) : "directory");
    }
    for (const directory of new Set([...snapshot.keys()].map(parentOf))) {
      this.#names.synced(directory, this.#names.mark());
    }
  }

  /** Damage one bit of a file on the medium, unnoticed. */
  flipBit(path: string, position: number, bit = 0): void {
    const file = this.#names.get(normalize(path));
    if (file instanceof SimulatedFile) file.flipBit(position, bit);
  }

  /** How many bytes its files take. */
  get usedBytes(): number {
    let used = 0;
    for (const file of this.#names.files()) used += file.view().length;
    return used;
  }

  /** A checksum over every visible path and byte, for comparing two runs. */
  checksum(): number {
    let crc = 0;
    for (const [path, bytes] of [...this.snapshot()].sort(([a], [b]) => a < b ? -1 : 1)) {
      crc = crc32c(encodeUtf8(path), crc);
      if (bytes) crc = crc32c(bytes, crc);
    }
    return crc;
  }

  /** The disk as a process on this machine uses it. */
  forProcess(process: Process): Disk {
    this.#user = process;
    const guard = (operation: DiskOperation, path: string) => {
      if (process.alive) this.beforeEach?.(operation, path);
      if (!process.alive) throw new DiskError("io", path, "the process has ended");
    };
    const { faults } = this;
    const parts = {
      names: this.#names,
      locks: this.#locks,
      faults,
      random: this.#random,
      events: this.#events,
    };
    return new ProcessDisk({ ...parts, process, guard });
  }
}
