/**
 * `deno task sim`: histories of whole clusters in which things go wrong, one for each seed; `--help` tells more.
 *
 * @module
 */

import { resolve } from "node:path";
import {
  defaulted,
  describeFlags,
  optional,
  type Parsed,
  parseFlags,
  toggled,
  type Values,
} from "../../cli/flags.ts";
import * as kind from "../../cli/kinds.ts";
import { RealTerminal, type Terminal } from "../../cli/terminal.ts";
import { FAULT_KINDS } from "../../actors/simulated/faults.ts";
import { DEFAULT_ENGINE, ENGINES } from "../../storage/engines.ts";
import { campaign, oneOfEach, shrinkFailure } from "./campaign.ts";
import { faultTable } from "./fault_table.ts";
import { type Plan, planOf, type PlanOptions } from "./plan.ts";
import { describePlan, MOST_NODES, readPlan } from "./plan_file.ts";
import { Pool } from "./pool.ts";
import { Progress } from "../../cli/progress.ts";
import { faultOfFile, type Looks, replay } from "./replay.ts";
import { summarize } from "./summary.ts";
import { kindOf, type Verdict } from "./verdict.ts";
import { keysOf } from "./workload.ts";

const SEEDS = 1_000;
/** Seeds are numbers that people can read out. */
const MOST_SEED = 2_000_000_000;
/** So many failures are explained, each of another kind. */
const EXPLAINED = 3;

const seed = kind.integer(0, MOST_SEED, "SEED");

const FLAGS = {
  seeds: optional(kind.integer(1, MOST_SEED / 2), `How many histories (default ${SEEDS})`),
  time: optional(kind.positive, "Seconds instead: as many histories as fit"),
  from: optional(seed, "The first seed; the others follow (default: drawn at random, and printed)"),
  seed: optional(seed, "One history alone"),
  plan: optional(kind.name("FILE"), "One history alone, of a plan from a file"),
  nodes: optional(kind.integer(3, MOST_NODES), "Machines (default: 3 to 7, as the seed has it)"),
  ops: optional(kind.integer(1, 100_000), "Calls of all clients together, at least (default 200)"),
  engine: optional(kind.choice(...ENGINES), `What records rest in (default: ${DEFAULT_ENGINE})`),
  faults: optional(
    { ...kind.list(kind.choice(...FAULT_KINDS)), placeholder: "LIST" },
    "Kinds of fault, these and all of these (default: some, as the seed has it); --list-faults shows them",
  ),
  except: optional(
    { ...kind.list(kind.choice(...FAULT_KINDS)), placeholder: "LIST" },
    "Kinds of fault, none of these",
  ),
  workers: defaulted(kind.integer(1, 256), navigator.hardwareConcurrency, "Histories made at once"),
  out: defaulted(kind.name("DIR"), "dist/sim", "Where plans of failures go"),
  shrink: defaulted(kind.positive, 60, "Seconds for making a failure small"),
  "no-shrink": toggled(kind.toggle, "Leave failures as large as they are"),
  trace: optional(kind.text("[FILE]"), "Of one history alone: print what happened as a timeline"),
  html: optional(
    kind.text("[FILE]"),
    "Of one history alone: draw what happened as a page to open in a browser",
  ),
  key: optional(kind.name("KEY"), "With --trace: only what concerns this key"),
  log: optional(kind.choice("debug", "info", "warn", "error"), "Of one history alone: print what nodes log"),
  "list-faults": toggled(kind.toggle, "Print the kinds of fault"),
};

type Flagged = Values<typeof FLAGS>;

const USAGE = 2;

if (import.meta.main) Deno.exit(await main(Deno.args, new RealTerminal(Deno.stdout, Deno.stderr, "sim")));

/** Run a command line; the result is the exit code: 0 all is well, 1 something failed, 2 usage. */
export async function main(line: readonly string[], terminal: Terminal): Promise<number> {
  if (line.includes("--help") || line.includes("-h")) {
    terminal.out(
      `deno task sim: histories of whole clusters in which things go wrong\n\n${describeFlags(FLAGS)}\n`,
    );
    return 0;
  }
  const parsed = parseFlags(line.map(withValue), FLAGS);
  const problem = problemOf(parsed);
  if (problem !== null || !parsed.ok) {
    terminal.err(`sim: ${problem}\nsim --help lists the flags\n`);
    return USAGE;
  }
  const flags = parsed.values;
  if (flags["list-faults"]) {
    terminal.out(faultTable(terminal));
    return 0;
  }
  if (flags.plan !== undefined) return await ofFile(flags.plan, flags, terminal);
  if (flags.seed !== undefined) return await ofSeed(flags.seed, flags, terminal);
  return await many(flags, terminal);
}

