import fc from "fast-check";
import { type Disk, DiskError, type DiskFile } from "../runtime/environment.ts";
import {
  assert,
  assertEquals,
  assertNotEquals,
  assertRejects,
  assertThrows,
} from "../runtime/testing/assert.ts";
import type { DiskFaults, SimulatedDisk } from "./disk.ts";
import { type Fate, SimulatedFile } from "./file.ts";
import { Names } from "./names.ts";
import { SimulatedRandom } from "./random.ts";
import { Simulation } from "./simulation.ts";

/** What these properties need of a file: {@link SimulatedFile}, or one with a bug in it. */
type Subject = Pick<
  SimulatedFile,
  "view" | "write" | "truncate" | "mark" | "synced" | "syncFailed" | "crash"
>;

/** Something done to a file. */
type Step =
  | { readonly kind: "write"; readonly position: number; readonly bytes: Uint8Array }
  | { readonly kind: "truncate"; readonly sizeBytes: number }
  | { readonly kind: "sync" | "failedSync" | "crash" };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant("write" as const),
      position: fc.nat({ max: 1500 }),
      bytes: fc.uint8Array({ minLength: 1, maxLength: 1200, size: "max" }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant("truncate" as const), sizeBytes: fc.nat({ max: 2000 }) }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom("sync" as const, "failedSync" as const) }) },
);
const steps = fc.array(step, { maxLength: 12 });
const seed = fc.nat();

/**
 * The dumb twin of a file: for each byte, every value that a crash may leave there, and the range of lengths.
 * What lies past the end counts as zero. A failed sync leaves all of them open until the next crash.
 */
class Possible {
  visible: number[] = [];
  bytes: Set<number>[] = [];
  sizes = [0];
  /** Whether a failed sync has left the durable contents in doubt: then a good sync does not settle them. */
  #doubt = false;

  apply(step: Step): void {
    if (step.kind === "write") {
      this.#extend(step.position + step.bytes.length);
      step.bytes.forEach((byte, i) => this.visible[step.position + i] = byte);
    } else if (step.kind === "truncate") {
      this.#extend(step.sizeBytes);
      this.visible.length = step.sizeBytes;
    } else if (step.kind === "failedSync") this.#doubt = true;
    else if (!this.#doubt) this.#settle();
    this.#note();
  }

  allows(contents: Uint8Array): boolean {
    const inRange = Math.min(...this.sizes) <= contents.length && contents.length <= Math.max(...this.sizes);
    return inRange && contents.every((byte, i) => this.bytes[i]?.has(byte) ?? byte === 0);
  }

  #extend(size: number): void {
    while (this.visible.length < size) this.visible.push(0);
  }

  #note(): void {
    this.sizes.push(this.visible.length);
    for (let i = 0; i < Math.max(this.visible.length, this.bytes.length); i++) {
      (this.bytes[i] ??= new Set([0])).add(this.visible[i] ?? 0);
    }
  }

  #settle(): void {
    this.sizes = [];
    this.bytes = this.visible.map((byte) => new Set([byte]));
  }
}

function drive(file: Subject, step: Step, random: SimulatedRandom): void {
  if (step.kind === "write") file.write(step.position, step.bytes);
  else if (step.kind === "truncate") file.truncate(step.sizeBytes);
  else if (step.kind === "sync") file.synced(file.mark());
  else if (step.kind === "failedSync") file.syncFailed(file.mark(), random);
}

/** A crash leaves only what the twin says it may. Throws when it does not. */
function crashLeavesWhatItMay(make: () => Subject): void {
  fc.assert(
    fc.property(steps, seed, (steps, seed) => {
      const random = new SimulatedRandom(String(seed));
      const [file, possible] = [make(), new Possible()];
      for (const step of steps) {
        drive(file, step, random);
        possible.apply(step);
        assertEquals([...file.view()], possible.visible); // whatever failed: until a crash nobody can tell
      }
      file.crash(random);
      assert(possible.allows(file.view()), `${file.view().length} bytes that were never there`);
    }),
    { endOnFailure: true },
  );
}

Deno.test("simulated file: a crash leaves what was synced, and of the rest only what was once written", () => {
  crashLeavesWhatItMay(() => new SimulatedFile());
});

