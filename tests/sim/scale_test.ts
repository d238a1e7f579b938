/**
 * Gossip and failure detection at scale, in a few seeds and with the limits of `deno task scale`; and the mistakes
 * that these limits find.
 *
 * @module
 */

import { type DetectorOptions, FailureDetector } from "../../actors/gossiper/failure_detector.ts";
import { type Heard, Membership, type Round } from "../../actors/gossiper/membership.ts";
import { compareRumours, type Gossip, type Rumour } from "../../actors/gossiper/rumour.ts";
import { assert, assertEquals, assertMatch } from "../../actors/runtime/testing/assert.ts";
import type { GossiperCore } from "../../actors/gossiper/gossiper.ts";
import { World } from "../../cli/testing/world.ts";
import { jobsOf, main } from "./scale.ts";
import { GossipCluster, type GossipClusterOptions } from "./scale_cluster.ts";
import { LIFE, live, spread } from "./scale_measure.ts";
import { drawChart, svgOf } from "./scale_plot.ts";
import { chartsOf, expectedBytes, Findings, quantile, SCALE_LIMITS } from "./scale_report.ts";
import { paint } from "../../cli/paint.ts";

type Core = GossipClusterOptions["core"];

const SHORT = { ...LIFE, warmUpMs: 20_000, watchMs: 20_000 };

/** What a few seeds come down to. */
function measured(
  nodes: number,
  loss: number,
  seeds: { spreads: number; lives: number },
  core: Core = {},
): Findings {
  const findings = new Findings(nodes, loss);
  for (let seed = 1; seed <= Math.max(seeds.spreads, seeds.lives); seed++) {
    const job = { nodes, seed, loss };
    if (seed <= seeds.spreads) findings.add({ ...job, kind: "spread", spread: spread({ ...job, core }) });
    if (seed <= seeds.lives) findings.add({ ...job, kind: "life", life: live({ ...job, core }, SHORT) });
  }
  return findings;
}

for (const [nodes, spreads, lives] of [[3, 60, 20], [7, 60, 20], [30, 40, 6], [100, 50, 1]] as const) {
  for (const loss of [0, 0.01]) {
    Deno.test(`${nodes} nodes, ${100 * loss} % loss: the limits of scale are kept`, () => {
      const findings = measured(nodes, loss, { spreads, lives });
      assertEquals(findings.problems(), []);
      assert(findings.rounds(0.99) <= SCALE_LIMITS.rounds);
      assert(findings.bytes <= SCALE_LIMITS.bytesGrowth * expectedBytes(nodes));
      assert(findings.suspectedMs(1) <= 9_000, `${findings.suspectedMs(1)} ms`);
    });
  }
}

Deno.test("the bytes of a round do not grow with the cluster, once it has more members than a message has room for", () => {
  assertEquals([10, 64, 65, 1_000].map(expectedBytes), [1_700, 10_556, 10_556, 10_556]);
});

Deno.test("messages that become bytes on their way change nothing", () => {
  const [plain, coded] = [false, true].map((codec) => {
    const cluster = new GossipCluster({ nodes: 20, seed: 3, loss: 0.1, codec });
    cluster.run(10_000);
    cluster.changeRing(4);
    cluster.stop(5);
    cluster.run(20_000);
    const { bytes, opinions, events } = cluster;
    return { bytes, opinions, learned: cluster.learned(2), traceHash: events.traceHash };
  });
  assert(plain!.opinions.length > 0 && plain!.learned.length === 19);
  assertEquals(coded, plain);
});

Deno.test("who watches a cluster, and how it is cut into slices of time, changes nothing", () => {
  const hashes = [10_000, 333].map((slice) => {
    let heard = 0;
    const cluster = new GossipCluster({ nodes: 10, seed: 1, loss: 0.05, onTime: () => heard++ });
    while (cluster.now < 10_000) cluster.run(Math.min(slice, 10_000 - cluster.now));
    assert(heard > 0);
    return cluster.events.traceHash;
  });
  assertEquals(hashes[0], hashes[1]);
});

/** Sends every message to the next member in the list. */
class OnePeer extends Membership {
  readonly #self: string;
  #next = "";

  constructor(...known: ConstructorParameters<typeof Membership>) {
    super(...known);
    this.#self = known[0].self;
  }

  override setRing(...ring: Parameters<Membership["setRing"]>): void {
    super.setRing(...ring);
    this.#next = ring[1][(ring[1].indexOf(this.#self) + 1) % ring[1].length]!;
  }

