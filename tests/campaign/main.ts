/**
 * `deno task campaign`: long runs that judge the storage engines; `--help` tells more.
 *
 * @module
 */

import { defaulted, describeFlags, optional, parseFlags, type Values } from "../../cli/flags.ts";
import * as kind from "../../cli/kinds.ts";
import { counted, duration, paint, table } from "../../cli/paint.ts";
import { Progress } from "../../cli/progress.ts";
import { RealTerminal, type Terminal } from "../../cli/terminal.ts";
import { type EngineName, ENGINES } from "../../storage/testing/engines.ts";
import { rangesOf } from "./flip_campaign.ts";
import { EXHIBITS } from "./flip_exhibits.ts";
import { flipAll } from "./flip_run.ts";
import { NOTICES } from "./flip_verdict.ts";
import { killCampaign, killsOf, type KillTotals } from "./kill_campaign.ts";
import { FATES } from "./elements.ts";
import { type SetOutcome, setRun, sumFates, type Trouble, TROUBLES } from "./set_campaign.ts";
import { absence, grow, REAL_FLAGS } from "./real_main.ts";
import { storyCampaign } from "./story_campaign.ts";
import { CALLS, whyNotTraced } from "./strace.ts";

const NAMES = Object.keys(ENGINES) as EngineName[];
/** More stores than cores: a victim waits for the disk most of its life. */
const LANES_PER_CORE = 3;

const FLAGS = {
  engine: optional(
    kind.choice(...NAMES, "node"),
    "Whose files (default: everybody's; node: its own journal)",
  ),
  kills: defaulted(kind.integer(1, 1_000_000), 2_000, "kill: how many, for each engine"),
  seed: defaulted(kind.integer(0, 1_000_000_000, "SEED"), 1, "kill, stories: decides what is done"),
  stories: defaulted(kind.integer(1, 1_000_000_000), 10_000, "stories: how many, for each engine"),
  bits: optional(kind.integer(1, 100_000_000), "flip: at most so many bits of each file (default: all)"),
  runs: defaulted(kind.integer(1, 1000), 12, "sets: how many, each with another kind of trouble"),
  seconds: defaulted(kind.integer(1, 3600), 60, "sets: how long a run's clients are at work"),
  nodes: optional(kind.integer(2, 9), "sets, absence: how many nodes (default: 5; 3)"),
  r: optional(kind.integer(1, 9), "sets: R of every read (default: the cluster's)"),
  w: optional(kind.integer(1, 9), "sets: W of every write (default: the cluster's)"),
  node: defaulted(kind.text("FLAGS"), "", "sets, absence, grow: more flags of every node, spaces between"),
  ...REAL_FLAGS,
  workers: defaulted(kind.integer(1, 256), navigator.hardwareConcurrency, "Cores to be used"),
};

type Flagged = Values<typeof FLAGS>;

const USAGE = 2;

const HELP = `deno task campaign kill     processes are killed at system calls while they write to real files
deno task campaign flip     every bit of files of each kind is flipped, one at a time
deno task campaign stories  everything befalls simulated stores, in random order
deno task campaign sets     real nodes are cut off, paused and killed under load; every element is looked for
deno task campaign absence  a real node is away under load, and returns; then its disk is lost, and it is replaced
deno task campaign grow     real nodes join and leave a cluster of many keys under load; what moves is measured
`;

const CAMPAIGNS: Readonly<Record<string, (flags: Flagged, terminal: Terminal) => Promise<number>>> = {
  kill,
  flip,
  stories: tell,
  sets,
  absence: (flags, terminal) => judged(absence, flags, terminal),
  grow: (flags, terminal) => judged(grow, flags, terminal),
};

/** Run a command line; the result is the exit code: 0 all is well, 1 something is wrong, 2 usage. */
export async function main(line: readonly string[], terminal: Terminal): Promise<number> {
  if (line.includes("--help") || line.includes("-h")) {
    terminal.out(`${HELP}\n${describeFlags(FLAGS)}\n`);
    return 0;
  }
  const parsed = parseFlags(line, FLAGS);
  const word = parsed.ok ? parsed.words.join(" ") : "";
  if (!parsed.ok || !Object.hasOwn(CAMPAIGNS, word)) {
    const problem = parsed.ok ? `say which: ${Object.keys(CAMPAIGNS).join(", ")}` : parsed.problem;
    terminal.err(`campaign: ${problem}\ncampaign --help lists the flags\n`);
    return USAGE;
  }
  return await CAMPAIGNS[word]!(parsed.values, terminal);
}

async function kill({ engine, kills, seed, workers }: Flagged, terminal: Terminal): Promise<number> {
  const obstacle = await whyNotTraced();
  if (obstacle) {
    terminal.err(`campaign: ${obstacle.why}\n`);
    return 1;
  }
  const start = performance.now();
  const rows: string[][] = [];
  const problems: string[] = [];
  for (const name of NAMES.filter((name) => engine === undefined || engine === name)) {
    const progress = new Progress(terminal);
    const onLife = (totals: KillTotals) => {
      const done = killsOf(totals);
      progress.show(done / kills, `${name}: ${done} of ${kills} kills, ${totals.violations.length} wrong`);
    };
    const totals = await killCampaign({ engine: name, kills, lanes: LANES_PER_CORE * workers, seed, onLife });
    progress.clear();
    const byCall = Object.keys(CALLS).map((call) => totals.kills.get(call) ?? 0);
    rows.push([
      name,
      ...[killsOf(totals), ...byCall, totals.spared, totals.done, totals.violations.length].map(String),
    ]);
    problems.push(...totals.violations);
    if (killsOf(totals) < kills && totals.violations.length === 0) {
      problems.push(`${name}: not so many kills`);
    }
  }
  const columns = ["kills", ...Object.keys(CALLS), "not killed", "acknowledged", "wrong"];
  terminal.out(`${table(paint(terminal.coloured), ["engine", ...columns.map(right)], rows)}`);
  return sumUp(problems, start, terminal);
}

