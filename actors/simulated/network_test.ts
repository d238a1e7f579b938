import fc from "fast-check";
import type { Connection, Environment, Listener } from "../runtime/environment.ts";
import { NetworkError } from "../runtime/environment.ts";
import {
  assert,
  assertEquals,
  assertNotEquals,
  assertRejects,
  assertThrows,
} from "../runtime/testing/assert.ts";
import type { LinkFaults } from "./links.ts";
import { Simulation } from "./simulation.ts";

/** Units are numbered: each is one write of four bytes. */
const UNIT_BYTES = 4;

function unit(number: number): Uint8Array {
  const bytes = new Uint8Array(UNIT_BYTES);
  new DataView(bytes.buffer).setUint32(0, number);
  return bytes;
}

/** Two nodes, a listener on `b`, a connection from `a`. */
class Pair {
  readonly simulation: Simulation;
  readonly a: Environment;
  readonly b: Environment;
  /** Numbers of the units that `b` has read. */
  readonly heard: number[] = [];
  /** How `b`'s reading ended, null while it goes on. */
  end: string | null = null;
  connection!: Connection;
  other!: Connection;
  listener!: Listener;

  private constructor(seed: number) {
    this.simulation = new Simulation({ seed });
    this.a = this.simulation.environment("a");
    this.b = this.simulation.environment("b");
  }

  static async make(seed = 1): Promise<Pair> {
    const pair = new Pair(seed);
    const { simulation } = pair;
    pair.listener = await simulation.complete(pair.b.network.listen({ host: "b", port: 1 }));
    const accepted = pair.listener.accept();
    pair.connection = await simulation.complete(pair.a.network.connect({ host: "b", port: 1 }, 100));
    pair.other = await simulation.complete(accepted);
    return pair;
  }

  /** Let `b` read all that comes. */
  listen(): void {
    const read = async () => {
      const into = new Uint8Array(10);
      const bytes: number[] = [];
      for (let n = await this.other.read(into); n !== null; n = await this.other.read(into)) {
        bytes.push(...into.subarray(0, n));
        while (bytes.length >= UNIT_BYTES) {
          this.heard.push(new DataView(Uint8Array.from(bytes.splice(0, UNIT_BYTES)).buffer).getUint32(0));
        }
      }
    };
    read().then(() => this.end = "end", (error) => this.end = error.code);
  }

  /** Send units, `gapMs` apart. */
  async send(from: number, to: number, gapMs = 1): Promise<void> {
    for (let number = from; number < to; number++) {
      await this.connection.write(unit(number));
      await this.simulation.runFor(gapMs);
    }
  }
}

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, i) => from + i);
}

function code(promise: Promise<unknown>): Promise<string> {
  return assertRejects(() => promise, NetworkError).then((error) => error.code);
}

/** A hundred units under these faults, and time for all of them to arrive. */
async function heardUnder(faults: Partial<LinkFaults>, seed = 1): Promise<number[]> {
  const pair = await Pair.make(seed);
  Object.assign(pair.simulation.network.faults, faults);
  pair.listen();
  await pair.send(0, 100, 0.1);
  await pair.simulation.runFor(1000);
  return pair.heard;
}

Deno.test("simulated network: any writes come out as the same bytes, in any pieces", async () => {
  const writes = fc.array(fc.uint8Array({ maxLength: 50 }), { maxLength: 20 });
  await fc.assert(
    fc.asyncProperty(writes, fc.nat(), fc.integer({ min: 1, max: 20 }), async (writes, seed, size) => {
      const { simulation, connection, other } = await Pair.make(seed);
      Object.assign(simulation.network.faults, { slowRate: 0.3, slowMs: 100 });
      for (const bytes of writes) await connection.write(bytes);
      connection.close();
      const read: number[] = [];
      const drain = async () => {
        const into = new Uint8Array(size);
        for (let n = await other.read(into); n !== null; n = await other.read(into)) {
          read.push(...into.subarray(0, n));
        }
      };
      await simulation.complete(drain());
      assertEquals(read, writes.flatMap((bytes) => [...bytes]));
    }),
  );
});

Deno.test("simulated network: reads end at random places, within a unit and across units", async () => {
  const pair = await Pair.make();
  const sizes = new Set<number>();
  for (let i = 0; i < 100; i++) {
    await pair.send(0, 2, 0.1);
    await pair.simulation.runFor(5);
    for (let left = 2 * UNIT_BYTES; left > 0;) {
      const n = await pair.other.read(new Uint8Array(100));
      sizes.add(n!);
      left -= n!;
    }
  }
  assertEquals([...sizes].sort(), range(1, 9));
});

