import { LIMITS } from "../actors/runtime/limits.ts";
import { assert, assertEquals, assertNotEquals, assertRejects } from "../actors/runtime/testing/assert.ts";
import { EngineError } from "./engine.ts";
import { openJournal } from "./journal.ts";
import { type Fact, type NodeJournal, type NodeJournalOptions, openNodeJournal } from "./node_journal.ts";
import { formatExample } from "./testing/format_example.ts";
import { type SimulatedWorld, simulatedWorld } from "./testing/worlds.ts";

const BYTES = new Uint8Array(16).fill(7);

function open(world: SimulatedWorld): Promise<NodeJournal> {
  return world.settle(openNodeJournal(world.place()));
}

Deno.test("node journal: identity stays, incarnation grows, facts are kept, whatever ends the process", async () => {
  const world = simulatedWorld(1);
  const first = await open(world);
  assertEquals(first.identity.length, 32);
  assertEquals([first.incarnation, first.get("ring")], [1, null]);
  await world.settle(first.set("ring", Uint8Array.of(1)));
  await world.settle(first.set("ring", Uint8Array.of(2, 3)));
  for (let life = 2; life < 8; life++) {
    if (life % 2) world.crash();
    else world.kill();
    const node = await open(world);
    assertEquals([node.identity, node.incarnation], [first.identity, life]);
    assertEquals(node.get("ring"), Uint8Array.of(2, 3));
  }
  const other = await open(simulatedWorld(2));
  assertNotEquals(other.identity, first.identity);
});

Deno.test("node journal: no incarnation is ever used twice, crash where it may", async () => {
  for (let at = 1; at < 60; at++) {
    const world = simulatedWorld(at);
    const seen: number[] = [];
    const live = async () => {
      const node = await openNodeJournal(world.place());
      seen.push(node.incarnation);
      await node.set("x", Uint8Array.of(node.incarnation));
      await node.close();
    };
    world.crashAt(at);
    for (let life = 0; life < 4; life++) {
      await world.survives(live());
      if (life === 2) world.crashAt(1 + at % 7);
    }
    await world.settle(live());
    assertEquals(seen, [...new Set(seen)], `crash at ${at}`);
    assertEquals(seen, seen.toSorted((a, b) => a - b));
  }
});

const FIRST = "data/store/0000000001.log";

/** A node's second life, ended in order, with the fact `ring` in it. */
async function twoLives(): Promise<SimulatedWorld> {
  const world = simulatedWorld(1);
  const first = await open(world);
  await world.settle(first.set("ring", Uint8Array.of(1)));
  world.kill();
  const second = await open(world);
  await world.settle(second.set("ring", Uint8Array.of(2)));
  await world.settle(second.close());
  world.kill();
  return world;
}

function openWith(world: SimulatedWorld, options: Partial<NodeJournalOptions>): Promise<NodeJournal> {
  return world.settle(openNodeJournal({ ...world.place(), ...options }));
}

Deno.test("41: one damaged place costs no identity, is reported, and leaves its owner's doubts", async () => {
  const whole = await twoLives();
  const bytes = whole.disk.snapshot().get(FIRST)!;
  const { identity } = await open(whole);
  const doubts: readonly Fact[] = [["in-doubt", BYTES], ["ring", Uint8Array.of(0)]];
  for (let at = 64; at < bytes.length - 16; at++) {
    const world = await twoLives();
    world.disk.flipBit(FIRST, at);
    const node = await openWith(world, { doubts });
    assertEquals(node.identity, identity);
    if (node.damageAtOpen.length === 0) continue; // padding
    assertEquals(node.damageAtOpen.map(({ kind }) => kind), ["corrupt"]);
    await world.settle(node.close());
    world.crash();
    const later = await open(world);
    assertEquals([later.get("in-doubt"), later.get("ring")], [BYTES, Uint8Array.of(0)], `byte ${at}`);
  }
});

Deno.test("41: a journal that has lost who it is, or what must not be lost, is refused and left as it is", async () => {
  for (const [flips, vital, lost] of [[[9, 41], [], "identity"], [[132], ["ring"], "ring"]] as const) {
    const world = simulatedWorld(1);
    await world.settle((await open(world)).close());
    world.kill();
    const whole = world.disk.snapshot();
    for (const at of flips) world.disk.flipBit(FIRST, at);
    const before = world.disk.checksum();
    const error = await assertRejects(
      () => openWith(world, { vital }),
      EngineError,
      `lost the node's ${lost}`,
    );
    assertEquals([error.code, world.disk.checksum()], ["corrupt", before]);
    world.kill();
    world.disk.restore(whole); // from a backup
    assertEquals((await openWith(world, { vital })).incarnation, 2);
  }
});

