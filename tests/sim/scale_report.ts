/**
 * What measurements at scale come down to: a row for each size of cluster and each loss, curves, and whether the
 * limits are kept.
 *
 * @module
 */

import { type Paint, table } from "../../cli/paint.ts";
import { gossipBytes } from "../../actors/gossiper/gossip_codec.ts";
import { MOST_RUMOURS } from "../../actors/gossiper/rumour.ts";
import { FANOUT } from "./scale_cluster.ts";
import type { Life, Outcome, Spread } from "./scale_measure.ts";
import type { Chart, Curve } from "./scale_plot.ts";

/** What has to hold. */
export const SCALE_LIMITS = {
  /** Rounds until a change of the ring is everywhere, for 99 of 100 seeds, at {@link SCALE_LIMITS.nodes}, no loss. */
  rounds: 12,
  /** See {@link SCALE_LIMITS.rounds}. */
  nodes: 100,
  /** False suspicions an hour and node, where messages are lost; where none are, there is none. */
  falsePerNodeHour: 0.1,
  /** What a round may cost more at one time than at another. */
  bytesGrowth: 1.05,
};

/** What a node sends in a round at most: so many messages and as many answers, each full or of all members. */
export function expectedBytes(nodes: number): number {
  return 2 * Math.min(FANOUT, nodes - 1) * gossipBytes(Math.min(nodes, MOST_RUMOURS));
}

/** The least of some numbers that the share `q` of them (0 to 1) does not exceed; NaN when there are none. */
export function quantile(numbers: readonly number[], q: number): number {
  return numbers.toSorted((a, b) => a - b)[Math.max(0, Math.ceil(q * numbers.length) - 1)] ?? NaN;
}

const STEPS_PER_ROUND = 10;

/** All measurements of clusters of one size, with one loss. */
export class Findings {
  readonly #everywhere: number[] = [];
  readonly #lessons: number[] = [];
  /** How many nodes had a new ring so many tenths of a round later, in all. */
  readonly #had: number[] = [];
  readonly #lives: Life[] = [];

  /** @param nodes how many nodes @param loss the share of messages lost */
  constructor(readonly nodes: number, readonly loss: number) {}

  /** One more measurement. */
  add(outcome: Outcome): void {
    if ("spread" in outcome) this.#addSpread(outcome.spread);
    else this.#lives.push(outcome.life);
  }