/** `--trace` and `--html` may come without a file: then they get an empty one. */
function withValue(word: string, index: number, line: readonly string[]): string {
  const isAlone = line[index + 1]?.startsWith("-") !== false;
  return isAlone && (word === "--trace" || word === "--html") ? `${word}=` : word;
}

/** What is wrong with a command line, for people. */
function problemOf(parsed: Parsed<typeof FLAGS>): string | null {
  if (!parsed.ok) return parsed.problem;
  if (parsed.words.length > 0) return `unexpected argument "${parsed.words[0]}"`;
  const given = (name: keyof Flagged) => parsed.values[name] !== undefined && parsed.values[name] !== false;
  const clash = (some: keyof Flagged, others: (keyof Flagged)[]) => {
    const other = given(some) ? others.find(given) : undefined;
    return other && `--${some} and --${other} exclude each other`;
  };
  const alone = (look: keyof Flagged) =>
    given(look) && !given("seed") && !given("plan") ? `--${look} goes with --seed or --plan` : undefined;
  return clash("plan", ["seed", "nodes", "ops", "engine", "faults", "except"]) ??
    clash("seed", ["seeds", "time", "from"]) ??
    clash("plan", ["seeds", "time", "from"]) ??
    clash("seeds", ["time"]) ??
    tooFar(parsed.values) ??
    alone("log") ?? alone("trace") ?? alone("html") ??
    (given("key") && !given("trace") ? "--key goes with --trace" : null);
}

/** Every seed of a run can be played alone. */
function tooFar({ from = 0, seeds = SEEDS, time }: Flagged): string | undefined {
  const last = from + (time === undefined ? seeds : 1) - 1;
  return last > MOST_SEED ? `the last seed would be ${last}, and ${MOST_SEED} is the largest` : undefined;
}

/** What all plans have in common. */
function optionsOf({ nodes, ops, engine, faults, except }: Flagged): PlanOptions {
  return {
    ...(engine !== undefined && { engine }),
    ...(nodes !== undefined && { nodes }),
    ...(ops !== undefined && { ops }),
    ...(faults !== undefined && { faults: [...new Set(faults)] }),
    ...(except !== undefined && { except: [...new Set(except)] }),
  };
}

/** The arguments that give the same plan for a seed. */
function argumentsOf({ nodes, ops, engine, faults, except }: PlanOptions): string {
  return [
    engine === undefined ? "" : ` --engine ${engine}`,
    nodes === undefined ? "" : ` --nodes ${nodes}`,
    ops === undefined ? "" : ` --ops ${ops}`,
    faults === undefined ? "" : ` --faults ${faults.join(",") || '""'}`,
    except === undefined ? "" : ` --except ${except.join(",")}`,
  ].join("");
}

// --- one history --------------------------------------------------------------------------------------------

/** The plan in a file. */
async function ofFile(file: string, flags: Flagged, terminal: Terminal): Promise<number> {
  let plan: Plan;
  try {
    plan = readPlan(terminal.readFile(file));
  } catch (error) {
    terminal.err(`sim: ${file}: ${(error as Error).message}\n`);
    return USAGE;
  }
  const fault = faultOfLooks(flags, plan);
  if (fault !== null) return refuse(fault, terminal);
  return end(await replay(plan, looksOf(flags, plan), terminal), terminal);
}

function refuse(fault: string, terminal: Terminal): number {
  terminal.err(`sim: ${fault}\n`);
  return USAGE;
}

/** Why a history cannot be looked at as was asked, null when it can. */
function faultOfLooks(flags: Flagged, plan: Plan): string | null {
  const { key, trace, html } = looksOf(flags, plan);
  if (trace && html && resolve(trace) === resolve(html)) return `--trace and --html both into ${html}`;
  const keys = [...keysOf(plan), "last"];
  if (key !== undefined && !keys.includes(key)) return `no key ${key}: there are ${keys.join(", ")}`;
  return [trace, html].map((file) => file ? faultOfFile(file) : null).find((fault) => fault !== null) ?? null;
}