async function flip({ engine, bits, workers }: Flagged, terminal: Terminal): Promise<number> {
  const start = performance.now();
  const names = EXHIBITS.filter((name) => engine === undefined || name.startsWith(`${engine}:`));
  const progress = new Progress(terminal);
  const totals = await flipAll({
    names,
    workers,
    ...(bits !== undefined && { bits }),
    onProgress: (share, flips) => progress.show(share, `${flips} bits flipped`),
  });
  progress.clear();
  const problems: string[] = [];
  const rows = [...totals].map(([name, { flips, notices, unnoticed, wrong }]) => {
    if (unnoticed.length > 0) problems.push(`${name}: not noticed in bytes ${rangesOf(unnoticed)}`);
    for (const { bit, what } of wrong) problems.push(`${name}: bit ${bit % 8} of byte ${bit >> 3}: ${what}`);
    return [
      name,
      String(flips),
      ...NOTICES.map((notice) => String(notices[notice] ?? 0)),
      String(wrong.length),
    ];
  });
  terminal.out(
    `${table(paint(terminal.coloured), ["file", ...["flips", ...NOTICES, "wrong"].map(right)], rows)}`,
  );
  return sumUp(problems, start, terminal);
}

async function tell({ engine, stories, seed }: Flagged, terminal: Terminal): Promise<number> {
  const start = performance.now();
  const progress = new Progress(terminal);
  const problems: string[] = [];
  for (const name of NAMES.filter((name) => engine === undefined || engine === name)) {
    const onTold = (count: number) =>
      progress.show(count / stories, `${name}: ${count} of ${stories} stories`);
    const problem = await storyCampaign({ subject: ENGINES[name], stories, seed, onTold });
    progress.clear();
    if (problem !== null) problems.push(problem);
    else terminal.out(`${name}: ${stories} stories from seed ${seed} ended well\n`);
  }
  return sumUp(problems, start, terminal);
}

async function sets(flags: Flagged, terminal: Terminal): Promise<number> {
  const { runs, seconds, nodes = 5, r, w, node } = flags;
  const start = performance.now();
  const progress = new Progress(terminal);
  const byTrouble = new Map<Trouble, SetOutcome[]>();
  const quorum = { ...(r !== undefined && { r }), ...(w !== undefined && { w }) };
  for (let run = 0; run < runs; run++) {
    const trouble = TROUBLES[run % TROUBLES.length]!;
    progress.show(run / runs, `run ${run + 1} of ${runs}: ${trouble}`);
    const nodeFlags = node.split(" ").filter((flag) => flag !== "");
    const outcome = await setRun({ trouble, nodes, seconds, flags: nodeFlags, quorum });
    byTrouble.set(trouble, [...byTrouble.get(trouble) ?? [], outcome]);
  }
  progress.clear();
  const row = (name: string, outcomes: readonly SetOutcome[]) => {
    const fates = sumFates(outcomes.map((outcome) => outcome.fates));
    const sum = (pick: (outcome: SetOutcome) => number) => outcomes.reduce((sum, one) => sum + pick(one), 0);
    const counts = [sum(({ requests }) => requests.done), sum(({ requests }) => requests.failed)];
    return [
      name,
      String(outcomes.length),
      ...counts.map(String),
      ...FATES.map((fate) => String(fates[fate])),
    ];
  };
  const rows = [...byTrouble].map(([trouble, outcomes]) => row(trouble, outcomes));
  const all = [...byTrouble.values()].flat();
  rows.push(row("all", all));
  const headings = ["trouble", ...["runs", "requests", "failed", ...FATES].map(right)];
  terminal.out(table(paint(terminal.coloured), headings, rows));
  const { lost, resurrected } = sumFates(all.map(({ fates }) => fates));
  const problems = lost + resurrected === 0 ? [] : [`${lost} lost, ${resurrected} resurrected`];
  return sumUp(problems, start, terminal);
}

async function judged(
  campaign: (flags: Flagged, terminal: Terminal) => Promise<string[]>,
  flags: Flagged,
  terminal: Terminal,
): Promise<number> {
  const start = performance.now();
  return sumUp(await campaign(flags, terminal), start, terminal);
}

/** A column of numbers. */
function right(heading: string): string {
  return `>${heading}`;
}

function sumUp(problems: readonly string[], start: number, terminal: Terminal): number {
  for (const problem of problems) terminal.out(`${problem}\n`);
  const words = problems.length === 0 ? "all is well" : `${counted(problems.length, "thing")} wrong`;
  terminal.out(`${words}, in ${duration(performance.now() - start)}\n`);
  return problems.length === 0 ? 0 : 1;
}

if (import.meta.main) Deno.exit(await main(Deno.args, new RealTerminal()));