  #addSpread({ rounds, lessons }: Spread): void {
    this.#everywhere.push(rounds.at(-1)!);
    this.#lessons.push(lessons);
    for (const round of rounds) {
      const step = Math.ceil(round * STEPS_PER_ROUND);
      if (Number.isFinite(step)) this.#had[step] = (this.#had[step] ?? 0) + 1;
    }
  }

  /** Rounds until a change of the ring is everywhere, for the share `q` of seeds. */
  rounds(q: number): number {
    return quantile(this.#everywhere, q);
  }

  /** Milliseconds until all suspect who died, for the share `q` of lives. */
  suspectedMs(q: number): number {
    return quantile(this.#lives.map(({ suspectedMs }) => suspectedMs.all), q);
  }

  /** Bytes a node sent per round, on average. */
  get bytes(): number {
    return mean(this.#lives.map(({ bytesPerRound: { early, late } }) => (early + late) / 2));
  }

  /** Wrong verdicts of detectors, for each hour that a node lived. */
  get falsePerNodeHour(): number {
    return this.#falseSuspicions / sum(this.#lives.map(({ nodeHours }) => nodeHours));
  }

  get #falseSuspicions(): number {
    return sum(this.#lives.map(({ falseSuspicions }) => falseSuspicions));
  }

  /** What share of the nodes had a new ring so many rounds after the first one. */
  curve(): [round: number, percent: number][] {
    const all = this.nodes * this.#everywhere.length;
    let had = 0;
    return Array.from(this.#had, (count, step) => [step / STEPS_PER_ROUND, 100 * (had += count ?? 0) / all]);
  }

  /** A line about changes of the ring. */
  spreadRow(): string[] {
    return [
      ...this.#names(),
      String(this.#everywhere.length),
      ...[0.5, 0.99, 1].map((q) => this.rounds(q).toFixed(1)),
      mean(this.#lessons).toFixed(2),
    ];
  }

  /** A line about lives. */
  lifeRow(): string[] {
    const lives = this.#lives;
    const seconds = (numbers: readonly number[], q: number) => (quantile(numbers, q) / 1_000).toFixed(1);
    const firsts = lives.map(({ suspectedMs }) => suspectedMs.first);
    const refuted = lives.map(({ refuted }) => refuted.ms);
    return [
      ...this.#names(),
      String(lives.length),
      Math.round(this.bytes).toLocaleString("en"),
      Math.max(...lives.map(({ busiestBytes }) => busiestBytes)).toLocaleString("en"),
      sum(lives.map(({ nodeHours }) => nodeHours)).toFixed(1),
      String(this.#falseSuspicions),
      seconds(firsts, 0.5),
      ...[0.5, 0.99].map((q) => (this.suspectedMs(q) / 1_000).toFixed(1)),
      ...[0.5, 0.99].map((q) => seconds(refuted, q)),
    ];
  }

  #names(): string[] {
    return [String(this.nodes), `${+(100 * this.loss).toFixed(3)} %`];
  }

  /** Which limits are not kept, for people. */
  problems(): string[] {
    const { rounds, nodes, falsePerNodeHour, bytesGrowth } = SCALE_LIMITS;
    const where = `${this.nodes} nodes, ${this.#names()[1]} loss`;
    const problems: string[] = [];
    const slow = this.nodes <= nodes && this.loss === 0 && this.rounds(0.99) > rounds;
    if (slow || this.rounds(1) === Infinity) {
      problems.push(`${where}: a ring takes ${this.rounds(0.99).toFixed(1)} rounds, more than ${rounds}`);
    }
    if (this.#lives.length === 0) return problems;
    if (this.bytes > bytesGrowth * expectedBytes(this.nodes)) {
      problems.push(
        `${where}: a round costs ${Math.round(this.bytes)} bytes, more than ${expectedBytes(this.nodes)}`,
      );
    }
    const [early, late] = [
      mean(this.#lives.map(({ bytesPerRound }) => bytesPerRound.early)),
      mean(this.#lives.map(({ bytesPerRound }) => bytesPerRound.late)),
    ];
    if (late > bytesGrowth * early) {
      problems.push(`${where}: a round's bytes grew from ${Math.round(early)} to ${Math.round(late)}`);
    }
    if (this.falsePerNodeHour > (this.loss === 0 ? 0 : falsePerNodeHour)) {
      problems.push(`${where}: ${this.#falseSuspicions} false suspicions`);
    }
    if (this.suspectedMs(1) === Infinity) problems.push(`${where}: who died was not suspected by all`);
    if (this.#lives.some(({ refuted }) => refuted.ms === Infinity)) {
      problems.push(`${where}: a false suspicion was not refuted`);
    }
    return problems;
  }
}

/** All findings as two tables. */
export function tablesOf(findings: readonly Findings[], paint: Paint): string {
  const names = [">nodes", ">loss"];
  const ring = [...names, ">seeds", ">rounds p50", ">p99", ">max", ">rings sent/node"];
  const life = [
    ...[...names, ">lives", ">bytes/node/round", ">busiest", ">node-hours", ">false suspicions"],
    ...[">first suspects s", ">all p50", ">p99", ">refuted s p50", ">p99"],
  ];
  return [
    paint.bold("A change of the ring, made at one node, until every node has it\n"),
    table(paint, ring, findings.map((one) => one.spreadRow())),
    paint.bold(
      "\nA node dies: until it is suspected; one is suspected falsely: until nobody does any more\n",
    ),
    table(paint, life, findings.map((one) => one.lifeRow())),
  ].join("");
}

/** All findings as curves. */
export function chartsOf(findings: readonly Findings[]): Chart[] {
  const sizes = [...new Set(findings.map(({ nodes }) => nodes))].sort((a, b) => a - b);
  const losses = [...new Set(findings.map(({ loss }) => loss))].sort((a, b) => a - b);
  const spreads = findings.filter(({ loss }) => loss === losses[0]).toSorted((a, b) => a.nodes - b.nodes)
    .map((one): Curve => ({ name: `${one.nodes} nodes`, points: one.curve() }));
  const mostRounds = Math.ceil(
    Math.max(1, ...spreads.flatMap(({ points }) => points.map(([round]) => round))),
  );
  const bySize = (value: (one: Findings) => number) =>
    losses.map((loss): Curve => ({
      name: `${+(100 * loss).toFixed(3)} % loss`,
      points: findings.filter((one) => one.loss === loss && Number.isFinite(value(one)))
        .map((one) => [one.nodes, value(one)] as const).sort(([a], [b]) => a - b),
    }));
  const overSizes = (title: string, unit: string, curves: Curve[]): Chart => {
    const mostY = niceAbove(Math.max(1, ...curves.flatMap(({ points }) => points.map(([, y]) => y))));
    const marks: Chart["marks"] = [sizes, [0, mostY / 2, mostY]];
    return { title, axes: ["nodes", unit], logarithmic: true, mostY, marks, curves };
  };
  return [
    {
      title: `Who has a new ring, ${spreads.length > 0 ? `at ${+(100 * losses[0]!).toFixed(3)} % loss` : ""}`,
      axes: ["rounds", "% have it"],
      logarithmic: false,
      mostY: 100,
      marks: [Array.from({ length: mostRounds + 1 }, (_, round) => round), [0, 50, 100]],
      curves: spreads,
    },
    overSizes("Seconds until all suspect who died (p50)", "s", bySize((one) => one.suspectedMs(0.5) / 1_000)),
    overSizes("Bytes a node sends per round", "bytes", bySize((one) => one.bytes)),
  ];
}

/** The next of 1, 2, 5, 10, 20, … */
function niceAbove(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 5, 10].map((factor) => factor * power).find((nice) => nice >= value)!;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}

function mean(numbers: readonly number[]): number {
  return sum(numbers) / numbers.length;
}
