/**
 * A disk that stays as it is, beside one on which the same is done for real.
 *
 * @module
 */

import fc from "fast-check";
import { Simulation } from "../simulated/simulation.ts";
import { type Disk, DiskError } from "./environment.ts";
import { StillDisk } from "./still_disk.ts";
import { assert, assertEquals, assertThrows } from "./testing/assert.ts";

const PATHS = ["d/a", "d/b", "d/e/a", "n/a"];
/** Some pages, and a bit. */
const LENGTH = 40_000;

const path = fc.constantFrom(...PATHS);
const offset = fc.oneof(fc.nat(LENGTH), fc.constantFrom(0, 1, 16 * 1024 - 1, 16 * 1024, 32 * 1024));
const operation = fc.oneof(
  fc.record({
    kind: fc.constant("write" as const),
    path,
    at: offset,
    size: fc.nat(20_000),
    fill: fc.nat(255),
  }),
  fc.record({ kind: fc.constant("truncate" as const), path, at: offset }),
  fc.record({ kind: fc.constantFrom("rename" as const, "link" as const), path, to: path }),
  fc.record({ kind: fc.constantFrom("remove" as const, "make" as const), path }),
);
type Operation = typeof operation extends fc.Arbitrary<infer T> ? T : never;

/** A machine with files on it. */
function machine() {
  const simulation = new Simulation({ seed: 1 });
  const { disk } = simulation.environment("n1");
  disk.makeDirectory("d/e");
  for (const [n, path] of ["d/a", "d/e/a"].entries()) {
    const file = disk.open(path, { write: true, create: true });
    file.write(new Uint8Array(LENGTH).map((_, at) => at * (n + 1)), 0);
    file.close();
  }
  const { faults } = simulation.disk("n1");
  return { disk, faults, checksum: () => simulation.disk("n1").checksum() };
}

/** Do it, and say what came of it. */
function outcome(disk: Disk, operation: Operation): string {
  try {
    perform(disk, operation);
    return "done";
  } catch (error) {
    assert(error instanceof DiskError, String(error));
    return error.code;
  }
}

function perform(disk: Disk, operation: Operation): void {
  switch (operation.kind) {
    case "write":
    case "truncate": {
      const file = disk.open(operation.path, { write: true, create: true });
      if (operation.kind === "truncate") file.truncate(operation.at);
      else file.write(new Uint8Array(operation.size).fill(operation.fill), operation.at);
      return file.close();
    }
    case "rename":
    case "link":
      return disk[operation.kind](operation.path, operation.to);
    case "remove":
      return disk.remove(operation.path);
    case "make":
      return disk.makeDirectory(operation.path);
  }
}

/** Everything that a disk shows. */
function shown(disk: Disk, directory: string): unknown {
  return disk.list(directory).map((name) => {
    const path = `${directory}/${name}`;
    if (!isFile(disk, path)) return [name, shown(disk, path)];
    const file = disk.open(path);
    const bytes = new Uint8Array(file.size() + 1);
    const read = file.read(bytes, 0);
    file.close();
    return [name, read, bytes];
  });
}

function isFile(disk: Disk, path: string): boolean {
  return outcome(disk, { kind: "make", path }) === "exists";
}

Deno.test("a still disk shows what a real one would, and the disk below stays as it was", () => {
  fc.assert(
    fc.property(fc.array(operation, { maxLength: 30 }), (operations) => {
      const real = machine();
      const below = machine();
      const before = below.checksum();
      const still = new StillDisk(below.disk);
      for (const operation of operations) {
        assertEquals(outcome(still, operation), outcome(real.disk, operation), JSON.stringify(operation));
        assertEquals(shown(still, "d"), shown(real.disk, "d"));
      }
      assertEquals(below.checksum(), before);
    }),
    { numRuns: 300 },
  );
});

Deno.test("a still disk: what is open stays open when its name goes, and handles share what is written", () => {
  const still = new StillDisk(machine().disk);
  const reader = still.open("d/a");
  const writer = still.open("d/a", { write: true });
  writer.write(Uint8Array.of(77), 5);
  const byte = new Uint8Array(1);
  assertEquals([reader.read(byte, 5), byte[0]], [1, 77]);
  still.remove("d/a");
  assertEquals(still.exists("d/a"), false);
  assertEquals([reader.read(byte, 5), byte[0]], [1, 77]);
  assertThrows(() => reader.write(byte, 0), DiskError, "for reading");
  reader.close();
  assertThrows(() => reader.size(), DiskError, "closed");
});

Deno.test("a still disk is full when more was written than it may keep", () => {
  const still = new StillDisk(machine().disk, 40_000);
  const file = still.open("d/a", { write: true });
  file.write(new Uint8Array(30_000), 0);
  assertThrows(() => file.write(new Uint8Array(30_000), 100_000), DiskError, "kept in memory");
});

Deno.test("a still disk: locks are those of the disk below, and none is made", () => {
  const { disk, faults } = machine();
  disk.lock("d/lock");
  const still = new StillDisk(disk);
  assertThrows(() => still.lock("d/lock"), DiskError, "another process");
  still.lock("d/e/lock").release();
  assertEquals(disk.exists("d/e/lock"), false);
  assertEquals([still.exists("d/e/lock"), still.birthMs("d/e/lock")], [true, null]);
  disk.lock("d/e/lock").release();
  faults.readOnly = true;
  new StillDisk(disk).lock("d/e/lock").release();
});
