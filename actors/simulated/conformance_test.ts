/**
 * One suite for the real environment and the simulated one: what holds for both is what code may rely on.
 *
 * @module
 */

import fc from "fast-check";
import {
  type Connection,
  type Disk,
  DiskError,
  type DiskErrorCode,
  type DiskFile,
  type Environment,
  NetworkError,
  type NetworkErrorCode,
} from "../runtime/environment.ts";
import { realEnvironment } from "../runtime/real/mod.ts";
import { assert, assertEquals, assertRejects, assertThrows } from "../runtime/testing/assert.ts";
import { Simulation } from "./simulation.ts";

/** An environment to try, an empty directory in it, and the way to let its time pass. */
interface Subject {
  readonly environment: Environment;
  readonly root: string;
  readonly host: string;
  settle<T>(promise: Promise<T>): Promise<T>;
}

async function inReality(test: (subject: Subject) => Promise<void>): Promise<void> {
  const root = await Deno.makeTempDir();
  try {
    const environment = realEnvironment({ node: "test", logLevel: "silent" });
    await test({ environment, root, host: "127.0.0.1", settle: (promise) => promise });
  } finally {
    await Deno.remove(root, { recursive: true });
  }
}

async function inSimulation(test: (subject: Subject) => Promise<void>): Promise<void> {
  const simulation = new Simulation({ seed: 1 });
  const environment = simulation.environment("n1");
  environment.disk.makeDirectory("root");
  await test({ environment, root: "root", host: "n1", settle: (promise) => simulation.complete(promise) });
}

function conforms(name: string, test: (subject: Subject) => Promise<void> | void): void {
  Deno.test(`real ${name}`, () => inReality(async (subject) => await test(subject)));
  Deno.test(`simulated ${name}`, () => inSimulation(async (subject) => await test(subject)));
}

function refuses(code: DiskErrorCode, task: () => unknown): void {
  assertEquals(assertThrows(task, DiskError).code, code);
}

async function rejects(code: NetworkErrorCode, promise: Promise<unknown>): Promise<void> {
  assertEquals((await assertRejects(() => promise, NetworkError)).code, code);
}

const WRITE = { write: true, create: true } as const;

function contents(file: DiskFile): number[] {
  const into = new Uint8Array(file.size());
  assertEquals(file.read(into, 0), into.length);
  return [...into];
}

conforms("disk: reads and writes by position", ({ environment: { disk }, root }) => {
  const file = disk.open(`${root}/f`, WRITE);
  assertEquals(file.path, `${root}/f`);
  assertEquals(file.write(Uint8Array.of(1, 2, 3), 2), 3);
  assertEquals(contents(file), [0, 0, 1, 2, 3]);
  const into = new Uint8Array(4);
  assertEquals(file.read(into, 3), 2);
  assertEquals([...into], [2, 3, 0, 0]);
  assertEquals(file.read(into, 9), 0);
  assertEquals(file.write(new Uint8Array(0), 9), 0);
  file.truncate(3);
  file.truncate(5);
  assertEquals(contents(file), [0, 0, 1, 0, 0]);
  const other = disk.open(`${root}/f`);
  assertEquals(contents(other), [0, 0, 1, 0, 0]);
  refuses("io", () => other.write(Uint8Array.of(1), 0));
  file.close();
  file.close();
  refuses("io", () => file.size());
  refuses("io", () => file.read(into, 0));
  other.close();
});

conforms("disk: opening says what is wrong", ({ environment: { disk }, root }) => {
  refuses("not-found", () => disk.open(`${root}/f`));
  refuses("not-found", () => disk.open(`${root}/f`, { write: true }));
  refuses("not-found", () => disk.open(`${root}/d/f`, WRITE));
  disk.open(`${root}/f`, { ...WRITE, createNew: true }).close();
  disk.open(`${root}/f`, WRITE).close();
  refuses("exists", () => disk.open(`${root}/f`, { ...WRITE, createNew: true }));
  refuses("not-found", () => disk.open(`${root}/f/f`));
  disk.makeDirectory(`${root}/d`);
  refuses("io", () => disk.open(`${root}/d`, WRITE));
});