Deno.test("node journal: who hears of a life that it has forgotten goes on in one after that, in doubt", async () => {
  const world = simulatedWorld(1);
  const node = await openWith(world, { doubts: [["in-doubt", BYTES]] });
  const { bootId } = node;
  await world.settle(node.outlive({ life: 7, bootId: "f".repeat(16) }));
  assertEquals([node.incarnation, node.get("in-doubt")], [8, BYTES]);
  await world.settle(node.outlive({ life: 3, bootId: "e".repeat(16) }));
  assertEquals([node.incarnation, node.bootId], [8, bootId]);
  assertEquals(node.pastBootIds, ["e".repeat(16), "f".repeat(16)]);
  world.crash();
  const next = await open(world);
  assertEquals([next.incarnation, next.pastBootIds], [9, [bootId, ...node.pastBootIds]]);
  assert(next.bootId !== bootId);
});

Deno.test("node journal: it knows the boot ids of its latest lives", async () => {
  const world = simulatedWorld(1);
  const seen: string[] = [];
  for (let life = 0; life < 210; life++) {
    const node = await open(world);
    assertEquals(node.pastBootIds, seen.slice(0, 199));
    seen.unshift(node.bootId);
    world.kill();
  }
});

Deno.test("node journal: what was replaced is not in the files any more once that is asked for", async () => {
  const world = simulatedWorld(1);
  const node = await open(world);
  const [old, young] = [new Uint8Array(40).fill(111), new Uint8Array(40).fill(222)];
  await world.settle(node.set("ring", old));
  await world.settle(node.set("ring", young));
  await world.settle(node.forgetReplaced());
  const files = [...world.disk.snapshot()].filter(([path]) => path.endsWith(".log"));
  const holds = (bytes: Uint8Array) =>
    files.some(([, file]) => String.fromCharCode(...file!).includes(String.fromCharCode(...bytes)));
  assertEquals([files.length, holds(old), holds(young)], [1, false, true]);
  world.crash();
  assertEquals((await open(world)).get("ring"), young);
});

Deno.test("node journal: it is rewritten when it has grown, and forgets nothing", async () => {
  const world = simulatedWorld(1);
  let node = await open(world);
  const large = new Uint8Array(60_000);
  await world.settle(node.set("old", Uint8Array.of(42)));
  for (let n = 0; n < 60; n++) await world.settle(node.set("ring", large.with(0, n)));
  await world.runFor(1000);
  assert(world.usedBytes() < 2 << 20, `${world.usedBytes()} bytes`);
  world.crash();
  node = await open(world);
  assertEquals(node.get("old"), Uint8Array.of(42));
  assertEquals(node.get("ring"), large.with(0, 59));
  await world.settle(node.close());
});

Deno.test("41: a journal of which nothing is left has lost who it is, it is not a new one (seed 927850872)", async () => {
  const world = simulatedWorld(1);
  const node = await open(world);
  for (let n = 0; n < 60; n++) await world.settle(node.set("ring", new Uint8Array(60_000).fill(n)));
  await world.runFor(1000);
  world.kill();
  const disk = world.disk.snapshot();
  const [path, bytes] = [...disk].filter(([path]) => path.endsWith(".log")).at(-1)!;
  assert(!path.endsWith("1.log"), path);
  world.disk.restore(new Map([...disk, [path, bytes!.slice(0, 80)]])); // its header, and a torn record
  await assertRejects(() => openWith(world, {}), EngineError, "lost the node's identity");
});

Deno.test("node journal: crashes while it is rewritten lose no fact", async () => {
  for (let at = 20; at < 90; at++) {
    const world = simulatedWorld(at);
    let acknowledged = -1;
    const live = async () => {
      const node = await openNodeJournal(world.place());
      await node.set("old", Uint8Array.of(42));
      for (let n = 0; n < 25; n++) {
        await node.set("ring", new Uint8Array(60_000).with(0, n));
        acknowledged = n;
      }
    };
    world.crashAt(at);
    await world.survives(live());
    world.crash();
    const node = await open(world);
    if (acknowledged < 0) continue;
    assertEquals(node.get("old"), Uint8Array.of(42));
    const ring = node.get("ring")![0]!;
    assert(ring === acknowledged || ring === acknowledged + 1, `${ring} after ${acknowledged}`);
  }
});

