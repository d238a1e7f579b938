import fc from "fast-check";
import type { Liveness } from "../coordinator/protocol.ts";
import { assert, assertEquals } from "../runtime/testing/assert.ts";
import { SimulatedRandom } from "../simulated/random.ts";
import { decodeGossip, encodeGossip } from "./gossip_codec.ts";
import { FailureDetector } from "./failure_detector.ts";
import { Membership } from "./membership.ts";
import { compareRumours, type Gossip, MOST_RUMOURS, type Rumour } from "./rumour.ts";

const ROUND_MS = 500;
const DIGEST = { epoch: 1, checksum: 7 };

const id = (i: number) => i.toString(16).padStart(32, "0");
const boot = (i: number) => i.toString(16).padStart(16, "0");

function membership(self: number, size: number, life = 1, bootId = self): Membership {
  const options = { self: id(self), life, boot: boot(bootId), random: new SimulatedRandom(`${self + 1}`) };
  const one = new Membership({ ...options, fanout: 2, intervalMs: ROUND_MS }, DIGEST, 0);
  one.setRing(DIGEST, Array.from({ length: size }, (_, i) => id(i)), 0);
  return one;
}

interface Change {
  readonly by: number;
  readonly node: number;
  readonly liveness: Liveness;
  readonly round: number;
}

/** Nodes that gossip in rounds, each at its own point of the round. */
class Cluster {
  readonly nodes: Membership[];
  readonly stopped = new Set<number>();
  changes: Change[] = [];
  round = 0;
  mostRumours = 0;
  /** Whether a message gets through; a loss is anyone's. */
  gets: (from: number, to: number) => boolean = () => true;
  /** A planted bug: what becomes of a rumour on its way. */
  tamper: (rumour: Rumour) => Rumour = (rumour) => rumour;
  readonly #dice = new SimulatedRandom(`${42}`);

  constructor(readonly size: number, readonly loss = 0.01) {
    this.nodes = Array.from({ length: size }, (_, i) => membership(i, size));
  }

  run(rounds: number): void {
    for (const end = this.round + rounds; this.round < end; this.round++) {
      for (let i = 0; i < this.size; i++) if (!this.stopped.has(i)) this.tick(i);
    }
  }

  tick(i: number): void {
    const nowMs = (this.round + 1 + i / this.size) * ROUND_MS;
    const { sends, changes } = this.nodes[i]!.tick(nowMs);
    this.#note(i, changes);
    for (const { to, gossip } of sends) {
      const j = Number(`0x${to}`);
      const answer = this.#deliver(i, j, gossip, nowMs);
      if (answer !== null) this.#deliver(j, i, answer, nowMs);
    }
  }

  #deliver(from: number, to: number, gossip: Gossip, nowMs: number): Gossip | null {
    this.mostRumours = Math.max(this.mostRumours, gossip.rumours.length);
    assertEquals(gossip.rumours[0]?.node, id(from), "its own rumour first");
    if (this.stopped.has(to) || this.#dice.next() < this.loss || !this.gets(from, to)) return null;
    const received = { ...gossip, rumours: gossip.rumours.map((rumour) => this.tamper(rumour)) };
    const { answer, changes } = this.nodes[to]!.onGossip(id(from), received, nowMs);
    this.#note(to, changes);
    return answer;
  }

  #note(by: number, changes: readonly { node: string; liveness: Liveness }[]): void {
    for (const { node, liveness } of changes) {
      this.changes.push({ by, node: Number(`0x${node}`), liveness, round: this.round });
    }
  }

  /** Pairs that see each other otherwise than alive, stopped ones aside. */
  get doubts(): number {
    const running = this.nodes.map((_, i) => i).filter((i) => !this.stopped.has(i));
    return running.flatMap((i) => running.filter((j) => this.nodes[i]!.liveness(id(j)) !== "alive")).length;
  }
}

Deno.test("membership: at 1 % loss nobody is suspected falsely, and who stops is found out soon", () => {
  const cases = [[2, 3000, 6, 30], [3, 3000, 6, 35], [5, 2000, 7, 40], [20, 600, 10, 55], [
    100,
    120,
    25,
    80,
  ]] as const;
  for (const [size, rounds, suspectRounds, downRounds] of cases) {
    const cluster = new Cluster(size);
    cluster.run(rounds);
    assertEquals([size, cluster.changes], [size, []]);
    cluster.stopped.add(0);
    cluster.run(suspectRounds);
    const suspecting = cluster.changes.filter(({ node, liveness }) => node === 0 && liveness === "suspect");
    assertEquals(new Set(suspecting.map(({ by }) => by)).size, size - 1, `suspected by all of ${size}`);
    cluster.run(downRounds - suspectRounds);
    for (let i = 1; i < size; i++) assertEquals(cluster.nodes[i]!.liveness(id(0)), "down");
    assertEquals(cluster.doubts, 0);
  }
});

