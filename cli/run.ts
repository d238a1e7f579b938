/**
 * From a command line to a command: find it, read its flags, run it, turn what goes wrong into an exit code.
 *
 * @module
 */

import { type Command, type Context, EXIT, isRequestFailure, reportFailure } from "./command.ts";
import { background } from "./commands/background.ts";
import { backup } from "./commands/backup.ts";
import { cluster } from "./commands/cluster.ts";
import { clusterState } from "./commands/cluster_state.ts";
import { del } from "./commands/del.ts";
import { demo } from "./commands/demo.ts";
import { explain } from "./commands/explain.ts";
import { get } from "./commands/get.ts";
import { commandHelp, helpCommand, overview, unknownCommand } from "./commands/help.ts";
import { cancel } from "./commands/cancel.ts";
import { forceRemove } from "./commands/force_remove.ts";
import { leave } from "./commands/leave.ts";
import { replace } from "./commands/replace.ts";
import { joinCluster } from "./commands/join_cluster.ts";
import { ping } from "./commands/ping.ts";
import { put } from "./commands/put.ts";
import { restore } from "./commands/restore.ts";
import { ring } from "./commands/ring.ts";
import { server } from "./commands/server.ts";
import { status } from "./commands/status.ts";
import { storageCompact } from "./commands/storage_compact.ts";
import { storageDump } from "./commands/storage_dump.ts";
import { storageStats } from "./commands/storage_stats.ts";
import { storageVerify } from "./commands/storage_verify.ts";
import { version } from "./commands/version.ts";
import { parseFlags } from "./flags.ts";
import { paint } from "./paint.ts";

/** Every command, in the order help lists them. */
export const COMMANDS: readonly Command[] = [
  server,
  joinCluster,
  leave,
  replace,
  forceRemove,
  cancel,
  put,
  get,
  del,
  ping,
  clusterState,
  status,
  ring,
  explain,
  storageVerify,
  storageStats,
  storageCompact,
  storageDump,
  background,
  backup,
  restore,
  cluster,
  demo,
  helpCommand(() => COMMANDS),
  version,
];

/** Run a command line; the result is the exit code. */
export async function run(line: readonly string[], context: Context): Promise<number> {
  const { terminal } = context;
  const [name] = line;
  const colours = paint(terminal.coloured);
  if (name === undefined) {
    terminal.err(overview(COMMANDS, colours));
    return EXIT.usage;
  }
  if (isHelp(name)) {
    terminal.out(overview(COMMANDS, colours));
    return EXIT.done;
  }
  const { command, rest } = commandOf(line);
  if (command === undefined) return runNone(line, context);
  const beforeWords = rest.includes("--") ? rest.slice(0, rest.indexOf("--")) : rest;
  if (beforeWords.some(isHelp)) {
    terminal.out(commandHelp(command, colours));
    return EXIT.done;
  }
  const parsed = parseFlags(rest, command.flags);
  const problem = garbled(rest, command) ??
    (parsed.ok ? wordsProblem(parsed.words, command) ?? rivalry(parsed.values, command) : parsed.problem);
  if (problem !== undefined || !parsed.ok) {
    terminal.err(`denamo ${command.name}: ${problem}\ndenamo ${command.name} --help lists the flags\n`);
    return EXIT.usage;
  }
  try {
    return await command.run(parsed.values, context, parsed.words);
  } catch (error) {
    if (isRequestFailure(error)) return reportFailure(context, error);
    throw error;
  }
}

function isHelp(word: string): boolean {
  return word === "--help" || word === "-h";
}

/** The command that a line begins with, and what follows its name. */
function commandOf(line: readonly string[]): { command?: Command; rest: readonly string[] } {
  const isVersion = line[0] === "--version" || line[0] === "-V";
  for (const words of [2, 1]) {
    const name = isVersion ? "version" : line.slice(0, words).join(" ");
    const command = COMMANDS.find((command) => command.name === name);
    if (command) return { command, rest: line.slice(isVersion ? 1 : words) };
  }
  return { rest: line };
}

/** What a line is answered that begins with no command: perhaps with the first word of several. */
function runNone([name = "", second = ""]: readonly string[], { terminal }: Context): number {
  const group = COMMANDS.filter((command) => command.name.startsWith(`${name} `));
  if (group.length === 0 || second !== "" && !second.startsWith("-")) {
    terminal.err(unknownCommand(group.length === 0 ? name : `${name} ${second}`, COMMANDS));
    return EXIT.usage;
  }
  const text = overview(group, paint(terminal.coloured));
  if (!isHelp(second)) terminal.err(text);
  else terminal.out(text);
  return isHelp(second) ? EXIT.done : EXIT.usage;
}

/**
 * What to say of an argument whose bytes were lost. Arguments are bytes; the runtime gives them as text, with
 * U+FFFD for whatever is not UTF-8, so that different keys would become one and a value another.
 */
function garbled(line: readonly string[], command: Command): string | undefined {
  const argument = line.find((argument) => argument.includes("\ufffd") || !argument.isWellFormed());
  if (argument === undefined) return undefined;
  const way = "value" in command.flags ? "; -v - reads a value of any bytes from standard input" : "";
  return `"${argument}" is not valid UTF-8 on the command line${way}`;
}

/** What is wrong with a command's words, if anything. */
function wordsProblem(given: readonly string[], { words = [] }: Command): string | undefined {
  const missing = words.find((word, index) => index >= given.length && !word.startsWith("["));
  if (missing !== undefined) return `${missing} is missing`;
  return given.length > words.length ? `unexpected argument "${given[words.length]}"` : undefined;
}

/** What is wrong where flags were given that exclude each other. */
function rivalry(values: Readonly<Record<string, unknown>>, { rivals = [] }: Command): string | undefined {
  const [one, other] = rivals.filter((name) => values[name] !== undefined && values[name] !== false);
  return other === undefined ? undefined : `--${one} and --${other} exclude each other`;
}