Deno.test("node journal: its own names are not for others, and closed is closed", async () => {
  const world = simulatedWorld(1);
  const node = await open(world);
  await assertRejects(() => node.set("identity", BYTES), RangeError);
  await assertRejects(() => open(world), EngineError, "another process holds it");
  await world.settle(node.close());
  const error = await assertRejects(() => node.set("ring", BYTES), EngineError);
  assertEquals(error.code, "closed");
});

Deno.test("node journal: a failed sync: no fact is promised any more", async () => {
  const world = simulatedWorld(1);
  const node = await open(world);
  world.faults.syncErrorRate = 1;
  assertEquals(
    (await assertRejects(() => world.settle(node.set("ring", BYTES)), EngineError)).code,
    "poisoned",
  );
  world.faults.syncErrorRate = 0;
  assertEquals(
    (await assertRejects(() => world.settle(node.set("ring", BYTES)), EngineError)).code,
    "poisoned",
  );
  assert(node.refusing?.startsWith("poisoned"));
});

Deno.test("node journal: a fact is shown once it is durable, the old one if it never is", async () => {
  const [old, young] = [Uint8Array.of(1), Uint8Array.of(2)];
  const world = simulatedWorld(1);
  const node = await open(world);
  const first = node.set("ring", old);
  assertEquals(node.get("ring"), null);
  await world.settle(first);
  assertEquals(node.get("ring"), old);
  world.faults.syncErrorRate = 1;
  await assertRejects(() => world.settle(node.set("ring", young)), EngineError);
  assertEquals(node.get("ring"), old);
});

Deno.test("node journal: a fact that found the disk full is shown when memory and disk agree on it again", async () => {
  for (const settled of [false, true]) {
    const world = simulatedWorld(1);
    const node = await open(world);
    await world.settle(node.set("ring", Uint8Array.of(1)));
    world.faults.capacityBytes = 0;
    const error = await assertRejects(() => world.settle(node.set("ring", Uint8Array.of(2))), EngineError);
    assertEquals(error.code, "full");
    await assertRejects(() => node.set("ring", Uint8Array.of(3)), EngineError, "full"); // nothing of it is kept
    assertEquals(node.get("ring"), Uint8Array.of(1));
    world.faults.capacityBytes = Infinity;
    await world.runFor(2 * LIMITS.fullProbeMs);
    assertEquals([node.refusing, node.get("ring")], [null, Uint8Array.of(1)]);
    if (settled) {
      await world.settle(node.set("other", Uint8Array.of(4)));
      assertEquals(node.get("ring"), Uint8Array.of(2));
    }
    world.crash();
    assertEquals((await open(world)).get("ring"), Uint8Array.of(2));
  }
});

Deno.test("node journal: what is pending when it is rewritten is not overtaken by what it replaces", async () => {
  const world = simulatedWorld(1);
  const node = await open(world);
  const large = new Uint8Array(200_000);
  await world.settle(node.set("old", Uint8Array.of(1)));
  for (let n = 0; n < 6; n++) await world.settle(node.set("ring", large.with(0, n)));
  // This begins the rewriting, while it is itself on its way.
  const begun = [node.set("old", Uint8Array.of(2)), node.set("ring", large.with(0, 6))];
  await world.settle(Promise.all(begun));
  await world.runFor(1000);
  assert(world.usedBytes() < 1 << 20, "it was rewritten");
  world.crash();
  const next = await open(world);
  assertEquals([next.get("old"), next.get("ring")], [Uint8Array.of(2), large.with(0, 6)]);
});

Deno.test("the worked example of FORMAT.md: facts", async () => {
  const bytes = formatExample("facts");
  const world = simulatedWorld(1);
  const journal = await world.settle(openJournal({ ...world.place(), sync: "always" }, () => true));
  journal.append(1, [bytes]);
  await world.settle(journal.close());
  const node = await open(world);
  assertEquals([node.identity, node.incarnation], ["00112233445566778899aabbccddeeff", 2]);
});
