/**
 * `denamo server`
 *
 * @module
 */

import { type Command, command, type Context, EXIT, type RunningNode } from "../command.ts";
import { LEFT, type NodeOptions } from "../../net/node.ts";
import * as settings from "../config.ts";
import { type Flags, optional, toggled } from "../flags.ts";
import * as kind from "../kinds.ts";

/** Run a node until it is told to stop. */
export const server: Command<Flags> = command({
  name: "server",
  summary: "Run a node; without a configuration, a single usable one",
  details: "Every field of the file is also a flag and a DENAMO_* variable: quorum.n is --quorum-n and\n" +
    "DENAMO_QUORUM_N. Flags beat variables, which beat the file, which beats defaults.\n" +
    "SIGTERM and SIGINT drain and exit 0; a second one forces. A node that has left ends by itself, and exits 0.",
  examples: ["server", "server --config-path cli/conf/node_1.json", "server -p 3002 --seeds 127.0.0.1:3001"],
  flags: {
    "config-path": optional(kind.name("FILE"), "A JSON file (DENAMO_CONFIG_PATH)"),
    ...settings.configFlags(),
    "stop-with-input": toggled(
      kind.toggle,
      "Also stop when standard input ends: for programs that start nodes",
    ),
  } as Flags,
  async run(flags, context) {
    const resolution = configure(flags, context);
    const say = (line: string) => context.terminal.err(`denamo server: ${line}\n`);
    if (!resolution.ok) {
      resolution.problems.forEach(say);
      return EXIT.usage;
    }
    resolution.warnings.forEach(say);
    const { config } = resolution;
    const stopped = untilStopped(context, flags["stop-with-input"] === true);
    let node: RunningNode;
    try {
      node = await context.startNode(nodeOptions(config));
    } catch (error) {
      say(error instanceof Error ? error.message : String(error));
      return EXIT.failed;
    }
    const { host, port } = node.endpoint;
    context.terminal.out(`denamo: serving on ${host.includes(":") ? `[${host}]` : host}:${port}\n`);
    const end = await Promise.race([stopped, node.terminated]);
    if (end?.reason === LEFT) {
      say(end.reason);
      return EXIT.done;
    }
    if (end) {
      say(`gives up: ${end.reason}`);
      return EXIT.failed;
    }
    await node.stop();
    return EXIT.done;
  },
});

/** The configuration from all its sources, each problem naming where it stands. */
export function configure(flags: Readonly<Record<string, unknown>>, context: Context): settings.Resolution {
  const variables = settings.readVariables(context.terminal.variables());
  const problems = [...variables.problems];
  const path = flags["config-path"] ?? context.terminal.variables()[settings.PATH_VARIABLE];
  let file: settings.PartialConfig = {};
  if (typeof path === "string" && path !== "") {
    try {
      const reading = settings.readFile(context.terminal.readFile(path));
      problems.push(...reading.problems.map((problem) => `${path}: ${problem}`));
      file = reading.values;
    } catch (error) {
      problems.push(`${path}: cannot be read: ${error instanceof Error ? error.message : error}`);
    }
  }
  if (problems.length > 0) return { ok: false, problems };
  return settings.resolve(settings.readFlags(flags), variables.values, file);
}

/** The configuration as `Node.start` takes it. */
export function nodeOptions(config: settings.Config): NodeOptions {
  const sync = config["storage.sync"];
  const engine = config["storage.engine"];
  return {
    host: config.host,
    port: config.port,
    ...(config.advertise !== undefined && { advertise: config.advertise }),
    cluster: config.cluster,
    seeds: config.seeds,
    zone: config.zone,
    weight: config.weight,
    partitions: config.partitions,
    quorum: {
      n: config["quorum.n"],
      r: config["quorum.r"],
      w: config["quorum.w"],
      sloppy: config["quorum.sloppy"],
    },
    conflicts: config["conflicts"],
    heartbeat: { fanout: config["heartbeat.fanout"], interval: config["heartbeat.interval"] },
    storage: {
      ...(engine !== undefined && { engine }),
      path: settings.dataDirectory(config),
      sync: typeof sync === "number" ? { intervalMs: sync } : sync,
      persist: config["storage.persist"],
      reserveBytes: config["storage.reserve"] * settings.MIB,
    },
    logLevel: config["log.level"],
    logFormat: config["log.format"],
  };
}

/** Resolves at the first signal to stop; the second ends the process. */
function untilStopped(context: Context, withInput: boolean): Promise<void> {
  return new Promise((resolve) => {
    let signals = 0;
    context.terminal.onStop(() => {
      if (++signals > 1) {
        context.terminal.err("denamo server: forced\n");
        context.terminal.exit(EXIT.failed);
      }
      resolve();
    });
    if (withInput) context.terminal.readInput().then(() => resolve());
  });
}