Deno.test("membership: a message is bounded however large the cluster, and holds all of a small one", () => {
  const cluster = new Cluster(150);
  cluster.run(20);
  assertEquals(cluster.mostRumours, MOST_RUMOURS);
  const small = new Cluster(10, 0);
  small.run(20);
  assertEquals(small.mostRumours, 10);
});

Deno.test("FAULTS 35, 64: a node that was stopped for 60 s suspects nobody, and is believed when it returns", () => {
  const cluster = new Cluster(5, 0);
  cluster.run(50);
  cluster.stopped.add(2);
  cluster.run(120);
  for (const i of [0, 1, 3, 4]) assertEquals(cluster.nodes[i]!.liveness(id(2)), "down");
  cluster.changes = [];
  cluster.stopped.delete(2);
  cluster.run(20);
  assertEquals(cluster.changes.filter(({ by }) => by === 2), [], "its own pause is nobody's fault");
  assertEquals(cluster.doubts, 0);
});

Deno.test("FAULTS 64: planted bug: by the wall's time, a pause makes everyone else suspect", () => {
  const options = { expectedMs: ROUND_MS, floorMs: 4 * ROUND_MS, threshold: 8 };
  const detector = new FailureDetector(options, 0);
  for (let round = 1; round <= 50; round++) detector.onNews(round * ROUND_MS);
  assert(detector.isSuspicious(50 * ROUND_MS + 60_000), "which is why only attended time counts");
});

Deno.test("membership: a suspect hears of it, raises its incarnation and is alive to all", () => {
  const cluster = new Cluster(8, 0);
  cluster.run(30);
  // For a while nothing of node 3 gets out, and it hears what is said of it.
  cluster.gets = (from) => from !== 3;
  cluster.run(12);
  assert(cluster.changes.some(({ node, liveness }) => node === 3 && liveness === "suspect"));
  cluster.gets = () => true;
  cluster.run(6);
  assertEquals(cluster.doubts, 0);
  assert(!cluster.changes.some(({ liveness }) => liveness === "down"));
  for (const node of cluster.nodes) {
    const view = node.describe(cluster.round * ROUND_MS).find((view) => view.node === id(3))!;
    assert(view.incarnation >= 1);
  }
});

/** Node 0 is cut off again and again, comes back, and suspects everyone: who is led to doubt bystanders? */
function storm(cluster: Cluster): Change[] {
  for (let flap = 0; flap < 5; flap++) {
    cluster.gets = (from, to) => from !== 0 && to !== 0;
    cluster.run(40);
    cluster.gets = () => true;
    cluster.run(15);
  }
  return cluster.changes.filter(({ by, node }) => by !== 0 && node !== 0);
}

Deno.test("FAULTS 60: planted bugs: suspicions that outrank later heartbeats make a storm", () => {
  const bugs: ((rumour: Rumour) => Rumour)[] = [
    (rumour) => ({ ...rumour, incarnation: rumour.incarnation + 1 }),
    (rumour) => ({ ...rumour, heartbeat: rumour.heartbeat + 1_000 }),
  ];
  for (const bug of bugs) {
    const cluster = new Cluster(12, 0.01);
    cluster.tamper = (rumour) => rumour.liveness === "alive" ? rumour : bug(rumour);
    cluster.run(40);
    assert(storm(cluster).length > 0);
  }
});

Deno.test("FAULTS 60: one-way partitions and flapping links: no storm, only the pair concerned has doubts", () => {
  const cluster = new Cluster(12, 0.01);
  cluster.run(40);
  assertEquals(storm(cluster), []);
  assertEquals(cluster.doubts, 0);
  // One direction of one link: news takes other ways.
  cluster.changes = [];
  cluster.gets = (from, to) => !(from === 1 && to === 2);
  cluster.run(100);
  assertEquals(cluster.changes, []);
});

Deno.test("FAULTS 55: a split heals: halves that took each other for down find each other again", () => {
  const cluster = new Cluster(10, 0);
  cluster.run(30);
  cluster.gets = (from, to) => from % 2 === to % 2;
  cluster.run(80);
  assertEquals(cluster.doubts, 2 * 5 * 5);
  cluster.gets = () => true;
  cluster.run(20);
  assertEquals(cluster.doubts, 0);
});