/** Judges of what arrived; each throws when a fault that was asked for did not show, or another did. */
const JUDGES: Readonly<Record<string, readonly [Partial<LinkFaults>, (heard: number[]) => void]>> = {
  nothing: [{}, (heard) => assertEquals(heard, range(0, 100))],
  loss: [{ lossRate: 0.3 }, (heard) => {
    assert(heard.length > 50 && heard.length < 90, `${heard.length} of 100 arrived`);
    assertEquals(heard, heard.toSorted((a, b) => a - b));
    assertEquals(new Set(heard).size, heard.length);
  }],
  "total loss": [{ lossRate: 1 }, (heard) => assertEquals(heard, [])],
  duplicates: [{ duplicateRate: 0.3 }, (heard) => {
    assert(heard.length > 110 && heard.length < 150, `${heard.length} for 100 arrived`);
    assertEquals([...new Set(heard)].sort((a, b) => a - b), range(0, 100));
  }],
  reordering: [{ reorderRate: 0.3 }, (heard) => {
    assertNotEquals(heard, range(0, 100));
    assertEquals(heard.toSorted((a, b) => a - b), range(0, 100));
  }],
};

for (const [fault, [faults, judge]] of Object.entries(JUDGES)) {
  Deno.test(`simulated network: ${fault}: what was asked for happens, and nothing else`, async () => {
    for (let seed = 0; seed < 10; seed++) judge(await heardUnder(faults, seed));
  });
}

Deno.test("simulated network: planted: a network that delivers lost units, or loses what it should not", async () => {
  const clean = await heardUnder({});
  for (const fault of ["loss", "total loss", "duplicates", "reordering"]) {
    assertThrows(() => JUDGES[fault]![1](clean));
  }
  const lossy = await heardUnder({ lossRate: 0.1 });
  for (const fault of ["nothing", "duplicates", "reordering"]) assertThrows(() => JUDGES[fault]![1](lossy));
});

Deno.test("simulated network: a link can have faults of its own, until healed", async () => {
  const pair = await Pair.make();
  const link = pair.simulation.network.link("a", "b");
  link.lossRate = 1;
  pair.listen();
  await pair.send(0, 5);
  pair.simulation.network.link("b", "a").lossRate = 0.5;
  pair.simulation.heal();
  assertEquals(link.lossRate, 0);
  await pair.send(5, 10);
  assertEquals(pair.heard, range(5, 10));
});

Deno.test("simulated network: a one-way cut holds everything, in order, until it is mended", async () => {
  const pair = await Pair.make();
  const { simulation, connection, other } = pair;
  pair.listen();
  await pair.send(0, 3);
  simulation.network.cut("a", "b");
  await pair.send(3, 20, 0.1);
  await simulation.runFor(60_000);
  assertEquals(pair.heard, [0, 1, 2]);
  await other.write(Uint8Array.of(1)); // the other way is open
  assertEquals(await simulation.complete(connection.read(new Uint8Array(5))), 1);
  simulation.network.mend("a", "b");
  await pair.send(20, 30, 0.01);
  await simulation.runFor(5);
  assertEquals(pair.heard, range(0, 30));
});

Deno.test("simulated network: who is cut off cannot connect, either way round", async () => {
  for (const [from, to] of [["a", "b"], ["b", "a"]] as const) {
    const { simulation, a, listener } = await Pair.make();
    simulation.network.cut(from, to);
    let accepted: Connection | null = null;
    listener.accept().then((connection) => accepted = connection);
    const start = simulation.now();
    assertEquals(await simulation.complete(code(a.network.connect({ host: "b", port: 1 }, 100))), "timeout");
    assertEquals(simulation.now() - start, 100);
    simulation.heal(); // the connection that nobody wants any more comes up, and is reset
    await simulation.runFor(10);
    assert(accepted !== null);
    const read = (accepted as Connection).read(new Uint8Array(1));
    assertEquals(await simulation.complete(code(read)), "reset");
  }
});