conforms("disk: names", ({ environment: { disk }, root }) => {
  refuses("not-found", () => disk.list(`${root}/d`));
  disk.makeDirectory(`${root}/d/e`);
  disk.makeDirectory(`${root}/d/e`);
  for (const name of ["b", "a", "c"]) disk.open(`${root}/d/${name}`, WRITE).close();
  assertEquals(disk.list(`${root}/d`), ["a", "b", "c", "e"]);
  assertEquals([`${root}/d`, `${root}/d/a`, `${root}/x`, `${root}/d/a/x`].map((path) => disk.exists(path)), [
    true,
    true,
    false,
    false,
  ]);
  refuses("exists", () => disk.makeDirectory(`${root}/d/a`));
  refuses("not-found", () => disk.list(`${root}/d/a`));
  refuses("io", () => disk.remove(`${root}/d`));
  disk.remove(`${root}/d/e`);
  refuses("not-found", () => disk.remove(`${root}/d/e`));
  refuses("not-found", () => disk.rename(`${root}/d/e`, `${root}/d/f`));
  disk.rename(`${root}/d/a`, `${root}/d/b`);
  refuses("exists", () => disk.link(`${root}/d/b`, `${root}/d/c`));
  refuses("not-found", () => disk.link(`${root}/d/x`, `${root}/d/y`));
  assertEquals(disk.list(`${root}/d`), ["b", "c"]);
});

conforms(
  "disk: an open file is the file, whatever becomes of its name",
  ({ environment: { disk }, root }) => {
    const file = disk.open(`${root}/a`, WRITE);
    file.write(Uint8Array.of(1), 0);
    disk.rename(`${root}/a`, `${root}/b`);
    file.write(Uint8Array.of(2), 1);
    assertEquals(contents(disk.open(`${root}/b`)), [1, 2]);
    disk.link(`${root}/b`, `${root}/c`);
    disk.rename(`${root}/b`, `${root}/c`); // two names of one file: POSIX leaves both
    assertEquals(disk.list(root), ["b", "c"]);
    disk.remove(`${root}/b`);
    disk.remove(`${root}/c`);
    disk.open(`${root}/b`, WRITE).close();
    file.write(Uint8Array.of(3), 2);
    assertEquals(contents(file), [1, 2, 3]);
    assertEquals(contents(disk.open(`${root}/b`)), []);
  },
);

conforms("disk: syncs", async ({ environment: { disk }, root, settle }) => {
  const file = disk.open(`${root}/f`, WRITE);
  file.write(Uint8Array.of(1), 0);
  const both = [file.sync(), file.sync()];
  file.write(Uint8Array.of(2), 1); // while a sync is under way
  await settle(Promise.all(both));
  await settle(disk.syncDirectory(root));
  file.close();
  for (const failing of [() => file.sync(), () => disk.syncDirectory(`${root}/x`)]) {
    const promise = assertRejects(failing, DiskError);
    await settle(promise);
  }
});

conforms("disk: a file was made when it was made", async ({ environment: { disk, clock }, root, settle }) => {
  const make = (name: string) => disk.open(`${root}/${name}`, WRITE);
  const file = make("a");
  const birthMs = disk.birthMs(`${root}/a`);
  assert(birthMs !== null && birthMs <= clock.wall());
  await settle(new Promise<void>((resolve) => void clock.after(5, resolve)));
  file.write(Uint8Array.of(1), 0);
  file.close();
  disk.rename(`${root}/a`, `${root}/b`);
  assertEquals(disk.birthMs(`${root}/b`), birthMs);
  make("a").close();
  assert(disk.birthMs(`${root}/a`)! > birthMs);
  refuses("not-found", () => disk.birthMs(`${root}/c`));
});

conforms("disk: a lock has one holder", ({ environment: { disk }, root }) => {
  const lock = disk.lock(`${root}/lock`);
  refuses("locked", () => disk.lock(`${root}/lock`));
  lock.release();
  lock.release();
  const again = disk.lock(`${root}/lock`);
  lock.release();
  refuses("locked", () => disk.lock(`${root}/lock`));
  again.release();
  assert(disk.exists(`${root}/lock`));
});

