/**
 * What a command of the CLI is made of.
 *
 * @module
 */

import type { Environment } from "../actors/runtime/environment.ts";
import type { Client } from "../net/client.ts";
import type { Node, NodeOptions } from "../net/node.ts";
import { defaulted, type Flags, optional, toggled, type Values } from "./flags.ts";
import * as kind from "./kinds.ts";
import type { Terminal } from "./terminal.ts";

/** How a command ends. */
export const EXIT = {
  /** Done. */
  done: 0,
  /** Failed, for a reason that has no number of its own. */
  failed: 1,
  /** The command line or the configuration makes no sense. */
  usage: 2,
  /** The key is not there. */
  notFound: 3,
  /** Siblings where one value was asked for. */
  siblings: 4,
  /** The quorum was not met, or not in time. */
  quorum: 5,
  /** Nothing answers at the address. */
  connect: 6,
} as const;

/** The client as far as commands use it. */
export type Door = Pick<Client, "get" | "put" | "del" | "ping" | "admin" | "close">;

/** A node as `denamo server` sees it. */
export type RunningNode = Pick<Node, "endpoint" | "terminated" | "stop">;

/** The world as a command sees it. */
export interface Context {
  /** Standard streams, environment, files. */
  readonly terminal: Terminal;
  /** Reach a node at one of these `host:port`s. */
  connect(addresses: string | string[]): Promise<Door>;
  /** Start a node in this process. */
  startNode(options: NodeOptions): Promise<RunningNode>;
  /** This machine: for what is done to a node's files while no node runs on them. */
  environment(): Environment;
}

/** One command. */
export interface Command<F extends Flags = Flags> {
  /** What is typed to get it: one word, or two. */
  readonly name: string;
  /** One line for the list of commands. */
  readonly summary: string;
  /** What `--help` says besides flags. */
  readonly details?: string;
  /** Lines to try, without the `denamo`. */
  readonly examples: readonly string[];
  /** What it takes. */
  readonly flags: F;
  /** The words that it takes besides flags, as help names them: `PATH`; `[COMMAND]` may be left out. Absent: none. */
  readonly words?: readonly string[];
  /** Flags of which only one may be given. */
  readonly rivals?: readonly string[];
  /** Do it; the result is the exit code. */
  run(values: Values<F>, context: Context, words: readonly string[]): Promise<number>;
}

/** Types a command by its table of flags. */
export function command<const F extends Flags>(definition: Command<F>): Command<F> {
  return definition;
}

/** Flags of every command that talks to a node. */
export const WHERE = {
  port: defaulted(kind.port, 3001, "The node's port", "p"),
  host: defaulted(kind.name("HOST"), "127.0.0.1", "The node's host"),
};

/** The flag of commands that print a table. */
export const JSON_FLAG = {
  json: toggled(kind.toggle, "Print JSON, as when standard output is not a terminal"),
};

/** The flag of requests that a deadline bounds. */
export const TIMEOUT = {
  timeout: optional(kind.integer(1, 60_000, "MS"), "Milliseconds to wait (default 5000)"),
};

/** The flags of requests that say whether nodes may stand in for replicas that are away. */
export const STAND_INS = {
  strict: toggled(kind.toggle, "Count replicas only, even where too few can be reached"),
  sloppy: toggled(kind.toggle, "Where too few replicas can be reached, count nodes that stand in for them"),
};

/** They exclude each other. */
export const RIVAL_STAND_INS = ["strict", "sloppy"] as const;

/** What those flags say; nothing: as the cluster does it. */
export function standIns(
  flags: { readonly strict: boolean; readonly sloppy: boolean },
): { sloppy?: boolean } {
  return flags.strict ? { sloppy: false } : flags.sloppy ? { sloppy: true } : {};
}

/** Do something with a connection to the node that `WHERE` names, and hang up. */
export async function withDoor<T>(
  where: { readonly host: string; readonly port: number },
  context: Context,
  task: (door: Door) => Promise<T>,
): Promise<T> {
  const host = where.host.includes(":") ? `[${where.host}]` : where.host;
  const address = `${host}:${where.port}`;
  const door = await context.connect(address).catch((error) => {
    if (isRequestFailure(error)) error.message += ` (no node answers at ${address})`;
    throw error;
  });
  try {
    return await task(door);
  } finally {
    await door.close();
  }
}

/** One JSON line on standard output. */
export function answer(context: Context, value: unknown): void {
  context.terminal.out(JSON.stringify(value) + "\n");
}

/** What a failed request tells; `DenamoError` has this shape. */
interface RequestFailure {
  readonly code: string;
  readonly definite: boolean;
  readonly message: string;
  readonly answered?: number;
  readonly needed?: number;
}

/** Whether a thrown thing is a failed request rather than a bug. */
export function isRequestFailure(error: unknown): error is Error & RequestFailure {
  return error instanceof Error && "code" in error && typeof error.code === "string" &&
    "definite" in error && typeof error.definite === "boolean";
}

const EXIT_BY_CODE: Readonly<Record<string, number>> = {
  "connect": EXIT.connect,
  "quorum-unmet": EXIT.quorum,
  "timeout": EXIT.quorum,
  "unavailable": EXIT.quorum,
  "stopping": EXIT.quorum,
};

/** Report a failed request on standard error, as one JSON line; the result is the exit code. */
export function reportFailure(context: Context, failure: RequestFailure): number {
  const { code, definite, answered, needed } = failure;
  // A DenamoError's message opens with its code; one that a node passes on, with its class and somebody's name too.
  const message = failure.message.replace("DenamoError: ", "");
  const error = {
    code,
    message: message.replace(new RegExp(`(^|: )${code}: `), "$1"),
    definite,
    ...(answered !== undefined && { answered }),
    ...(needed !== undefined && { needed }),
  };
  context.terminal.err(JSON.stringify({ error }) + "\n");
  return EXIT_BY_CODE[code] ?? EXIT.failed;
}
