/**
 * Logs of simulated nodes. Silent unless someone listens; listening changes nothing that happens.
 *
 * @module
 */

import type { Log, LogFields } from "../runtime/environment.ts";

/** One thing that a simulated node said. */
export interface LogLine {
  /** When, in simulated milliseconds. */
  readonly at: number;
  /** Which node. */
  readonly node: string;
  /** How grave. */
  readonly level: "debug" | "info" | "warn" | "error";
  /** What. */
  readonly message: string;
  /** The values beside it. */
  readonly fields: LogFields;
}

/** A log that hands its lines to `listen`; null hears nothing. `stamp` gives time and node. */
export function simulatedLog(
  stamp: () => { readonly at: number; readonly node: string },
  listen: ((line: LogLine) => void) | null,
  base: LogFields = {},
): Log {
  const say = (level: LogLine["level"]) => (message: string, fields?: LogFields): void => {
    if (listen) listen({ ...stamp(), level, message, fields: { ...base, ...fields } });
  };
  return {
    debug: say("debug"),
    info: say("info"),
    warn: say("warn"),
    error: say("error"),
    with: (fields) => simulatedLog(stamp, listen, { ...base, ...fields }),
  };
}