/** Something to do to one of a few files. */
type Step =
  | { readonly kind: "write"; readonly name: string; readonly position: number; readonly bytes: Uint8Array }
  | { readonly kind: "truncate"; readonly name: string; readonly sizeBytes: number }
  | { readonly kind: "rename" | "link"; readonly name: string; readonly to: string }
  | { readonly kind: "remove"; readonly name: string };

const fileName = fc.constantFrom("a", "b", "c");
const size = fc.nat({ max: 20 });
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    kind: fc.constant("write" as const),
    name: fileName,
    position: size,
    bytes: fc.uint8Array({ minLength: 1, maxLength: 9 }),
  }),
  fc.record({ kind: fc.constant("truncate" as const), name: fileName, sizeBytes: size }),
  fc.record({ kind: fc.constantFrom("rename" as const, "link" as const), name: fileName, to: fileName }),
  fc.record({ kind: fc.constant("remove" as const), name: fileName }),
);

function onDisk(disk: Disk, root: string, step: Step): string {
  const path = `${root}/${step.name}`;
  try {
    if (step.kind === "remove") disk.remove(path);
    if (step.kind === "rename") disk.rename(path, `${root}/${step.to}`);
    if (step.kind === "link") disk.link(path, `${root}/${step.to}`);
    if (step.kind === "write" || step.kind === "truncate") {
      const file = disk.open(path, WRITE);
      if (step.kind === "write") file.write(step.bytes, step.position);
      if (step.kind === "truncate") file.truncate(step.sizeBytes);
      file.close();
    }
    return "ok";
  } catch (error) {
    return error instanceof DiskError ? error.code : "?";
  }
}

/** The dumb twin: names stand for arrays. */
function onTwin(files: Map<string, number[]>, step: Step): string {
  const file = files.get(step.name);
  if (step.kind === "write" || step.kind === "truncate") {
    const bytes = file ?? [];
    files.set(step.name, bytes);
    const end = step.kind === "write" ? step.position + step.bytes.length : step.sizeBytes;
    while (bytes.length < end) bytes.push(0);
    if (step.kind === "truncate") bytes.length = end;
    else step.bytes.forEach((byte, i) => bytes[step.position + i] = byte);
  } else if (!file) return "not-found";
  else if (step.kind === "remove") files.delete(step.name);
  else if (step.kind === "link") {
    if (files.has(step.to)) return "exists";
    files.set(step.to, file);
  } else if (files.get(step.to) !== file) {
    files.delete(step.name);
    files.set(step.to, file);
  }
  return "ok";
}

conforms("disk: equals a map of arrays", ({ environment: { disk }, root }) => {
  let run = 0;
  fc.assert(fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
    const directory = `${root}/${run++}`;
    disk.makeDirectory(directory);
    const twin = new Map<string, number[]>();
    for (const step of steps) assertEquals(onDisk(disk, directory, step), onTwin(twin, step));
    assertEquals(disk.list(directory), [...twin.keys()].sort());
    for (const [name, bytes] of twin) {
      const file = disk.open(`${directory}/${name}`);
      assertEquals(contents(file), bytes);
      file.close();
    }
  }));
});

/** Two ends of a fresh connection. */
async function connected(
  { environment: { network }, host, settle }: Subject,
): Promise<[Connection, Connection]> {
  const listener = await settle(network.listen({ host, port: 0 }));
  const accepted = listener.accept();
  const connection = await settle(network.connect(listener.endpoint, 1000));
  const other = await settle(accepted);
  listener.close();
  return [connection, other];
}

async function writeAll(connection: Connection, bytes: Uint8Array): Promise<void> {
  for (let rest = bytes; rest.length > 0;) rest = rest.subarray(await connection.write(rest));
}

async function readAll(connection: Connection): Promise<Uint8Array> {
  const parts: number[] = [];
  const into = new Uint8Array(5000);
  for (let n = await connection.read(into); n !== null; n = await connection.read(into)) {
    for (let i = 0; i < n; i++) parts.push(into[i]!);
  }
  return Uint8Array.from(parts);
}