Deno.test("membership: alone, a node tries everyone who is down", () => {
  const one = membership(0, 3);
  let tried = 0;
  for (let round = 1; round <= 100; round++) {
    tried += one.tick(round * ROUND_MS).sends.length;
  }
  assertEquals([one.liveness(id(1)), one.liveness(id(2))], ["down", "down"]);
  assert(tried >= 100);
});

Deno.test("FAULTS 52: two live processes with one id: exactly one is fenced, and sends no more", () => {
  for (const lives of [[1, 1], [2, 1], [1, 2], [1, 5]] as const) {
    const twins = [membership(1, 3, lives[0], 10), membership(1, 3, lives[1], 11)];
    const other = membership(0, 3);
    for (let round = 1; round < 30; round++) {
      for (const twin of twins) {
        gossip(twin, other, round);
        twin.outlive((twin.laterLife?.life ?? 0) + 1); // each takes the other for what its disk has forgotten
      }
    }
    const fenced = twins.filter((twin) => twin.isFenced);
    assertEquals(fenced.length, 1);
    assertEquals(fenced[0]!.tick(30 * ROUND_MS), { sends: [], changes: [] });
  }
});

/** One round of member 1 with member 0. */
function gossip(one: Membership, other: Membership, round: number): void {
  for (const { gossip } of one.tick(round * ROUND_MS).sends) {
    const { answer } = other.onGossip(id(1), gossip, round * ROUND_MS);
    if (answer !== null) one.onGossip(id(0), answer, round * ROUND_MS);
  }
}

Deno.test("FAULTS 50: who hears of a later life of itself, or as late a one, goes on in one after that", () => {
  // As late a life with a greater boot id passes for the later one here; the handshake does not let it in.
  for (const life of [1, 3]) {
    const other = membership(0, 3);
    const before = membership(1, 3, 3, 11);
    for (let round = 1; round < 5; round++) gossip(before, other, round);
    const copy = membership(1, 3, life, 10);
    for (let round = 5; round < 10; round++) gossip(copy, other, round);
    assertEquals(copy.laterLife, { life: 3, bootId: boot(11) });
    copy.outlive(4);
    for (let round = 10; round < 30; round++) gossip(copy, other, round);
    assertEquals([copy.laterLife, copy.isFenced], [null, false]);
    assertEquals(other.describe(30 * ROUND_MS).find(({ node }) => node === id(1))!.life, 4);
  }
});

Deno.test("membership: a node's own earlier life is forgotten, not obeyed", () => {
  const other = membership(0, 2);
  const before = membership(1, 2, 1, 99);
  for (let round = 1; round < 50; round++) {
    other.onGossip(id(1), before.tick(round * ROUND_MS).sends[0]!.gossip, round * ROUND_MS);
  }
  for (let round = 50; round < 120; round++) other.tick(round * ROUND_MS);
  assertEquals(other.liveness(id(1)), "down");
  const after = membership(1, 2, 2, 3);
  const { changes, answer } = other.onGossip(id(1), after.tick(1).sends[0]!.gossip, 120 * ROUND_MS);
  assertEquals(changes, [{ node: id(1), liveness: "alive" }]);
  assert(answer !== null);
  after.onGossip(id(0), answer, 2);
  assert(!after.isFenced);
  assertEquals(after.describe(2)[0], {
    node: id(1),
    liveness: "alive",
    life: 2,
    incarnation: 0,
    silentMs: 0,
  });
});

Deno.test("membership: who is not in the ring is not listened to, and who leaves it is forgotten", () => {
  const one = membership(0, 3);
  const stranger = membership(7, 8).tick(ROUND_MS).sends[0]!.gossip;
  const { answer } = one.onGossip(id(7), stranger, ROUND_MS);
  assert(answer !== null, "answered, so that it can learn the ring");
  assertEquals(one.liveness(id(7)), null);
  one.setRing({ epoch: 2, checksum: 8 }, [id(0), id(2)], ROUND_MS);
  assertEquals(one.describe(ROUND_MS).map(({ node }) => node), [id(0), id(2)]);
  assertEquals(one.tick(2 * ROUND_MS).sends.map(({ to, gossip }) => [to, gossip.digest.epoch]), [[id(2), 2]]);
});

/** What is said of members `from` to `to`, at this heartbeat. */
function heard(from: number, to: number, heartbeat: number): Gossip {
  const rumours = Array.from({ length: to - from + 1 }, (_, i): Rumour => {
    return { node: id(from + i), life: 1, boot: boot(1), incarnation: 0, heartbeat, liveness: "alive" };
  });
  return { digest: DIGEST, isAnswer: false, rumours };
}

