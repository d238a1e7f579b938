/**
 * What is asked of an engine besides reading and writing: to give back space, and to copy itself.
 *
 * @module
 */

import { assert, assertEquals, assertRejects } from "../../actors/runtime/testing/assert.ts";
import { type Engine, EngineError } from "../engine.ts";
import { bytesIn } from "./directory.ts";
import { keyOf, recordOf } from "./operation.ts";
import type { FaultyWorld, Place, Subject, World } from "./subject.ts";

/** What a store takes that holds next to nothing. */
const NEXT_TO_NOTHING = 64 * 1024;

const ROUNDS = 30;
const KEYS = 13;

/** Every key again and again, in three partitions; the record of each says in which round. */
async function fill(world: World, engine: Engine, from: number, rounds: number): Promise<void> {
  for (let round = from; round < from + rounds; round++) {
    for (let k = 0; k < KEYS; k++) await world.settle(put(engine, k, round));
  }
}

function put(engine: Engine, k: number, round: number): Promise<void> {
  return engine.write([{ partition: k % 3, key: keyOf(k), record: recordOf(round, 300 + k) }]);
}

/** In which round each key was written, as a store shows it; 0 where it is not there. */
async function roundsOf(engine: Engine): Promise<number[]> {
  const rounds: number[] = [];
  for (let k = 0; k < KEYS; k++) {
    const record = await engine.get(k % 3, keyOf(k));
    const round = record ? new DataView(record.buffer, record.byteOffset).getUint32(0) : 0;
    if (record) assertEquals(record, recordOf(round, 300 + k));
    rounds.push(round);
  }
  return rounds;
}

function all(round: number): number[] {
  return Array<number>(KEYS).fill(round);
}

/** Compaction leaves what is live and little else, and takes writes meanwhile. */
export async function compactsAway(subject: Subject, newWorld: (seed: number) => World): Promise<void> {
  const world = newWorld(1);
  const engine = await world.settle(subject.open(world.place()));
  await fill(world, engine, 1, ROUNDS);
  const fractions: number[] = [];
  const compacting = engine.compact((fraction) => fractions.push(fraction));
  const durable = [...all(0).keys()].map((k) => put(engine, k, ROUNDS + 1));
  await world.settle(Promise.all([compacting, ...durable]));
  assertEquals(await roundsOf(engine), all(ROUNDS + 1));
  assertEquals(fractions, fractions.toSorted((a, b) => a - b), "progress goes back");
  assertEquals(fractions.at(-1), 1);

  await world.settle(engine.compact());
  const { diskBytes, deadBytes, compactionDebtBytes, liveBytes } = engine.stats();
  assert(diskBytes < 2 * liveBytes + NEXT_TO_NOTHING, `${diskBytes} bytes on disk for ${liveBytes}`);
  assert(deadBytes < NEXT_TO_NOTHING, `${deadBytes} dead bytes`);
  assertEquals(compactionDebtBytes, 0);
  await world.settle(engine.close());
}

/** A store from which everything was removed is next to nothing once it has been compacted. */
export async function compactsToNothing(subject: Subject, newWorld: (seed: number) => World): Promise<void> {
  const world = newWorld(1);
  let engine = await world.settle(subject.open(world.place()));
  await fill(world, engine, 1, ROUNDS);
  await world.settle(engine.dropPartition(0));
  for (let k = 0; k < KEYS; k++) {
    await world.settle(engine.write([{ partition: k % 3, key: keyOf(k), record: null }]));
  }
  await world.settle(engine.compact());
  for (let life = 0; life < 2; life++) {
    assertEquals(await roundsOf(engine), all(0));
    assertEquals(engine.partitions(), []);
    assert(engine.stats().diskBytes < NEXT_TO_NOTHING, `${engine.stats().diskBytes} bytes for nothing`);
    await world.settle(engine.close());
    engine = await world.settle(subject.open(world.place()));
  }
  await world.settle(engine.close());
}

function copyOf(place: Place, name = "copy"): Place {
  return { ...place, directory: `${place.directory}-${name}` };
}

/** A copy has what was acknowledged before it was asked for. */
export async function copiesItself(subject: Subject, newWorld: (seed: number) => World): Promise<void> {
  const world = newWorld(1);
  const engine = await world.settle(subject.open(world.place()));
  await fill(world, engine, 1, ROUNDS);
  const fractions: number[] = [];
  const { directory } = copyOf(world.place());
  const copying = engine.copyTo(directory, (fraction) => fractions.push(fraction));
  const durable = [0, 1, 2, 3].map((k) => put(engine, k, ROUNDS + 1));
  await world.settle(Promise.all([copying, ...durable]));
  assertEquals(fractions.at(-1), 1);
  await assertRejects(() => world.settle(engine.copyTo(directory)), EngineError);

  const { storeId } = engine;
  await world.settle(engine.close());
  const copy = await world.settle(subject.open(copyOf(world.place())));
  assertEquals([copy.damageAtOpen, copy.storeId], [[], storeId]);
  const rounds = await roundsOf(copy);
  assert(rounds.every((round) => round === ROUNDS || round === ROUNDS + 1), `the copy shows ${rounds}`);
  assertEquals(await world.settle(copy.verify()), []);
  await world.settle(copy.close());
}

/** Copies stay what they are, whatever happens to what they are of. */
export async function copiesStay(subject: Subject, newWorld: (seed: number) => World): Promise<void> {
  const world = newWorld(1);
  const engine = await world.settle(subject.open(world.place()));
  const copies: { place: Place; bytes: Map<string, Uint8Array> }[] = [];
  for (let n = 0; n < 8; n++) {
    await world.settle(put(engine, n, 1));
    const place = copyOf(world.place(), `copy-${n}`);
    await world.settle(engine.copyTo(place.directory));
    copies.push({ place, bytes: bytesIn(place.disk, place.directory) });
  }
  await fill(world, engine, 2, ROUNDS);
  await world.settle(engine.compact());
  await world.settle(engine.close());
  for (const { place, bytes } of copies) assertEquals(bytesIn(place.disk, place.directory), bytes);
}

/** The power goes at every change that copying makes: the store is whole; and so is the copy, or it does not open. */
export async function copiesDurably(
  subject: Subject,
  newWorld: (seed: number) => FaultyWorld,
): Promise<void> {
  let isDone = false;
  for (let at = 1; !isDone; at++) {
    const world = newWorld(at);
    await world.survives((async () => {
      const engine = await subject.open(world.place());
      for (let k = 0; k < KEYS; k++) await put(engine, k, 1);
      world.crashAt(at);
      await engine.copyTo(copyOf(world.place()).directory);
      isDone = true;
    })());
    world.crash();
    const original = await world.settle(subject.open(world.place()));
    assertEquals(await roundsOf(original), all(1));
    await world.settle(original.close());
    const copy = copyOf(world.place());
    if (!isDone && (!copy.disk.exists(copy.directory) || copy.disk.list(copy.directory).length === 0)) {
      continue;
    }
    try {
      const engine = await world.settle(subject.open(copy));
      assertEquals(await roundsOf(engine), all(1), `the power went at change ${at}`);
      await world.settle(engine.close());
    } catch (error) {
      if (isDone || !(error instanceof EngineError)) throw error;
    }
  }
}
