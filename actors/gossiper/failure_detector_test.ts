import fc from "fast-check";
import { assert, assertEquals } from "../runtime/testing/assert.ts";
import { FailureDetector } from "./failure_detector.ts";

const ROUND_MS = 500;
const OPTIONS = { expectedMs: ROUND_MS, floorMs: 4 * ROUND_MS, threshold: 8 };

function dice(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = state + 0x9e3779b9 | 0;
    let z = Math.imul(state ^ state >>> 16, 0x21f0aaad);
    z = Math.imul(z ^ z >>> 15, 0x735a2d97);
    return ((z ^ z >>> 15) >>> 0) / 2 ** 32;
  };
}

/** How news of a member reaches an observer: the interval to the next, in milliseconds. */
type Arrivals = (random: () => number) => number;

/** Heartbeats sent straight to the observer, with some jitter; one in a hundred is lost. */
const direct: Arrivals = (random) => {
  let ms = ROUND_MS * (0.9 + 0.2 * random());
  while (random() < 0.01) ms += ROUND_MS;
  return ms;
};

/** By gossip: a wait for `stages` random carriers, `meanMs` in all; one carrier in a hundred is lost. */
const gossiped = (meanMs: number, stages: number): Arrivals => (random) => {
  let ms = 0;
  for (let i = 0; i < stages; i++) {
    do ms -= Math.log(1 - random()) * meanMs / stages; while (random() < 0.01);
  }
  return ms;
};

/** Feed `count` intervals; how often the silence before the next was suspicious, and the detector after. */
function watch(arrivals: Arrivals, count: number, seed: number, expectedMs = ROUND_MS) {
  const random = dice(seed);
  const detector = new FailureDetector({ ...OPTIONS, expectedMs }, 0);
  let [nowMs, suspicions] = [0, 0];
  for (let i = 0; i < count; i++) {
    nowMs += arrivals(random);
    if (detector.isSuspicious(nowMs)) suspicions++;
    detector.onNews(nowMs);
  }
  return { detector, nowMs, suspicions };
}

/** How long after the last news a dead member is suspected. */
function detectionMs({ detector, nowMs }: ReturnType<typeof watch>): number {
  let silentMs = 0;
  while (!detector.isSuspicious(nowMs + silentMs)) silentMs += 10;
  return silentMs;
}

// Mean and regularity of the intervals are of the order seen in simulated gossip at these sizes, not measured.
const CLUSTERS: [name: string, arrivals: Arrivals, expectedMs: number, withinMs: number][] = [
  ["2 nodes, direct", direct, 500, 2_500],
  ["5 nodes", gossiped(500, 8), 510, 3_500],
  ["20 nodes", gossiped(550, 5), 540, 4_500],
  ["100 nodes", gossiped(700, 3), 700, 9_500],
  ["300 nodes", gossiped(1_050, 2), 1_090, 18_000],
  ["1000 nodes", gossiped(2_500, 2), 2_450, 42_000],
];

Deno.test("failure detector: at 1 % loss, seldom wrong and soon right, from 2 to 1000 nodes", () => {
  for (const [name, arrivals, expectedMs, withinMs] of CLUSTERS) {
    let [suspicions, intervals, slowestMs] = [0, 0, 0];
    for (let seed = 0; seed < 50; seed++) {
      const watched = watch(arrivals, 2_000, seed, expectedMs);
      suspicions += watched.suspicions;
      intervals += 2_000;
      slowestMs = Math.max(slowestMs, detectionMs(watched));
    }
    assert(suspicions <= intervals / 20_000, `${name}: ${suspicions} false in ${intervals}`);
    assert(slowestMs <= withinMs, `${name}: ${slowestMs} ms`);
  }
});

Deno.test("failure detector: a normal distribution, as in the paper, is wrong too often under gossip", () => {
  const random = dice(1);
  const [meanMs, deviationMs] = [2_500, 2_500 / Math.SQRT2];
  const arrivals = gossiped(meanMs, 2);
  let suspicions = 0;
  // phi = 8 is 5.6 standard deviations.
  for (let i = 0; i < 100_000; i++) if (arrivals(random) > meanMs + 5.6 * deviationMs) suspicions++;
  assert(suspicions > 50, `${suspicions}`);
});

Deno.test("failure detector: phi grows with silence and adapts to the pace of news", () => {
  fc.assert(fc.property(fc.integer(), fc.integer({ min: 20, max: 5_000 }), (seed, meanMs) => {
    const { detector, nowMs } = watch(gossiped(meanMs, 3), 1_500, seed);
    let before = 0;
    for (let silence = 0; silence < 30; silence += 0.5) {
      const phi = detector.phi(nowMs + silence * meanMs);
      assert(phi >= before && phi >= 0, "monotone");
      before = phi;
    }
    assert(detector.phi(nowMs + meanMs) < 2 && detector.phi(nowMs + 30 * meanMs) > 8);
  }));
});

Deno.test("FAULTS 64: a pause shorter than the floor is never suspicious, however regular the news was", () => {
  const { detector, nowMs } = watch(() => 50, 10_000, 1);
  assert(detector.phi(nowMs + 1_000) > 8);
  assertEquals(detector.isSuspicious(nowMs + 1_999), false);
  assertEquals(detector.isSuspicious(nowMs + 2_001), true);
});

Deno.test("failure detector: an absence is not taken for an interval", () => {
  const { detector, nowMs } = watch(direct, 200, 1);
  const before = detector.phi(nowMs + 2_000);
  detector.onReturn(nowMs + 3_600_000);
  assertEquals(detector.silentMs(nowMs + 3_600_000), 0);
  assertEquals(detector.phi(nowMs + 3_602_000), before);
});
