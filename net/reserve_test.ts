/**
 * Space put aside, on a simulated disk that fills up.
 *
 * @module
 */

import { type Disk, DiskError } from "../actors/runtime/environment.ts";
import { assert, assertEquals, assertThrows } from "../actors/runtime/testing/assert.ts";
import { Simulation } from "../actors/simulated/simulation.ts";
import { Reserve } from "./reserve.ts";
import { ReserveDisk } from "./reserve_disk.ts";

const NODE = "n1";
const KIB = 1024;
const MIB = 1024 * KIB;
const LATER_MS = 10_500;

function machine() {
  const simulation = new Simulation({ seed: 1 });
  const environment = simulation.environment(NODE);
  environment.disk.makeDirectory("data");
  const disk = simulation.disk(NODE);
  const room = (bytes: number) => disk.faults.capacityBytes = disk.usedBytes + bytes;
  return { simulation, environment, disk, room };
}

function diskOf(reserve: Reserve, { disk }: { readonly disk: Disk }, forLogs = true): ReserveDisk {
  const reserved = new ReserveDisk(disk, reserve);
  reserved.isForLogs = forLogs;
  return reserved;
}

/** Write so many bytes to a file of their own; how many there was room for. */
function write(disk: Disk, path: string, sizeBytes: number): number {
  const file = disk.open(path, { write: true, create: true });
  const bytes = new Uint8Array(sizeBytes);
  let done = 0;
  try {
    while (done < sizeBytes) done += file.write(bytes.subarray(done), done);
  } catch (error) {
    assert(error instanceof DiskError && error.code === "no-space");
  }
  file.close();
  return done;
}

Deno.test("reserve: it is put aside bit by bit, found by the next process, and no more than that", async () => {
  const { simulation, environment, disk } = machine();
  const reserve = new Reserve(environment, "data", 3 * MIB);
  assertEquals(reserve.keptBytes, 0);
  reserve.keep();
  await simulation.runFor(30);
  assertEquals([reserve.keptBytes, disk.usedBytes], [0, 2 * MIB]);
  await simulation.runFor(100);
  assertEquals([reserve.keptBytes, disk.usedBytes], [3 * MIB, 3 * MIB]);
  simulation.killNode(NODE);
  const again = new Reserve(simulation.environment(NODE), "data", 3 * MIB);
  assertEquals(again.keptBytes, 3 * MIB);
  again.keep();
  await simulation.runFor(100);
  assertEquals(disk.usedBytes, 3 * MIB);
});

Deno.test("reserve: nothing is put aside where 0 is asked for", async () => {
  const { simulation, environment, disk } = machine();
  const reserve = new Reserve(environment, "data", 0);
  reserve.keep();
  await simulation.runFor(LATER_MS);
  assertEquals([reserve.keptBytes, disk.usedBytes], [0, 0]);
  assertEquals(reserve.onFull(10, true), false);
});

Deno.test("reserve: where there is no room for all of it nothing is taken, and it is tried again", async () => {
  const { simulation, environment, disk, room } = machine();
  room(2 * MIB);
  const reserve = new Reserve(environment, "data", 3 * MIB);
  reserve.keep();
  await simulation.runFor(500);
  assertEquals([reserve.keptBytes, disk.usedBytes], [0, 0]);
  room(4 * MIB);
  await simulation.runFor(LATER_MS);
  assertEquals([reserve.keptBytes, disk.usedBytes], [3 * MIB, 3 * MIB]);
});

Deno.test("reserve: while it grows it is in nobody's way", async () => {
  const { simulation, environment, disk, room } = machine();
  room(4 * MIB);
  const reserve = new Reserve(environment, "data", 4 * MIB);
  reserve.keep();
  await simulation.runFor(50);
  assertEquals(disk.usedBytes, 3 * MIB);
  assertEquals(write(diskOf(reserve, environment, false), "data/x.log", 2 * MIB), 2 * MIB);
  assertEquals([reserve.keptBytes, disk.usedBytes], [0, 2 * MIB]);
});

Deno.test("reserve: a full disk takes from it only what is entitled to it, and block by block", async () => {
  const { simulation, environment, disk, room } = machine();
  const reserve = new Reserve(environment, "data", MIB);
  reserve.keep();
  await simulation.runFor(100);
  room(0);
  const of = (forLogs: boolean) => diskOf(reserve, environment, forLogs);
  assertEquals(write(of(false), "data/clients.log", 100), 0);
  assertEquals(write(of(false), "data/clients.log.tmp", 100), 0);
  assertEquals(reserve.keptBytes, MIB);
  assertEquals(write(of(false), "data/table", 100), 100);
  assertEquals(reserve.keptBytes, MIB - 4 * KIB);
  assertEquals(write(of(true), "data/more.log", 100 * KIB), 100 * KIB);
  assert(reserve.keptBytes >= MIB - 108 * KIB);
  assertEquals(write(of(true), "data/all", 2 * MIB) > 900 * KIB, true);
  assertEquals([reserve.keptBytes, disk.usedBytes], [0, disk.faults.capacityBytes]);
  const last = of(true).open("data/table", { write: true });
  assertThrows(() => last.write(new Uint8Array(9), 200), DiskError, "no space");
});

Deno.test("reserve: what was given up is put aside again when there is space", async () => {
  const { simulation, environment, disk, room } = machine();
  const reserve = new Reserve(environment, "data", MIB);
  reserve.keep();
  await simulation.runFor(100);
  room(0);
  assertEquals(write(diskOf(reserve, environment), "data/own", 10_000), 10_000);
  const left = reserve.keptBytes;
  await simulation.runFor(LATER_MS);
  assertEquals([reserve.keptBytes, disk.usedBytes], [left + 2_288, disk.faults.capacityBytes]);
  diskOf(reserve, environment, false).remove("data/own");
  assertEquals([reserve.keptBytes, disk.usedBytes], [MIB, MIB]);
  write(environment.disk, "data/other", 100);
  write(diskOf(reserve, environment), "data/own", 10_000);
  disk.faults.capacityBytes = Infinity;
  await simulation.runFor(2 * LATER_MS);
  assertEquals(reserve.keptBytes, MIB);
  reserve.stop();
});

Deno.test("reserve: a disk that takes nothing at all is no reason to fail", async () => {
  const { simulation, environment, disk } = machine();
  disk.faults.readOnly = true;
  const reserve = new Reserve(environment, "data", MIB);
  reserve.keep();
  await simulation.runFor(LATER_MS);
  assertEquals([reserve.keptBytes, reserve.onFull(1, true)], [0, false]);
  const elsewhere = new Reserve(environment, "none", MIB);
  elsewhere.keep();
  await simulation.runFor(LATER_MS);
  assertEquals(elsewhere.keptBytes, 0);
  elsewhere.stop();
});
