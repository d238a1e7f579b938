/**
 * What a timeline is made of, as plain data.
 *
 * @module
 */

import type { LogLine } from "../../actors/simulated/log.ts";
import type { Operation } from "./history.ts";
import type { Spoken } from "./tap.ts";

/** What a message is about: what is coloured, counted and left out together. */
export type Group =
  /** A client's or a forwarded request. */
  | "request"
  /** What it was answered. */
  | "answer"
  /** A coordinator asks a replica. */
  | "replica"
  /** A replica answers. */
  | "replica answer"
  /** Rings and repair between nodes, questions of operators. */
  | "control"
  /** What every node says all the time: gossip, pings. */
  | "gossip"
  /** A connection begins or ends. */
  | "connection"
  /** A stream that nobody can read. */
  | "bytes";

/** A message. */
export interface MessageSent extends Omit<Spoken, "sentMs" | "arrivedMs"> {
  /** Tells it from the others. */
  readonly type: "message";
  /** When it was sent. */
  readonly atMs: number;
  /** When it arrived; null when it has not. */
  readonly endMs: number | null;
  /** What it is about. */
  readonly group: Group;
}

/** A client's call, from beginning to end. */
export interface CallMade extends Pick<Operation, "id" | "outcome"> {
  /** Tells it from the others. */
  readonly type: "call";
  /** When it was called. */
  readonly atMs: number;
  /** When it ended; null when it has not. */
  readonly endMs: number | null;
  /** Who called. */
  readonly who: string;
  /** What. */
  readonly text: string;
  /** Of which key. */
  readonly key: string;
  /** What came of it. */
  readonly result: string;
  /** Whether a violation names it. */
  readonly isViolated: boolean;
}

/** How a fault shows. */
export type Effect = "down" | "paused" | "cut" | "network" | "clock" | "harm" | "news";

/** Something went wrong, or right again. */
export interface FaultBegun {
  /** Tells it from the others. */
  readonly type: "fault";
  /** When. */
  readonly atMs: number;
  /** Until when; the same for what has no length. */
  readonly endMs: number;
  /** The machines it befell, each until when; none: all of them, or the network between them. */
  readonly who: readonly { readonly machine: string; readonly untilMs: number }[];
  /** What it is. */
  readonly text: string;
  /** How it shows. */
  readonly effect: Effect;
}

/** A line of a log. */
export interface LineLogged {
  /** Tells it from the others. */
  readonly type: "log";
  /** When. */
  readonly atMs: number;
  /** Whose. */
  readonly who: string;
  /** How grave. */
  readonly level: LogLine["level"];
  /** What, and the values beside it. */
  readonly text: string;
}

/** Something that must never happen, at the end of the last call that it names. */
export interface ViolationFound {
  /** Tells it from the others. */
  readonly type: "violation";
  /** When. */
  readonly atMs: number;
  /** Which checker says so. */
  readonly checker: string;
  /** What. */
  readonly text: string;
  /** The key, where there is one. */
  readonly key: string | null;
  /** The calls it names. */
  readonly calls: readonly number[];
}

/** One entry of a timeline. Times are true simulated milliseconds. */
export type TimelineEvent = MessageSent | CallMade | FaultBegun | LineLogged | ViolationFound;
