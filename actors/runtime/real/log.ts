/**
 * Lines for people, by way of LogTape.
 *
 * LogTape's configuration belongs to the process, a level belongs to a node: several nodes share a process in
 * tests and in embedding applications. So a {@link RealLog} drops what is below its own node's level and hands
 * the rest to the logger `["denamo", node]`. Where lines go is the application's say; a process that has none
 * calls {@link logToStderr}, as the CLI does. Without either, nothing is written.
 *
 * @module
 */

import { configureSync, getConfig, getLogger, type LogRecord } from "@logtape/logtape";
import { encodeUtf8 } from "../bytes.ts";
import type { Log, LogFields } from "../environment.ts";

/** How much a node says: everything from this level up. */
export type LogLevel = "debug" | "info" | "warn" | "error" | "silent";

/** One line of text for people, or one JSON object for machines. */
export type LogFormat = "text" | "json";

const RANK: Readonly<Record<LogLevel, number>> = { debug: 0, info: 1, warn: 2, error: 3, silent: 4 };

/** The log of one node. */
export class RealLog implements Log {
  readonly #node: string;
  readonly #level: LogLevel;
  readonly #fields: LogFields;

  /**
   * Make one.
   *
   * @param node the name on each line
   * @param level what is below it is dropped
   * @param fields on each line
   */
  constructor(node: string, level: LogLevel, fields: LogFields = {}) {
    this.#node = node;
    this.#level = level;
    this.#fields = fields;
  }

  /** See {@link Log.debug}. */
  debug(message: string, fields?: LogFields): void {
    this.#emit("debug", message, fields);
  }

  /** See {@link Log.info}. */
  info(message: string, fields?: LogFields): void {
    this.#emit("info", message, fields);
  }

  /** See {@link Log.warn}. */
  warn(message: string, fields?: LogFields): void {
    this.#emit("warn", message, fields);
  }

  /** See {@link Log.error}. */
  error(message: string, fields?: LogFields): void {
    this.#emit("error", message, fields);
  }

  /** See {@link Log.with}. */
  with(fields: LogFields): Log {
    return new RealLog(this.#node, this.#level, { ...this.#fields, ...fields });
  }

  #emit(level: Exclude<LogLevel, "silent">, message: string, fields?: LogFields): void {
    if (RANK[level] < RANK[this.#level]) return;
    // Not logger.info(): it would read braces in the message as placeholders.
    getLogger(["denamo", this.#node]).emit({
      level: level === "warn" ? "warning" : level,
      message: [message],
      rawMessage: message,
      timestamp: Date.now(),
      properties: { ...this.#fields, ...fields },
    });
  }
}

/** A field's value as JSON can show it: errors by their message, bytes in hex, big integers as text. */
function showable(_key: string, value: unknown): unknown {
  if (value instanceof Error) return value.message;
  if (value instanceof Uint8Array) return value.toHex();
  return typeof value === "bigint" ? value.toString() : value;
}

/** A value in a line of text: bare when it is one plain word, else JSON, which also tames control characters. */
function word(value: unknown): string {
  const shown = showable("", value);
  if (typeof shown === "string" && /^[^\s"\\\p{Cc}]+$/u.test(shown)) return shown;
  try {
    return JSON.stringify(shown, showable) ?? String(shown);
  } catch {
    return "(circular)"; // a log line must not throw
  }
}

/** `2026-01-31T12:00:00.000Z WARN  n1 peer suspected peer=n2 silentMs=1200` */
function textLine(record: LogRecord): string {
  const level = (record.level === "warning" ? "warn" : record.level).toUpperCase().padEnd(5);
  const time = new Date(record.timestamp).toISOString();
  const message = record.message.join("").replace(/\p{Cc}+/gu, " ");
  let line = `${time} ${level} ${record.category.slice(1).join("/")} ${message}`;
  for (const [name, value] of Object.entries(record.properties)) line += ` ${name}=${word(value)}`;
  return line + "\n";
}

/** `{"time":"2026-01-31T12:00:00.000Z","level":"warn","node":"n1","message":"peer suspected","peer":"n2"}` */
function jsonLine(record: LogRecord): string {
  const fixed = {
    time: new Date(record.timestamp).toISOString(),
    level: record.level === "warning" ? "warn" : record.level,
    node: record.category.slice(1).join("/"),
    message: record.message.join(""),
  };
  try {
    return JSON.stringify({ ...fixed, ...record.properties, ...fixed }, showable) + "\n";
  } catch {
    return JSON.stringify({ ...fixed, fields: "(circular)" }) + "\n";
  }
}

/** Everything written to standard error, whatever becomes of it: a closed pipe must not stop a node. */
function writeToStderr(line: string): void {
  let rest: Uint8Array = encodeUtf8(line);
  try {
    while (rest.length > 0) rest = rest.subarray(Deno.stderr.writeSync(rest));
  } catch {
    // Nobody listens.
  }
}

/**
 * Send the lines of every node in this process to standard error (or to `write`), unless the application has
 * configured LogTape itself. Only the first call counts.
 */
export function logToStderr(format: LogFormat, write: (line: string) => void = writeToStderr): void {
  if (getConfig() !== null) return;
  const show = format === "json" ? jsonLine : textLine;
  configureSync({
    sinks: { lines: (record: LogRecord) => write(show(record)) },
    loggers: [
      { category: ["denamo"], sinks: ["lines"], lowestLevel: "debug" },
      { category: ["logtape", "meta"], sinks: ["lines"], lowestLevel: "warning" },
    ],
  });
}