Deno.test("membership: an answer leaves out what the question said", () => {
  const one = membership(0, 200);
  one.onGossip(id(1), heard(1, 60, 5), 1);
  const { answer } = one.onGossip(id(2), heard(2, 50, 5), 2);
  assertEquals(answer!.rumours.map(({ node }) => node).sort(), [0, 1, ...range(51, 60)].map(id));
  const better = one.onGossip(id(2), heard(2, 3, 4), 3).answer!;
  assertEquals(
    better.rumours.slice(1, 3).map(({ heartbeat }) => heartbeat),
    [5, 5],
    "but not what it knows better",
  );
});

Deno.test("membership: in a cluster that starts, messages are not filled with the news that everyone is there", () => {
  const one = membership(0, 200);
  for (const [from, to] of [[1, 60], [61, 120], [121, 180]] as const) {
    one.onGossip(id(1), heard(from, to, 1), 1);
  }
  one.onGossip(id(1), heard(1, 63, 2), 2);
  const { rumours } = one.tick(3).sends[0]!.gossip;
  assertEquals(rumours.map(({ node }) => node).sort(), range(0, 63).map(id));
});

Deno.test("membership: a member that is back in a new life is news", () => {
  const one = membership(0, 200);
  for (const [from, to] of [[1, 60], [61, 120], [121, 180]] as const) {
    one.onGossip(id(1), heard(from, to, 1), 1);
  }
  const [back] = heard(150, 150, 1).rumours;
  one.onGossip(id(1), { digest: DIGEST, isAnswer: true, rumours: [{ ...back!, life: 2 }] }, 1);
  one.onGossip(id(1), heard(1, 63, 2), 2);
  assert(one.tick(3).sends[0]!.gossip.rumours.some(({ node, life }) => node === id(150) && life === 2));
});

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_, i) => from + i);
}

const rumours: fc.Arbitrary<Rumour> = fc.record({
  node: fc.integer({ min: 1, max: 4 }).map(id),
  life: fc.integer({ min: 1, max: 2 }),
  boot: fc.integer({ min: 1, max: 2 }).map(boot),
  incarnation: fc.nat(2),
  heartbeat: fc.nat(3),
  liveness: fc.constantFrom("alive", "suspect", "down"),
});

/** What a node makes of rumours that arrive in this order. */
function believed(list: readonly Rumour[]): unknown {
  const one = membership(0, 5);
  for (const rumour of list) {
    const gossip = { digest: DIGEST, isAnswer: true, rumours: [rumour] };
    one.onGossip(rumour.node, decodeGossip(encodeGossip(gossip))!, 0);
  }
  const { sends } = one.tick(1);
  return sends[0]!.gossip.rumours.slice(1).toSorted((a, b) => a.node < b.node ? -1 : 1);
}

Deno.test("membership: rumours are totally ordered and may come in any order, any number of times", () => {
  fc.assert(fc.property(rumours, rumours, rumours, (a, b, c) => {
    const [ab, ba] = [compareRumours(a, b), compareRumours(b, a)];
    assertEquals(Math.sign(ab) + Math.sign(ba), 0);
    if (ab <= 0 && compareRumours(b, c) <= 0) assert(compareRumours(a, c) <= 0);
    if (ab === 0) assertEquals({ ...a, node: "" }, { ...b, node: "" });
  }));
  fc.assert(fc.property(fc.array(rumours, { maxLength: 20 }), fc.array(fc.nat()), (list, order) => {
    const shuffled = list.map((rumour, i) => [order[i] ?? 0, rumour] as const)
      .sort((a, b) => a[0] - b[0]).map(([, rumour]) => rumour);
    assertEquals(believed([...shuffled, ...list.slice(0, order.length)]), believed(list));
  }));
});

Deno.test("FAULTS 56: no gossip, however absurd, breaks a node", () => {
  fc.assert(fc.property(fc.array(fc.array(rumours, { maxLength: 10 }), { maxLength: 20 }), (messages) => {
    const one = membership(1, 5);
    messages.forEach((rumours, i) => {
      one.onGossip(id(i % 7), { digest: DIGEST, isAnswer: i % 2 === 0, rumours }, i);
      for (const { gossip } of one.tick(i * ROUND_MS).sends) {
        assert(gossip.rumours.length <= MOST_RUMOURS);
        assertEquals(new Set(gossip.rumours.map(({ node }) => node)).size, gossip.rumours.length);
      }
    });
  }));
});