/** The plan of a seed. */
async function ofSeed(seed: number, flags: Flagged, terminal: Terminal): Promise<number> {
  const plan = planOf(seed, optionsOf(flags));
  const fault = faultOfLooks(flags, plan);
  if (fault !== null) return refuse(fault, terminal);
  const verdict = await replay(plan, looksOf(flags, plan), terminal);
  if (verdict.violations.length > 0 && !flags["no-shrink"]) {
    await using pool = new Pool({ workers: flags.workers });
    await makeSmall(plan, verdict, pool, flags, terminal);
  }
  return end(verdict, terminal);
}

function looksOf({ log, trace, html, key, out }: Flagged, { seed }: Plan): Looks {
  return { log, trace, html: html === "" ? `${out}/seed-${seed}.html` : html, key };
}

/** The trace hash comes last: the same plan gives the same one, whoever looks on. */
function end({ traceHash, violations }: Verdict, terminal: Terminal): number {
  terminal.out(`trace ${traceHash}\n`);
  return violations.length > 0 ? 1 : 0;
}

// --- many histories -----------------------------------------------------------------------------------------

async function many(flags: Flagged, terminal: Terminal): Promise<number> {
  const { from = randomSeed(), time, workers } = flags;
  const plan = optionsOf(flags);
  const seeds = time === undefined ? flags.seeds ?? SEEDS : MOST_SEED - from + 1;
  const start = performance.now();
  const elapsedMs = () => performance.now() - start;
  const progress = new Progress(terminal);
  let isStopped = false;
  const unhook = terminal.onStop(() => {
    if (isStopped) terminal.exit(1);
    isStopped = true;
    progress.clear();
    terminal.err("no more histories are begun; once more to end at once\n");
  });
  terminal.err(`seeds from ${from} on${argumentsOf(plan)}, ${workers} at once\n`);
  await using pool = new Pool({ workers });
  const { totals, failures } = await campaign(pool, {
    from,
    seeds,
    plan,
    isOver: () => isStopped || (time !== undefined && elapsedMs() > time * 1_000),
    onVerdict: (verdict, { histories, failed }) => {
      if (verdict.violations.length > 0) {
        progress.clear();
        terminal.err(`seed ${verdict.seed}: ${kindOf(verdict)}\n`);
      }
      const share = time === undefined ? histories / seeds : elapsedMs() / 1_000 / time;
      const rate = (histories / elapsedMs() * 1_000).toFixed(1);
      progress.show(share, `${histories} done, ${failed} failed, ${rate} per second`);
    },
  });
  unhook();
  progress.clear();
  const summary = summarize(totals, plan, elapsedMs());
  await explain(failures, pool, flags, terminal);
  terminal.out(`seeds ${from} to ${from + totals.histories - 1}\n${summary}`);
  const isEasy = totals.missing(plan).length > 0 || totals.areRetriesLate;
  return failures.length > 0 || isEasy || isStopped ? 1 : 0;
}

function randomSeed(): number {
  return crypto.getRandomValues(new Uint32Array(1))[0]! % (MOST_SEED / 2);
}

/** Of each kind of failure one example, as small as it gets; of all of them how to have them again. */
async function explain(
  failures: readonly Verdict[],
  pool: Pool,
  flags: Flagged,
  terminal: Terminal,
): Promise<void> {
  const options = optionsOf(flags);
  for (const verdict of oneOfEach(failures, EXPLAINED)) {
    const plan = planOf(verdict.seed, options);
    terminal.out(`\n${describePlan(plan)}\n${verdict.explained}\n`);
    if (!flags["no-shrink"]) await makeSmall(plan, verdict, pool, flags, terminal);
  }
  for (const { seed } of failures) {
    terminal.out(`again: deno task sim --seed ${seed}${argumentsOf(options)}\n`);
  }
}

async function makeSmall(
  plan: Plan,
  verdict: Verdict,
  pool: Pool,
  flags: Flagged,
  terminal: Terminal,
): Promise<void> {
  const file = `${flags.out}/seed-${verdict.seed}.json`;
  const progress = new Progress(terminal);
  const onStep = (share: number, text: string) => progress.show(share, `shrinking: ${text}`);
  const small = await shrinkFailure(plan, verdict, { pool, file, onStep, limitMs: flags.shrink * 1_000 });
  progress.clear();
  terminal.out(`${small}again: deno task sim --plan ${file} --trace\n`);
}
