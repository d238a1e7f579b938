/**
 * `denamo help` and every `--help`
 *
 * @module
 */

import { type Command, EXIT } from "../command.ts";
import { describeFlags, type Flags } from "../flags.ts";
import { type Paint, paint } from "../paint.ts";
import { didYouMean } from "../suggest.ts";

/** Exit codes as help and the README show them. */
export const EXIT_CODES =
  "0 done, 1 failed, 2 usage, 3 not found, 4 siblings where one value was asked for,\n" +
  "5 quorum unmet or timed out, 6 cannot connect";

/** The help command over all commands, itself included. */
export function helpCommand(commands: () => readonly Command[]): Command {
  return {
    name: "help",
    summary: "Show help for a command",
    examples: ["help put"],
    flags: {},
    words: ["[COMMAND]", "[ACTION]"],
    run(_flags, { terminal }, words) {
      const name = words.join(" ");
      const colours = paint(terminal.coloured);
      if (name === "") {
        terminal.out(overview(commands(), colours));
        return Promise.resolve(EXIT.done);
      }
      const found = commands().find((command) => command.name === name);
      if (found) terminal.out(commandHelp(found, colours));
      else terminal.err(unknownCommand(name, commands()));
      return Promise.resolve(found ? EXIT.done : EXIT.usage);
    },
  };
}

/** What `denamo` alone shows. */
export function overview(commands: readonly Command[], paint: Paint): string {
  const width = Math.max(...commands.map(({ name }) => name.length));
  const lines = commands.map(({ name, summary }) => `  ${paint.green(name.padEnd(width))}  ${summary}`);
  return [
    `${paint.bold("denamo")}: a leaderless, replicated key-value store that is always writeable`,
    "",
    `${paint.bold("Usage:")} denamo COMMAND [FLAGS]`,
    "",
    ...lines,
    "",
    "denamo COMMAND --help tells more. Exit codes:",
    EXIT_CODES,
    "",
  ].join("\n");
}

/** One command's help. */
export function commandHelp(command: Command<Flags>, paint: Paint): string {
  const { name, summary, details, examples, flags, words = [] } = command;
  const described = describeFlags(flags);
  return [
    summary,
    ...details === undefined ? [] : ["", details],
    "",
    `${paint.bold("Usage:")} denamo ${[name, ...words].join(" ")} [FLAGS]`,
    ...described === "" ? [] : ["", described],
    "",
    paint.bold("Examples:"),
    ...examples.map((example) => `  denamo ${example}`),
    "",
  ].join("\n");
}

/** What a wrong command is answered. */
export function unknownCommand(name: string, commands: readonly Command[]): string {
  const hint = didYouMean(name, commands.map((command) => command.name));
  return `denamo: unknown command ${name}${hint}\ndenamo help lists the commands\n`;
}
