/**
 * The real environment: the {@link Environment} seam over Deno and `node:` built-ins.
 *
 * @module
 */

import type { Environment } from "../environment.ts";
import { RealClock } from "./clock.ts";
import { RealDisk } from "./disk.ts";
import { type LogFormat, type LogLevel, logToStderr, RealLog } from "./log.ts";
import { RealNetwork } from "./network.ts";
import { RealRandom } from "./random.ts";

export type { LogFormat, LogLevel };
export { logToStderr };
export { removeDirectory, temporaryDirectory } from "./temporary.ts";

/** What {@link realEnvironment} wants to know. */
export interface RealOptions {
  /** The node's name, on each of its log lines. */
  readonly node: string;
  /** How much the node logs. Default `info`. */
  readonly logLevel?: LogLevel;
  /**
   * Send this process's log lines to standard error in this form (see {@link logToStderr}). Absent: they go
   * where the application's own LogTape configuration sends them, or nowhere.
   */
  readonly logFormat?: LogFormat;
}

/**
 * An environment over the machine this process runs on.
 *
 * @example
 * ```ts
 * import { realEnvironment } from "./mod.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const environment = realEnvironment({ node: "n1", logLevel: "warn" });
 * const listener = await environment.network.listen({ host: "127.0.0.1", port: 0 });
 * const connection = await environment.network.connect(listener.endpoint, 1000);
 * assertEquals(connection.remote.port, listener.endpoint.port);
 * connection.close();
 * listener.close();
 * ```
 */
export function realEnvironment(options: RealOptions): Environment {
  if (options.logFormat) logToStderr(options.logFormat);
  return {
    clock: new RealClock(),
    random: new RealRandom(),
    disk: new RealDisk(),
    network: new RealNetwork(),
    log: new RealLog(options.node, options.logLevel ?? "info"),
  };
}