  override tick(...time: Parameters<Membership["tick"]>): Round {
    const { sends, changes } = super.tick(...time);
    return { sends: sends.map(({ gossip }) => ({ to: this.#next, gossip })), changes };
  }
}

/** Says all it knows in every message. */
class Chatterer extends Membership {
  readonly #known = new Map<string, Rumour>();

  override tick(...time: Parameters<Membership["tick"]>): Round {
    const { sends, changes } = super.tick(...time);
    return { sends: sends.map(({ to, gossip }) => ({ to, gossip: this.#all(gossip) })), changes };
  }

  override onGossip(from: string, gossip: Gossip, nowMs: number): Heard {
    for (const rumour of gossip.rumours) {
      const known = this.#known.get(rumour.node);
      if (known === undefined || compareRumours(rumour, known) > 0) this.#known.set(rumour.node, rumour);
    }
    const { answer, changes } = super.onGossip(from, gossip, nowMs);
    return { answer: answer && this.#all(answer), changes };
  }

  #all(gossip: Gossip): Gossip {
    const said = new Set(gossip.rumours.map(({ node }) => node));
    return {
      ...gossip,
      rumours: [...gossip.rumours, ...this.#known.values().filter(({ node }) => !said.has(node))],
    };
  }
}

/** Takes silence for failure after a time that is right for three nodes. */
class Timeout extends FailureDetector {
  readonly #floorMs: number;

  constructor(options: DetectorOptions, nowMs: number) {
    super(options, nowMs);
    this.#floorMs = options.floorMs;
  }

  override isSuspicious(nowMs: number): boolean {
    return this.silentMs(nowMs) > this.#floorMs;
  }
}

class Impatient extends Membership {
  protected override newDetector(options: DetectorOptions, nowMs: number): FailureDetector {
    return new Timeout(options, nowMs);
  }
}

/** Believes that news comes as it was expected to before there was any. */
class Unlearning extends FailureDetector {
  override onNews(nowMs: number): void {
    super.onReturn(nowMs);
  }
}

class Stubborn extends Membership {
  protected override newDetector(options: DetectorOptions, nowMs: number): FailureDetector {
    return new Unlearning(options, nowMs);
  }
}

/** Does not take a suspicion back, whatever it hears. */
class Grudge extends Membership {
  override onGossip(from: string, gossip: Gossip, nowMs: number): Heard {
    const rumours = gossip.rumours.filter(({ node, liveness }) =>
      liveness !== "alive" || this.liveness(node) === "alive"
    );
    return super.onGossip(from, { ...gossip, rumours }, nowMs);
  }
}

function membership(make: new (...known: ConstructorParameters<typeof Membership>) => Membership): Core {
  return { membership: (...known) => new make(...known) } satisfies Partial<GossiperCore>;
}

Deno.test("planted: a gossiper that sends to one member only is caught", () => {
  const findings = measured(100, 0, { spreads: 2, lives: 0 }, membership(OnePeer));
  assertMatch(findings.problems().join(), /a ring takes .* rounds, more than 12/);
});

Deno.test("planted: nobody teaches whoever has an older ring, and it is caught", () => {
  const findings = measured(10, 0, { spreads: 1, lives: 0 }, { isBehind: () => false });
  assertMatch(findings.problems().join(), /a ring takes Infinity rounds/);
});

Deno.test("planted: a message that carries everyone is caught", () => {
  const findings = measured(100, 0, { spreads: 0, lives: 1 }, membership(Chatterer));
  assertMatch(findings.problems().join(), /a round costs \d+ bytes, more than 10556/);
});

Deno.test("planted: a detector with a timeout that does not adapt is caught", () => {
  const findings = measured(100, 0, { spreads: 0, lives: 1 }, membership(Impatient));
  assertMatch(findings.problems().join(), /false suspicions/);
});

Deno.test("planted: a detector that does not learn how regular news is is caught", () => {
  const findings = measured(7, 0.01, { spreads: 0, lives: 10 }, membership(Stubborn));
  assert(findings.suspectedMs(1) > 9_000, `${findings.suspectedMs(1)} ms`);
});

Deno.test("planted: a suspicion that is never taken back is caught", () => {
  const findings = measured(10, 0, { spreads: 0, lives: 1 }, membership(Grudge));
  assertMatch(findings.problems().join(), /a false suspicion was not refuted/);
});

Deno.test("scale: fewer measurements of more nodes, and each size and loss has some of both kinds", () => {
  const jobs = jobsOf([10, 100, 1_000], [0, 0.01], 1_000, 7);
  const count = (kind: string, nodes: number) =>
    jobs.filter((job) => job.kind === kind && job.nodes === nodes && job.loss === 0.01).length;
  assertEquals([10, 100, 1_000].map((nodes) => count("spread", nodes)), [1_000, 1_000, 5]);
  assertEquals([10, 100, 1_000].map((nodes) => count("life", nodes)), [200, 20, 1]);
  assertEquals(Math.min(...jobs.map(({ seed }) => seed)), 7);
  assert(jobsOf([1_000], [0], 1, 1).some(({ kind }) => kind === "life"));
});

Deno.test("scale: quantiles", () => {
  const numbers = [5, 1, 4, 2, 3];
  assertEquals([0, 0.5, 0.99, 1].map((q) => quantile(numbers, q)), [1, 3, 5, 5]);
  assertEquals(quantile([], 0.5), NaN);
});

Deno.test("scale: what is wrong with a command line is said", async () => {
  for (
    const [line, words] of [
      [["--nodes", "2"], /--nodes: expected a list of an integer from 3/],
      [["--loss", "100"], /--loss: expected a list of a percentage/],
      [["more"], /unexpected argument "more"/],
    ] as const
  ) {
    const world = new World();
    assertEquals(await main(line, world), 2);
    assertMatch(world.stderr, words);
  }
});

Deno.test("scale: curves are drawn for a terminal and as SVG", () => {
  const findings = [10, 20].map((nodes) => measured(nodes, 0, { spreads: 3, lives: 1 }));
  const charts = chartsOf(findings);
  const text = charts.map((chart) => drawChart(chart, paint(false))).join("");
  for (const words of ["10 nodes", "Who has a new ring", "Bytes a node sends", "⠁"]) {
    assert(text.includes(words), words);
  }
  const [, top] = drawChart(charts[0]!, paint(false)).split("\n").slice(1);
  assertMatch(top!, /100 ┤.*[\u2801-\u28ff]/, "all have it in the end");
  const svg = svgOf(charts);
  assertEquals(svg.match(/<path [^>]*stroke-width="2"/g)!.length, 2 + 1 + 1);
  assert(!svg.includes("NaN"));
});
