/**
 * `deno task bench storage`: the engines beside two that people use today, LevelDB (`classic-level`) and SQLite
 * (`node:sqlite`), in the same run and as ratios.
 *
 * @module
 */

import { defaulted, parseFlags, toggled } from "../../../cli/flags.ts";
import * as kind from "../../../cli/kinds.ts";
import { paint, table } from "../../../cli/paint.ts";
import type { RealTerminal } from "../../../cli/terminal.ts";
import { type SubjectName, SUBJECTS } from "./subjects.ts";
import type { StorageFigures, StoragePlan } from "./worker.ts";

const FLAGS = {
  keys: defaulted(kind.integer(1000, 100_000_000), 1_000_000, "Keys, at 100 bytes a value"),
  "large-keys": defaulted(
    kind.integer(0, 100_000_000),
    100_000,
    "Keys, at 4 KiB a value; 0 leaves these out",
  ),
  reads: defaulted(kind.integer(1000, 100_000_000), 200_000, "Reads of each kind"),
  synced: defaulted(
    kind.integer(1, 1_000_000),
    2_000,
    "Synced writes, one at a time; eight times as many at 64",
  ),
  rounds: defaulted(kind.integer(1, 99), 1, "Each store is measured so often, in turn; the best counts"),
  subjects: defaulted(kind.list(kind.choice(...SUBJECTS)), [...SUBJECTS], "Stores to measure"),
  json: toggled(kind.toggle, "Print JSON"),
};

/** What the others are compared with. */
const REFERENCE: SubjectName = "classic-level";

/** Run it; returns the exit code. */
export async function benchStorage(args: readonly string[], terminal: RealTerminal): Promise<number> {
  const parsed = parseFlags([...args], FLAGS);
  if (!parsed.ok) {
    terminal.err(`bench storage: ${parsed.problem}\n`);
    for (const [name, { help }] of Object.entries(FLAGS)) terminal.err(`  --${name}: ${help}\n`);
    return 2;
  }
  const { keys, "large-keys": largeKeys, reads, synced, rounds, subjects, json } = parsed.values;
  const sizes = [{ valueBytes: 100, keys }, { valueBytes: 4096, keys: largeKeys }].filter((size) =>
    size.keys > 0
  );
  for (const size of sizes) {
    const best = new Map<SubjectName, StorageFigures>();
    for (let round = 1; round <= rounds; round++) {
      for (const subject of subjects) {
        terminal.err(
          `${size.valueBytes} bytes, ${size.keys} keys, round ${round} of ${rounds}: ${subject}\n`,
        );
        const figures = await measured({ ...size, subject, reads, synced });
        best.set(subject, better(best.get(subject), figures));
      }
    }
    const all = [...best.values()];
    terminal.out(json ? `${JSON.stringify({ ...size, figures: all })}\n` : report(terminal, size, all));
  }
  return 0;
}

async function measured(plan: Omit<StoragePlan, "directory">): Promise<StorageFigures> {
  const directory = Deno.makeTempDirSync({ prefix: "denamo-bench-" });
  try {
    const program = new URL("./worker.ts", import.meta.url).href;
    const { success, stdout } = await new Deno.Command(Deno.execPath(), {
      args: [
        "run",
        "--quiet",
        "-A",
        "--v8-flags=--expose-gc",
        program,
        JSON.stringify({ ...plan, directory }),
      ],
      stdout: "piped",
      stderr: "inherit",
    }).output();
    if (!success) throw new Error(`measuring ${plan.subject} failed; see above`);
    return JSON.parse(new TextDecoder().decode(stdout));
  } finally {
    Deno.removeSync(directory, { recursive: true });
  }
}

/** The best of both, figure by figure: whatever disturbs a round only makes it slower. */
function better(one: StorageFigures | undefined, two: StorageFigures): StorageFigures {
  if (one === undefined) return two;
  const names = Object.keys(two.perSecond);
  return {
    ...two,
    perSecond: Object.fromEntries(
      names.map((name) => [name, Math.max(one.perSecond[name]!, two.perSecond[name]!)]),
    ),
    openMs: Math.min(one.openMs, two.openMs),
    memoryBytesPerKey: Math.min(one.memoryBytesPerKey, two.memoryBytesPerKey),
  };
}

function report(
  terminal: RealTerminal,
  { valueBytes, keys }: { valueBytes: number; keys: number },
  all: readonly StorageFigures[],
): string {
  const reference = all.find(({ subject }) => subject === REFERENCE);
  const cell = (value: number, base: number | undefined, isLessBetter = false) => {
    const ratio = base === undefined ? "" : ` (${(isLessBetter ? base / value : value / base).toFixed(2)})`;
    return `${value.toLocaleString("en", { maximumFractionDigits: 1 })}${ratio}`;
  };
  const rows = Object.keys(all[0]!.perSecond).map((what) => [
    `${what}, per second`,
    ...all.map(({ perSecond }) => cell(perSecond[what]!, reference?.perSecond[what])),
  ]);
  rows.push(["open, ms", ...all.map(({ openMs }) => cell(openMs, reference?.openMs, true))]);
  rows.push([
    "memory after filling, bytes a key",
    ...all.map(({ memoryBytesPerKey }) => String(memoryBytesPerKey)),
  ]);
  rows.push(["on disk, bytes", ...all.map(({ notes }) => notes.diskBytes?.toLocaleString("en") ?? "")]);
  const AMPLIFICATION = {
    space: "on disk, bytes a live byte",
    write: "written, bytes a byte (lsm)",
    read: "blocks read from disk a read (lsm)",
  };
  for (const [name, what] of Object.entries(AMPLIFICATION)) {
    rows.push([what, ...all.map(({ notes }) => notes[name]?.toFixed(2) ?? "")]);
  }
  const title = `${keys.toLocaleString("en")} keys, ${valueBytes} bytes a value` +
    `${reference ? `; in brackets: how many times as fast as ${REFERENCE}` : ""}`;
  const headings = ["", ...all.map(({ subject }) => `>${subject}`)];
  return `${title}\n\n${table(paint(terminal.coloured), headings, rows)}\n`;
}