Deno.test("simulated network: a partition lets each group talk within itself", async () => {
  const simulation = new Simulation({ seed: 1 });
  const nodes = ["a", "b", "c", "d"];
  for (const node of nodes) {
    const listener = await simulation.environment(node).network.listen({ host: node, port: 1 });
    const serve = async () => {
      for (;;) await listener.accept();
    };
    serve();
  }
  const reach = async () => {
    const reached: string[] = [];
    for (const from of nodes) {
      for (const host of nodes) {
        const attempt = simulation.environment(from).network.connect({ host, port: 1 }, 50);
        await simulation.complete(attempt.then(() => reached.push(from + host), () => {}));
      }
    }
    return reached;
  };
  simulation.network.partition(["a", "b"], ["c", "d"]);
  assertEquals(await reach(), ["aa", "ab", "ba", "bb", "cc", "cd", "dc", "dd"]);
  simulation.network.heal();
  await simulation.runFor(10);
  assertEquals((await reach()).length, 16);
});

Deno.test("simulated network: a process that ends resets its peers and refuses from then on", async () => {
  for (const end of ["killNode", "crashNode"] as const) {
    const pair = await Pair.make();
    const { simulation, connection, a } = pair;
    pair.listen();
    await connection.write(unit(1));
    const read = code(connection.read(new Uint8Array(1)));
    simulation[end]("b");
    assertEquals(await simulation.complete(read), "reset");
    assertEquals(await simulation.complete(code(connection.write(unit(2)))), "reset");
    assertEquals(await simulation.complete(code(a.network.connect({ host: "b", port: 1 }, 100))), "refused");
    assertEquals([pair.heard, pair.end], [[], null]); // the dead hear nothing, not even that
    await simulation.environment("b").network.listen({ host: "b", port: 1 });
    await simulation.complete(a.network.connect({ host: "b", port: 1 }, 100));
  }
});

Deno.test("simulated network: an end cut off from a dead peer stays half open until the cut is mended", async () => {
  const { simulation, connection } = await Pair.make();
  let end: string | null = null;
  code(connection.read(new Uint8Array(1))).then((why) => end = why);
  simulation.network.partition(["a"], ["b"]);
  simulation.crashNode("b");
  await simulation.runFor(600_000);
  assertEquals(end, null);
  simulation.heal();
  await simulation.runFor(1);
  assertEquals(end, "reset");
});

Deno.test("simulated network: a paused process is connected to and written to, and hears of it later", async () => {
  const pair = await Pair.make();
  const { simulation, a } = pair;
  pair.listen();
  simulation.pauseNode("b");
  await pair.send(0, 3);
  await simulation.complete(a.network.connect({ host: "b", port: 1 }, 100)); // its kernel answers
  await simulation.runFor(1000);
  assertEquals(pair.heard, []);
  simulation.resumeNode("b");
  await simulation.runFor(0);
  assertEquals(pair.heard, [0, 1, 2]);
});

Deno.test("simulated network: a writer waits for a reader that does not read", async () => {
  const pair = await Pair.make();
  const { simulation, connection, other } = pair;
  let written = 0;
  const flood = async () => {
    for (;;) written += await connection.write(new Uint8Array(100_000));
  };
  flood();
  await simulation.runFor(1000);
  assertEquals(written, 256 * 1024);
  let read = 0;
  const into = new Uint8Array(50_000);
  while (read < 100_000) read += (await simulation.complete(other.read(into)))!;
  await simulation.runFor(10);
  assertEquals(written, 256 * 1024 + read);
});

Deno.test("simulated network: resets under way break both ends", async () => {
  const pair = await Pair.make();
  const { simulation, connection } = pair;
  pair.listen();
  simulation.network.faults.resetRate = 1;
  await connection.write(unit(1));
  assertEquals(await simulation.complete(code(connection.write(unit(2)))), "reset");
  await simulation.runFor(10);
  assertEquals([pair.heard, pair.end], [[], "reset"]);
});

Deno.test("simulated network: more connections than anyone accepts go unanswered", async () => {
  const { simulation, a } = await Pair.make();
  const attempts = range(0, 130).map(() => a.network.connect({ host: "b", port: 1 }, 100));
  const results = await simulation.complete(Promise.allSettled(attempts));
  assertEquals(results.filter(({ status }) => status === "fulfilled").length, 128);
});

Deno.test("simulated network: closing a listener resets who was never accepted", async () => {
  const { simulation, a, listener } = await Pair.make();
  const connection = await simulation.complete(a.network.connect({ host: "b", port: 1 }, 100));
  listener.close();
  assertEquals(await simulation.complete(code(connection.read(new Uint8Array(1)))), "reset");
});