Deno.test("simulated file: planted bugs: a crash that loses synced bytes, that invents bytes, that mixes positions", () => {
  class Losing extends SimulatedFile {
    override synced(): void {}
  }
  class Inventing extends SimulatedFile {
    override crash(random: SimulatedRandom): Fate {
      const fate = super.crash(random);
      if (this.view().length > 0) this.view()[0]! ^= 0x55;
      return fate;
    }
  }
  class Misplacing extends SimulatedFile {
    override synced(mark: number): void {
      super.synced(mark);
      this.view().copyWithin(1, 0);
    }
  }
  for (const Planted of [Losing, Inventing, Misplacing]) {
    assertThrows(() => crashLeavesWhatItMay(() => new Planted()), Error, "Property failed", Planted.name);
  }
});

/** How 4 KiB of new bytes over 4 KiB of synced old ones can come out of a power cut. */
function fates(make: () => Subject): Set<string> {
  const seen = new Set<string>();
  for (let seed = 0; seed < 200; seed++) {
    const file = make();
    file.write(0, new Uint8Array(4096).fill(1));
    file.synced(file.mark());
    file.write(0, new Uint8Array(2048).fill(2));
    file.write(2048, new Uint8Array(4096).fill(3));
    file.crash(new SimulatedRandom(String(seed)));
    const bytes = file.view();
    const isNew = Array.from({ length: 4096 }, (_, i) => bytes[i] !== 1);
    if (!isNew.includes(true)) seen.add("lost");
    else if (!isNew.includes(false)) seen.add("kept");
    else seen.add(isNew.lastIndexOf(true) > isNew.indexOf(false) ? "reordered" : "cut");
    if (isNew.some((value, i) => i % 512 !== 0 && value !== isNew[i - 1])) seen.add("torn");
    if (bytes.length === 6144) seen.add("grown");
  }
  return seen;
}

const ALL_FATES = ["cut", "grown", "kept", "lost", "reordered", "torn"];

Deno.test("simulated file: what was not synced can be lost, kept, cut, torn and reordered", () => {
  assertEquals([...fates(() => new SimulatedFile())].sort(), ALL_FATES);
});

Deno.test("simulated file: a planted disk that keeps unsynced bytes is seen", () => {
  class Keeping extends SimulatedFile {
    override crash(): Fate {
      return "kept";
    }
  }
  assertNotEquals([...fates(() => new Keeping())].sort(), ALL_FATES);
});

Deno.test("simulated names: a crash keeps of each directory a first part of what was not synced", () => {
  const action = fc.tuple(fc.constantFrom("set", "delete", "rename", "sync"), fc.nat(5), fc.nat(5));
  fc.assert(fc.property(fc.array(action, { maxLength: 15 }), seed, (actions, seed) => {
    const names = new Names();
    for (const directory of ["d", "e"]) names.set(directory, "directory");
    names.synced("", names.mark());
    const paths = ["d/a", "d/b", "d/c", "e/a", "e/b", "e/c"];
    const look = (directory: string) =>
      JSON.stringify(names.list(directory).map((name) => [name, id(names.get(`${directory}/${name}`))]));
    const ids = new Map<unknown, number>();
    const id = (entry: unknown) => ids.get(entry) ?? ids.set(entry, ids.size).get(entry);
    const seen = new Map([["d", new Set([look("d")])], ["e", new Set([look("e")])]]);
    for (const [kind, i, j] of actions) {
      const [from, to] = [paths[i]!, paths[j]!];
      const entry = names.get(from);
      if (kind === "set") names.set(from, new SimulatedFile());
      else if (kind === "delete" && entry) names.delete(from);
      else if (kind === "rename" && entry && from !== to) names.rename(from, to, entry);
      else if (kind === "sync") {
        const directory = from.slice(0, 1);
        names.synced(directory, names.mark());
        seen.get(directory)!.clear();
      }
      for (const [directory, looks] of seen) looks.add(look(directory));
    }
    names.crash(new SimulatedRandom(String(seed)));
    for (const [directory, looks] of seen) {
      assert(looks.has(look(directory)), `${directory}: ${look(directory)}`);
    }
  }));
});

Deno.test("simulated names: a rename between directories happens in both or in neither", () => {
  const outcomes = new Set<string>();
  for (let seed = 0; seed < 100; seed++) {
    const names = new Names();
    for (const directory of ["d", "e"]) names.set(directory, "directory");
    names.set("d/a", new SimulatedFile());
    for (const directory of ["", "d"]) names.synced(directory, names.mark());
    names.rename("d/a", "e/a", names.get("d/a")!);
    if (seed % 3 === 0) names.synced("d", names.mark());
    if (seed % 3 === 1) names.synced("e", names.mark());
    names.crash(new SimulatedRandom(String(seed)));
    outcomes.add(`${seed % 3 === 2 ? "unsynced" : "synced"} ${names.list("d")}>${names.list("e")}`);
  }
  assertEquals([...outcomes].sort(), ["synced >a", "unsynced >a", "unsynced a>"]);
});

