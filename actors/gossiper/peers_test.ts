import { assert, assertEquals } from "../runtime/testing/assert.ts";
import { SimulatedRandom } from "../simulated/random.ts";
import { FailureDetector } from "./failure_detector.ts";
import { type Peer, pickPeers } from "./peers.ts";

const OPTIONS = { expectedMs: 500, floorMs: 2_000, threshold: 8 };

/** Members of whom there was news at these times. */
function peers(...newsMs: number[]): Peer[] {
  return newsMs.map((ms, i) => ({
    rumour: { node: `${i}`, life: 1, boot: "b", incarnation: 0, heartbeat: 0, liveness: "alive" },
    detector: new FailureDetector(OPTIONS, ms),
    suspectMs: 0,
    retell: 0,
    asked: 0,
  }));
}

/** Who is picked in each of some rounds, nobody of whom answers. */
function rounds(all: readonly Peer[], count: number, fanout: number, seed = 1): string[][] {
  const random = new SimulatedRandom(`${seed}`);
  return Array.from({ length: count }, () => {
    const picked = pickPeers(all, fanout, 10_000, random);
    for (const peer of picked) peer.asked++;
    return picked.map(({ rumour }) => rumour.node);
  });
}

Deno.test("peers: who is silent longest is asked, three times, then the next one", () => {
  assertEquals(rounds(peers(3_000, 1_000, 2_000, 4_000), 6, 1).flat(), ["1", "1", "1", "2", "2", "2"]);
});

Deno.test("peers: a member that answered is owed its messages again", () => {
  const all = peers(3_000, 1_000, 2_000, 4_000);
  rounds(all, 12, 1);
  all[3]!.asked = 0;
  assertEquals(rounds(all, 1, 1), [["3"]]);
});

Deno.test("peers: the others are random, nobody twice, and all are picked where fanout allows", () => {
  const all = peers(...Array<number>(20).fill(1_000));
  all[7] = peers(0)[0]!;
  const picked = rounds(all, 3, 4);
  for (const nodes of picked) assertEquals(new Set(nodes).size, 4);
  assert(new Set(picked.flat()).size > 6);
  assertEquals(rounds(peers(1, 2), 1, 5)[0]!.sort(), ["0", "1"]);
  assertEquals(rounds([], 1, 2), [[]]);
});

Deno.test("peers: nodes that start together do not all ask the same member", () => {
  const firsts = Array.from(
    { length: 100 },
    (_, seed) => rounds(peers(...Array(50).fill(0)), 1, 1, seed)[0]![0],
  );
  assert(new Set(firsts).size > 30);
});

Deno.test("peers: those that are down are tried the oftener the fewer are left, and always in the end", () => {
  const all = peers(...Array<number>(10).fill(0));
  const tries = (down: number) => {
    all.forEach((peer, i) => peer.rumour = { ...peer.rumour, liveness: i < down ? "down" : "alive" });
    return rounds(all, 200, 2).flat().filter((node) => Number(node) < down).length;
  };
  assert(tries(1) > 5 && tries(1) < 50);
  assert(tries(8) > tries(1));
  assertEquals(tries(10), 200);
});
