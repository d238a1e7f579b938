/**
 * A store of a few small segments, known to the byte, to be damaged.
 *
 * @module
 */

import { assert, assertEquals } from "../../../actors/runtime/testing/assert.ts";
import { type Engine, EngineError } from "../../engine.ts";
import { openJournal } from "../../journal.ts";
import { type SimulatedWorld, simulatedWorld } from "../../testing/worlds.ts";
import type { PlacedChange } from "../codec.ts";
import { BITCASK_CORE, type BitcaskCore } from "../core.ts";
import { type BitcaskEngineOptions, openBitcaskEngine } from "../engine.ts";
import { visitRecord } from "../records.ts";

/** Where worlds keep their store. */
export const DIRECTORY = "data/store";
/** The path of a file of the store. */
export const path = (number: number, suffix = ".log") =>
  `${DIRECTORY}/${String(number).padStart(10, "0")}${suffix}`;
/** A key. */
export const key = (n: number) => Uint8Array.of(n >> 8, n & 255, 7);
/** The partition that a key is put in. */
export const partition = (n: number) => n % 3;
/** A record that no other key or version has. */
export const record = (n: number, version: number) => new Uint8Array(50 + n % 20).fill(version).with(0, n);

/** What a test may choose of an engine. */
export type Choice = Partial<BitcaskEngineOptions> & { readonly core?: BitcaskCore };

/** Begin to open the store of a world: small segments, and no cleaning unless told. */
export function opening(
  world: SimulatedWorld,
  { core = BITCASK_CORE, ...options }: Choice = {},
): Promise<Engine> {
  const small = { sync: "always" as const, segmentBytes: 1024, deadBytes: 1 << 20 };
  return openBitcaskEngine({ ...world.place(), ...small, ...options }, core);
}

/** Open the store of a world, as {@link opening}. */
export function open(world: SimulatedWorld, choice: Choice = {}): Promise<Engine> {
  return world.settle(opening(world, choice));
}

/** Put a version of a key. */
export function put(engine: Engine, n: number, version: number): Promise<void> {
  return engine.write([{ partition: partition(n), key: key(n), record: record(n, version) }]);
}

/** Remove a key. */
export function remove(engine: Engine, n: number): Promise<void> {
  return engine.write([{ partition: partition(n), key: key(n), record: null }]);
}

/** So many keys there are in {@link smallStore}. */
export const KEYS = 30;

/** What {@link smallStore} holds of a key: all in version 1 but for some in version 2; every seventh is removed. */
export function expected(n: number): Uint8Array | null {
  if (n % 7 === 6) return null;
  return record(n, n % 5 === 0 ? 2 : 1);
}

/** A store that was closed: some segments, hint files, dead records and removals among them. */
export async function smallStore(seed = 1): Promise<SimulatedWorld> {
  const world = simulatedWorld(seed);
  const engine = await open(world);
  for (let n = 0; n < KEYS; n++) await world.settle(put(engine, n, 1));
  for (let n = 0; n < KEYS; n++) {
    if (n % 7 === 6) await world.settle(remove(engine, n));
    else if (n % 5 === 0) await world.settle(put(engine, n, 2));
  }
  await world.settle(engine.close());
  world.kill();
  return world;
}

/** A file of a world's store. */
export function fileOf(world: SimulatedWorld, path: string): Uint8Array {
  return world.disk.snapshot().get(path)!;
}

/** End the process and change files: null removes one. */
export function replaceFiles(
  world: SimulatedWorld,
  files: Readonly<Record<string, Uint8Array | null>>,
): void {
  world.kill();
  const all = new Map(world.disk.snapshot());
  for (const [path, bytes] of Object.entries(files)) {
    if (bytes) all.set(path, bytes);
    else all.delete(path);
  }
  world.disk.restore(all);
}

/** What an engine shows of the keys of {@link smallStore}: a record, null, or the code of the error. */
export async function shown(engine: Engine, n: number): Promise<Uint8Array | string | null> {
  try {
    return await engine.get(partition(n), key(n));
  } catch (error) {
    assert(error instanceof EngineError, String(error));
    return error.code;
  }
}

/** Everything that {@link smallStore} holds is there. */
export async function assertWhole(engine: Engine): Promise<void> {
  for (let n = 0; n < KEYS; n++) assertEquals(await shown(engine, n), expected(n), `key ${n}`);
}

/** A change, and where it stands. */
export interface Standing extends PlacedChange {
  /** The segment. */
  readonly segment: number;
  /** Where in it the change begins. */
  readonly at: number;
  /** Its length. */
  readonly sizeBytes: number;
}

/** All changes in the files of a closed store, in order. */
export async function changesOf(world: SimulatedWorld): Promise<Standing[]> {
  const before = world.disk.snapshot();
  const journal = await world.settle(openJournal({ ...world.place(), sync: "always" }, () => true));
  const changes: Standing[] = [];
  for (const segment of journal.segments().keys()) {
    for (const found of journal.read(segment)) {
      assert(found.kind === "record");
      const change = (change: PlacedChange, at: number) => {
        const copy = { ...change, key: change.key.slice(), record: change.record?.slice() ?? null };
        const sizeBytes = 20 + change.key.length + (change.record?.length ?? 0);
        changes.push({ ...copy, segment, at, sizeBytes });
      };
      assert(visitRecord(BITCASK_CORE, found, { change, storeId: () => {} }));
    }
  }
  world.kill();
  world.disk.restore(before);
  return changes;
}

/** The last change of a key. */
export async function lastOf(world: SimulatedWorld, n: number): Promise<Standing> {
  const isIt = (change: Standing) => change.key[0] === n >> 8 && change.key[1] === (n & 255);
  return (await changesOf(world)).findLast(isIt)!;
}

/** Whether a change removes something. */
export const isRemoval = ({ record }: { readonly record: Uint8Array | null }) => record === null;