const WRITE = { write: true, create: true } as const;
const utf8 = new TextEncoder();

function text(disk: Disk, path: string): string | null {
  if (!disk.exists(path)) return null;
  const file = disk.open(path);
  const into = new Uint8Array(file.size());
  file.read(into, 0);
  return new TextDecoder().decode(into);
}

/** Replace a file the right way. A bug can be planted by leaving a step out. */
async function replace(disk: Disk, without: "sync" | "syncDirectory" | null): Promise<void> {
  const file = disk.open("new", WRITE);
  file.write(utf8.encode("new contents"), 0);
  if (without !== "sync") await file.sync();
  disk.rename("new", "file");
  if (without !== "syncDirectory") await disk.syncDirectory("");
}

/** What a power cut at every step, and after the last, leaves in the file. */
async function outcomes(
  without: "sync" | "syncDirectory" | null,
): Promise<{ during: Set<unknown>; after: Set<unknown> }> {
  const [during, after] = [new Set<unknown>(), new Set<unknown>()];
  for (let seed = 0; seed < 60; seed++) {
    for (let stopAt = 1; stopAt <= 7; stopAt++) {
      const simulation = new Simulation({ seed });
      const disk = simulation.environment("n").disk;
      disk.open("file", WRITE).write(utf8.encode("old"), 0);
      await simulation.complete(Promise.all([disk.open("file").sync(), disk.syncDirectory("")]));
      let step = 0;
      simulation.disk("n").beforeEach = () => void (++step === stopAt && simulation.crashNode("n"));
      let done = false;
      replace(disk, without).then(() => done = true, (error) => assert(error instanceof DiskError));
      await simulation.runFor(100);
      simulation.disk("n").beforeEach = null;
      simulation.crashNode("n");
      (done ? after : during).add(text(simulation.environment("n").disk, "file"));
    }
  }
  return { during, after };
}

Deno.test("FAULTS 43: crash between write and rename: old or new, never neither; and new once acknowledged", async () => {
  const { during, after } = await outcomes(null);
  assertEquals([...during].sort(), ["new contents", "old"]);
  assertEquals([...after], ["new contents"]);
});

Deno.test("FAULTS 43, planted: no sync before the rename, or no sync of the directory after it", async () => {
  const torn = await outcomes("sync");
  assert(
    [...torn.after].some((contents) => contents !== "new contents" && contents !== "old"),
    "torn contents",
  );
  assert((await outcomes("syncDirectory")).after.has("old"), "an acknowledged rename undone");
});

/** A disk with one file of 1,000 bytes in it, synced. */
async function machine(faults: Partial<DiskFaults>, seed = 5): Promise<{
  simulation: Simulation;
  hardware: SimulatedDisk;
  disk: Disk;
  file: DiskFile;
}> {
  const simulation = new Simulation({ seed });
  const { disk } = simulation.environment("n");
  const file = disk.open("f", WRITE);
  file.write(new Uint8Array(1000).map((_, i) => i), 0);
  await simulation.complete(Promise.all([file.sync(), disk.syncDirectory("")]));
  Object.assign(simulation.disk("n").faults, faults);
  return { simulation, hardware: simulation.disk("n"), disk, file };
}

function code(task: () => unknown): string {
  return assertThrows(task, DiskError).code;
}

Deno.test("simulated disk: reads and writes that fail say io and do nothing", async () => {
  const { file, hardware } = await machine({ readErrorRate: 1, writeErrorRate: 1 });
  const before = hardware.checksum();
  assertEquals(code(() => file.read(new Uint8Array(1), 0)), "io");
  assertEquals(code(() => file.write(Uint8Array.of(9), 0)), "io");
  assertEquals(hardware.checksum(), before);
});

Deno.test("simulated disk: a full disk takes a part first, then nothing; overwriting still works", async () => {
  const { file, disk, hardware } = await machine({ capacityBytes: 1100.7 });
  assertEquals(file.write(new Uint8Array(300), 900), 200);
  assertEquals(code(() => file.write(new Uint8Array(300), 1100)), "no-space");
  assertEquals(code(() => file.truncate(2000)), "no-space");
  assertEquals(code(() => disk.open("g", WRITE).write(new Uint8Array(1), 0)), "no-space");
  assertEquals(file.write(new Uint8Array(300), 0), 300);
  hardware.faults.capacityBytes = Infinity;
  assertEquals(file.write(new Uint8Array(300), 1100), 300);
});

