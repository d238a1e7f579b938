/**
 * What is judged, where, and what is done to it.
 *
 * @module
 */

import type { Environment } from "../../actors/runtime/environment.ts";
import type { Engine } from "../engine.ts";

/** Where an engine is opened. */
export interface Place extends Environment {
  /** Its directory. */
  readonly directory: string;
}

/** An engine to judge. */
export interface Subject {
  /** For test names. */
  readonly name: string;
  /** False: `count`, and keys and live bytes of `stats`, may count a key that was overwritten more than once. */
  readonly exactCounts?: boolean;
  /** Open it, syncing always. Small segments, tables and buffers make a short test do more. */
  open(place: Place): Promise<Engine>;
  /** Its kinds of file: how their paths end. Every one of them is written in a workload of some length. */
  readonly files?: Readonly<Record<string, RegExp>>;
}

/** A machine to judge it on. */
export interface World {
  /** The environment of the running process and an empty directory, the same on every call. */
  place(): Place;
  /** Let time pass until a promise settles. */
  settle<T>(promise: Promise<T>): Promise<T>;
  /** Let time pass until a promise settles (true) or the process ends (false). */
  survives(promise: Promise<void>): Promise<boolean>;
}

/** A change of a disk that did not come about. */
export interface Missed {
  /** What it would have been. */
  readonly operation: string;
  /** Of what. */
  readonly path: string;
}

/** A machine that fails on demand. After its process has ended, {@link World.place} is in a new one. */
export interface FaultyWorld extends World {
  /** Let time pass. */
  runFor(ms: number): Promise<void>;
  /** The power goes instead of the `count`-th change of the disk from now on (1: the next one). */
  crashAt(count: number): void;
  /** Changes of the disk so far. */
  changes(): number;
  /** The change that the power went instead of, when it last did; null before. */
  missed(): Missed | null;
  /** The process ends; the disk shows what was written. */
  kill(): void;
  /** The power goes, now. */
  crash(): void;
  /** Bytes in files. */
  usedBytes(): number;
  /** What the disk does. */
  readonly faults: {
    /** Chance of a read to fail. */
    readErrorRate: number;
    /** Chance of a sync to fail. */
    syncErrorRate: number;
    /** Chance of a write to fail. */
    writeErrorRate: number;
    /** Chance of a write to be short. */
    shortWriteRate: number;
    /** Bytes that fit. */
    capacityBytes: number;
    /** Whether every change fails. */
    readOnly: boolean;
  };
}

/** A check of an engine in a world. */
export type Check<W extends World> = (subject: Subject, newWorld: (seed: number) => W) => Promise<void>;