conforms("network: a megabyte each way, then the end", async (subject) => {
  const [a, b] = await connected(subject);
  const message = new Uint8Array(1 << 20).map((_, i) => i * 7 + (i >> 8));
  const send = async (connection: Connection) => {
    await writeAll(connection, message);
    return connection;
  };
  const echo = async () => {
    const into = new Uint8Array(message.length);
    for (let done = 0; done < into.length;) done += await b.read(into.subarray(done)) ?? Infinity;
    await writeAll(b, into);
    b.close();
  };
  const [, , back] = await subject.settle(Promise.all([send(a), echo(), readAll(a)]));
  assertEquals(back.length, message.length);
  assert(back.every((byte, i) => byte === message[i]));
  a.close();
});

conforms("network: what was sent before closing arrives, then the stream ends", async (subject) => {
  const [a, b] = await connected(subject);
  await subject.settle(writeAll(a, Uint8Array.of(1, 2, 3)));
  a.close();
  a.close();
  assertEquals(await subject.settle(readAll(b)), Uint8Array.of(1, 2, 3));
  assertEquals(await subject.settle(b.read(new Uint8Array(1))), null);
  b.close();
});

conforms("network: closing ends one's own reads and refuses one's own writes", async (subject) => {
  const [a, b] = await connected(subject);
  const pending = a.read(new Uint8Array(1));
  a.close();
  assertEquals(await subject.settle(pending), null);
  assertEquals(await subject.settle(a.read(new Uint8Array(1))), null);
  await subject.settle(rejects("closed", a.write(Uint8Array.of(1))));
  b.close();
});

conforms("network: writing to someone who has gone fails, sooner or later", async (subject) => {
  const [a, b] = await connected(subject);
  b.close();
  const write = async () => {
    for (;;) {
      await a.write(Uint8Array.of(1));
      await new Promise<void>((resolve) => void subject.environment.clock.after(1, resolve));
    }
  };
  await subject.settle(rejects("reset", write()));
  a.close();
});

conforms("network: who refuses and why", async ({ environment: { network }, host, settle }) => {
  const listener = await settle(network.listen({ host, port: 0 }));
  assert(listener.endpoint.port > 0);
  await settle(rejects("in-use", network.listen(listener.endpoint)));
  const pending = rejects("closed", listener.accept());
  listener.close();
  listener.close();
  await settle(pending);
  await settle(rejects("closed", listener.accept()));
  await settle(rejects("refused", network.connect(listener.endpoint, 1000)));
  (await settle(network.listen(listener.endpoint))).close();
});

conforms(
  "clock: time passes, timers fire once, cancelled ones do not",
  async ({ environment: { clock }, settle }) => {
    const start = clock.now();
    const fired: string[] = [];
    clock.after(2, () => fired.push("late"));
    clock.after(0, () => fired.push("soon"));
    const timer = clock.after(1, () => fired.push("never"));
    const far = clock.after(40 * 86_400_000, () => fired.push("far")); // past what a system timer can hold
    timer.cancel();
    timer.cancel();
    await settle(new Promise<void>((resolve) => void clock.after(5, resolve)));
    far.cancel();
    assertEquals(fired, ["soon", "late"]);
    assert(clock.now() - start >= 5);
    assert(Math.abs(clock.wall() - Date.UTC(2026, 0)) < 50 * 365 * 86_400_000);
  },
);

conforms("random: in range, and not always the same", ({ environment: { random } }) => {
  const numbers = Array.from({ length: 1000 }, () => random.next());
  assert(numbers.every((n) => n >= 0 && n < 1));
  assert(Math.abs(numbers.reduce((a, b) => a + b) / 1000 - 0.5) < 0.1);
  const counts = [0, 0, 0];
  for (let i = 0; i < 3000; i++) counts[random.integer(3)]!++;
  assert(Math.min(...counts) > 800, String(counts));
  assertEquals(random.bytes(100_000).length, 100_000);
  assert(new Set(random.bytes(1000)).size > 200);
});