Deno.test("simulated disk: a read-only disk refuses every change", async () => {
  const { file, disk } = await machine({ readOnly: true });
  const changes = [
    () => file.write(Uint8Array.of(1), 0),
    () => file.truncate(0),
    () => disk.open("g", WRITE),
    () => disk.remove("f"),
    () => disk.rename("f", "g"),
    () => disk.link("f", "g"),
    () => disk.makeDirectory("d"),
    () => disk.lock("lock"),
  ];
  assertEquals(changes.map(code), changes.map(() => "read-only"));
  assertEquals(file.read(new Uint8Array(2000), 0), 1000);
});

Deno.test("simulated disk: a flipped bit, a misdirected read and a misdirected write go unnoticed", async () => {
  const { file, hardware } = await machine({ bitFlipRate: 1 });
  const [clean, into] = [new Uint8Array(1000).map((_, i) => i), new Uint8Array(1000)];
  assertEquals(file.read(into, 0), 1000);
  assertEquals(into.filter((byte, i) => byte !== clean[i]).length, 1);
  hardware.faults.bitFlipRate = 0;
  file.read(into, 0);
  assertEquals(into, clean);
  hardware.faults.misdirectedReadRate = 1;
  const piece = new Uint8Array(10);
  assertEquals(file.read(piece, 0), 10);
  assertNotEquals(piece, clean.subarray(0, 10));
  hardware.faults.misdirectedReadRate = 0;
  hardware.faults.misdirectedWriteRate = 1;
  assertEquals(file.write(new Uint8Array(10).fill(255), 0), 10);
  file.read(into, 0);
  assertEquals(into.subarray(0, 5), clean.subarray(0, 5));
  assertNotEquals(into, clean);
  hardware.flipBit("f", 3, 2);
  file.read(into, 0);
  assertEquals(into[3], 3 ^ 4);
});

Deno.test("simulated disk: after a failed sync the bytes are read until the crash, whatever later syncs say", async () => {
  const left = new Set<boolean>();
  for (let seed = 0; seed < 30; seed++) {
    const { simulation, file, hardware } = await machine({ syncErrorRate: 1 }, seed);
    file.write(new Uint8Array(600).fill(255), 0);
    await simulation.complete(assertRejects(() => file.sync(), DiskError));
    const into = new Uint8Array(1);
    file.read(into, 0);
    assertEquals(into[0], 255);
    hardware.faults.syncErrorRate = 0;
    await simulation.complete(file.sync());
    simulation.crashNode("n");
    simulation.environment("n").disk.open("f").read(into, 0);
    left.add(into[0] === 255);
  }
  assert(left.has(false), "a later sync must not rescue what the failed one lost");
});

Deno.test("simulated disk: a sync takes time and covers what was written before it, not what came after", async () => {
  const seen = new Set<number>();
  for (let seed = 0; seed < 30; seed++) {
    const { simulation, file } = await machine({ syncMinMs: 10, syncMaxMs: 10 }, seed);
    const start = simulation.now();
    file.write(Uint8Array.of(77), 0);
    const synced = file.sync();
    file.write(Uint8Array.of(88), 1);
    await simulation.complete(synced);
    assertEquals(simulation.now() - start, 10);
    simulation.crashNode("n");
    const into = new Uint8Array(2);
    simulation.environment("n").disk.open("f").read(into, 0);
    assertEquals(into[0], 77);
    seen.add(into[1]!);
  }
  assertEquals([...seen].sort(), [1, 88]);
});

Deno.test("simulated disk: a snapshot brings back old contents, a wipe leaves nothing, both durably", async () => {
  const { simulation, file, hardware } = await machine({});
  const old = hardware.snapshot();
  file.truncate(1);
  assertThrows(() => hardware.restore(old), Error, "kill the process");
  simulation.killNode("n");
  hardware.restore(old);
  simulation.crashNode("n");
  assertEquals(simulation.environment("n").disk.open("f").size(), 1000);
  simulation.killNode("n");
  hardware.wipe();
  simulation.crashNode("n");
  assertEquals(simulation.environment("n").disk.list(""), []);
});

Deno.test("simulated disk: a killed process leaves its bytes, and no lock", async () => {
  const { simulation, disk, file } = await machine({});
  disk.lock("lock");
  file.write(Uint8Array.of(77), 0);
  assertEquals(code(() => simulation.environment("n").disk.lock("lock")), "locked");
  simulation.killNode("n");
  assertEquals(code(() => file.write(Uint8Array.of(1), 0)), "io");
  const next = simulation.environment("n").disk;
  const into = new Uint8Array(1);
  next.open("f").read(into, 0);
  assertEquals(into[0], 77);
  next.lock("lock");
});
