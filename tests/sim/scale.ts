/**
 * `deno task scale`: gossip and failure detection alone, in clusters of 10 to 1,000 nodes; `--help` tells more.
 *
 * @module
 */

import { defaulted, describeFlags, optional, parseFlags } from "../../cli/flags.ts";
import * as kind from "../../cli/kinds.ts";
import { paint } from "../../cli/paint.ts";
import { RealTerminal, type Terminal } from "../../cli/terminal.ts";
import { Progress } from "../../cli/progress.ts";
import { type Job, LIFE, type Outcome } from "./scale_measure.ts";
import { drawChart, svgOf } from "./scale_plot.ts";
import { chartsOf, Findings, SCALE_LIMITS, tablesOf } from "./scale_report.ts";

const MOST_NODES = 1_024;

const percent: kind.Kind<number> = {
  expected: "a percentage from 0 to 99",
  placeholder: "PERCENT",
  fromText: (text) => /^\d{1,2}(\.\d{1,3})?$/.test(text) ? percent.fromJson(Number(text)) : undefined,
  fromJson: (value) => typeof value === "number" && value >= 0 && value <= 99 ? value : undefined,
};

const FLAGS = {
  nodes: defaulted(kind.list(kind.integer(3, MOST_NODES)), [10, 30, 100, 300, 1_000], "Sizes of clusters"),
  seeds: defaulted(
    kind.integer(1, 1_000_000),
    1_000,
    "Changes of the ring at up to 100 nodes, fewer at more; and a fiftieth as many lives, more of few nodes",
  ),
  from: defaulted(kind.integer(0, 1_000_000_000, "SEED"), 1, "The first seed; the others follow"),
  loss: defaulted(kind.list(percent), [0, 1], "Messages lost, in percent"),
  workers: defaulted(kind.integer(1, 256), navigator.hardwareConcurrency, "Measurements taken at once"),
  svg: optional(kind.name("FILE"), "Write the curves to a file"),
};

const USAGE = 2;

if (import.meta.main) Deno.exit(await main(Deno.args, new RealTerminal(Deno.stdout, Deno.stderr, "scale")));

/** Run a command line; the result is the exit code: 0 all limits are kept, 1 one is not, 2 usage. */
export async function main(line: readonly string[], terminal: Terminal): Promise<number> {
  if (line.includes("--help") || line.includes("-h")) {
    terminal.out(`deno task scale: gossip and failure detection at scale\n\n${describeFlags(FLAGS)}\n`);
    return 0;
  }
  const parsed = parseFlags(line, FLAGS);
  const problem = parsed.ok ? parsed.words.map((word) => `unexpected argument "${word}"`)[0] : parsed.problem;
  if (!parsed.ok || problem !== undefined) {
    terminal.err(`scale: ${problem}\nscale --help lists the flags\n`);
    return USAGE;
  }
  const { nodes, seeds, from, loss, workers, svg } = parsed.values;
  const losses = loss.map((percent) => percent / 100);
  const findings = nodes.flatMap((nodes) => losses.map((loss) => new Findings(nodes, loss)));
  const jobs = jobsOf(nodes, losses, seeds, from);
  await takeAll(jobs, workers, terminal, (outcome) => {
    findings.find((one) => one.nodes === outcome.nodes && one.loss === outcome.loss)!.add(outcome);
  });
  const colours = paint(terminal.coloured);
  const charts = chartsOf(findings);
  terminal.out(
    `${tablesOf(findings, colours)}\n${charts.map((chart) => drawChart(chart, colours)).join("\n")}\n`,
  );
  if (svg !== undefined) Deno.writeTextFileSync(svg, svgOf(charts));
  const problems = findings.flatMap((one) => one.problems());
  for (const problem of problems) terminal.out(`${colours.red("✗")} ${problem}\n`);
  if (problems.length === 0) {
    const { rounds, falsePerNodeHour } = SCALE_LIMITS;
    const words =
      `at most ${rounds} rounds at p99 up to ${SCALE_LIMITS.nodes} nodes without loss, constant bytes, ` +
      `no false suspicion without loss and at most ${falsePerNodeHour} a node-hour with it`;
    terminal.out(`${colours.green("✓")} ${words}\n`);
  }
  return problems.length === 0 ? 0 : 1;
}

/** What to measure, what takes longest first. */
export function jobsOf(
  sizes: readonly number[],
  losses: readonly number[],
  seeds: number,
  from: number,
): Job[] {
  const jobs = sizes.flatMap((nodes) => {
    // What one costs grows with the square of the nodes, what all cost should not grow.
    const fewer = Math.min(1, (100 / nodes) ** 2.3);
    const spreads = Math.max(1, Math.round(seeds * fewer));
    const lives = Math.max(1, Math.round(seeds * fewer * 2 / Math.min(nodes, 100)));
    return losses.flatMap((loss) => [
      ...numbered(spreads, (i): Job => ({ kind: "spread", nodes, loss, seed: from + i })),
      ...numbered(lives, (i): Job => ({ kind: "life", nodes, loss, seed: from + i })),
    ]);
  });
  return jobs.sort((a, b) => costOf(b) - costOf(a));
}

function numbered<T>(count: number, make: (index: number) => T): T[] {
  return Array.from({ length: count }, (_, index) => make(index));
}

/** How long a measurement takes, about, to those of other kinds. */
function costOf(job: Job): number {
  return job.nodes ** 1.7 * lengthMs(job);
}

function lengthMs({ kind }: Job): number {
  return kind === "spread" ? 3_000 : LIFE.warmUpMs + LIFE.watchMs;
}

/** Have workers take all measurements, while a bar shows how far they are. */
async function takeAll(
  jobs: readonly Job[],
  workers: number,
  terminal: Terminal,
  onOutcome: (outcome: Outcome) => void,
): Promise<void> {
  const progress = new Progress(terminal);
  const all = jobs.reduce((sum, job) => sum + costOf(job), 0);
  let [next, done, cost] = [0, 0, 0];
  const show = (more: number) => {
    const share = (cost + more) / all;
    progress.show(share, `${done} of ${jobs.length} measurements, ${(100 * share).toFixed(0)} % of the work`);
  };
  const partly = numbered(Math.min(workers, jobs.length), () => 0);
  await Promise.all(partly.map(async (_, index) => {
    const worker = new Worker(new URL("./scale_worker.ts", import.meta.url), { type: "module" });
    try {
      for (let job = jobs[next++]; job !== undefined; job = jobs[next++]) {
        const whole = costOf(job);
        const length = lengthMs(job);
        const outcome = await take(worker, job, (ms) => {
          partly[index] = whole * Math.min(1, ms / length);
          show(partly.reduce((sum, part) => sum + part, 0));
        });
        partly[index] = 0;
        [cost, done] = [cost + whole, done + 1];
        onOutcome(outcome);
      }
    } finally {
      worker.terminate();
    }
  }));
  progress.clear();
}

/** What a worker says: how far it is, or what came of it. */
type Word = { readonly ms: number } | { readonly outcome: Outcome };

function take(worker: Worker, job: Job, onTime: (ms: number) => void): Promise<Outcome> {
  const { promise, resolve, reject } = Promise.withResolvers<Outcome>();
  worker.onmessage = ({ data }: MessageEvent<Word>) => "ms" in data ? onTime(data.ms) : resolve(data.outcome);
  worker.onerror = (event) => {
    event.preventDefault();
    reject(new Error(`${JSON.stringify(job)}: ${event.message}`));
  };
  worker.postMessage(job);
  return promise;
}
