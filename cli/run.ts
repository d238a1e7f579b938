/**
 * From a command line to a command: find it, read its flags, run it, turn what goes wrong into an exit code.
 *
 * @module
 */

import { type Command, type Context, EXIT, isRequestFailure, reportFailure } from "./command.ts";
import { cluster } from "./commands/cluster.ts";
import { clusterState } from "./commands/cluster_state.ts";
import { del } from "./commands/del.ts";
import { demo } from "./commands/demo.ts";
import { explain } from "./commands/explain.ts";
import { get } from "./commands/get.ts";
import { commandHelp, helpCommand, overview, unknownCommand } from "./commands/help.ts";
import { joinCluster } from "./commands/join_cluster.ts";
import { ping } from "./commands/ping.ts";
import { put } from "./commands/put.ts";
import { ring } from "./commands/ring.ts";
import { server } from "./commands/server.ts";
import { status } from "./commands/status.ts";
import { version } from "./commands/version.ts";
import { parseFlags } from "./flags.ts";
import { paint } from "./paint.ts";

/** Every command, in the order help lists them. */
export const COMMANDS: readonly Command[] = [
  server,
  joinCluster,
  put,
  get,
  del,
  ping,
  clusterState,
  status,
  ring,
  explain,
  cluster,
  demo,
  helpCommand(() => COMMANDS),
  version,
];

/** Run a command line; the result is the exit code. */
export async function run(line: readonly string[], context: Context): Promise<number> {
  const { terminal } = context;
  const [name, ...rest] = line;
  const colours = paint(terminal.coloured);
  if (name === undefined) {
    terminal.err(overview(COMMANDS, colours));
    return EXIT.usage;
  }
  if (name === "--help" || name === "-h") {
    terminal.out(overview(COMMANDS, colours));
    return EXIT.done;
  }
  const wanted = name === "--version" || name === "-V" ? "version" : name;
  const command = COMMANDS.find((command) => command.name === wanted);
  if (!command) {
    terminal.err(unknownCommand(name, COMMANDS));
    return EXIT.usage;
  }
  const beforeWords = rest.includes("--") ? rest.slice(0, rest.indexOf("--")) : rest;
  if (beforeWords.some((word) => word === "--help" || word === "-h")) {
    terminal.out(commandHelp(command, colours));
    return EXIT.done;
  }
  const parsed = parseFlags(rest, command.flags);
  const problem = garbled(rest, command) ?? (parsed.ok ? surplus(parsed.words, command) : parsed.problem);
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
function surplus(words: readonly string[], command: Command): string | undefined {
  const allowed = command.word === undefined ? 0 : 1;
  return words.length > allowed ? `unexpected argument "${words[allowed]}"` : undefined;
}
