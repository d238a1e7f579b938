/**
 * `deno task bench`: what a cluster of three processes on this machine does per second and how long it takes,
 * and the time that each layer takes of it.
 *
 * @module
 */

import { Client, Node } from "../../mod.ts";
import { realEnvironment } from "../../actors/runtime/real/mod.ts";
import type { Context } from "../../cli/command.ts";
import { defaulted, optional, parseFlags, toggled, type Values } from "../../cli/flags.ts";
import * as kind from "../../cli/kinds.ts";
import { eachLine, freePorts, joinAll, LocalNode } from "../../cli/local_node.ts";
import { paint, table } from "../../cli/paint.ts";
import { RealTerminal } from "../../cli/terminal.ts";
import { type Layer, timeLayers } from "./layers.ts";
import type { LoadPlan, Measured, Scenario } from "./load.ts";
import { hottest } from "./profile.ts";
import { benchStorage } from "./storage/main.ts";
import { benchTrees } from "./trees.ts";

const FLAGS = {
  seconds: defaulted(kind.positive, 3, "How long each scenario is measured"),
  connections: defaulted(kind.list(kind.integer(1, 4096)), [1, 16, 64], "Connections, spread over the nodes"),
  pipeline: defaulted(kind.list(kind.integer(1, 1024)), [1, 16], "Requests under way on each connection"),
  operations: defaulted(
    kind.list(kind.choice("put", "get", "update")),
    ["put", "get", "update"],
    "put makes a key, get reads one, update reads one and writes it back",
  ),
  keys: defaulted(kind.integer(1, 10_000_000), 100_000, "Keys written beforehand"),
  "value-bytes": defaulted(kind.integer(0, 8 << 20), 100, "Size of a value"),
  sync: defaulted(kind.sync, "always", "When a write counts as durable"),
  only: optional(kind.choice("cluster", "layers"), "Measure one half only"),
  profile: toggled(kind.toggle, "Where the first node spent its time, function by function"),
  json: toggled(kind.toggle, "Print JSON"),
};

const terminal = new RealTerminal();
const context: Context = {
  terminal,
  connect: (addresses) => Client.connect(addresses),
  startNode: (options) => Node.start(options),
  environment: () => realEnvironment({ node: "bench" }),
};

if (import.meta.main) {
  const [what, ...args] = Deno.args;
  if (what === "storage") Deno.exit(await benchStorage(args, terminal));
  if (what === "trees") Deno.exit(await benchTrees(args, terminal));
  Deno.exit(await main());
}

async function main(): Promise<number> {
  const parsed = parseFlags(Deno.args, FLAGS);
  if (!parsed.ok) {
    terminal.err(`bench: ${parsed.problem}\n`);
    for (const [name, { help }] of Object.entries(FLAGS)) terminal.err(`  --${name}: ${help}\n`);
    return 2;
  }
  const flags = parsed.values;
  const directory = Deno.makeTempDirSync({ prefix: "denamo-bench-" });
  try {
    const layers = flags.only === "cluster" ? [] : await timeLayers(
      flags["value-bytes"],
      directory,
      (layer) => terminal.err(`timing layer: ${layer}\n`),
    );
    const measured = flags.only === "layers" ? [] : await measureCluster(flags, directory);
    if (flags.json) {
      terminal.out(`${JSON.stringify({ deno: Deno.version.deno, cluster: measured, layers })}\n`);
    } else {terminal.out(
        [clusterTable(measured), layerTable(layers)].filter((text) => text !== "").join("\n"),
      );}
    if (flags.profile && measured.length > 0) terminal.err(`\n${hottest(directory)}`);
    return 0;
  } finally {
    Deno.removeSync(directory, { recursive: true });
  }
}

async function measureCluster(flags: Values<typeof FLAGS>, directory: string): Promise<Measured[]> {
  const nodes = freePorts(3, 4001).map((port, index) =>
    new LocalNode({
      name: `n${index + 1}`,
      port,
      directory: `${directory}/n${index + 1}`,
      flags: ["--log-level", "warn", "--storage-sync", String(flags.sync)],
      runtimeFlags: flags.profile && index === 0 ? ["--cpu-prof", `--cpu-prof-dir=${directory}`] : [],
      onLine: (line) => terminal.err(`n${index + 1} │ ${line}\n`),
    })
  );
  try {
    terminal.err("starting three nodes\n");
    await Promise.all(nodes.map((node) => node.ready(context)));
    await joinAll(nodes, context);
    const scenarios: Scenario[] = flags.operations.flatMap((operation) =>
      flags.pipeline.flatMap((pipeline) =>
        flags.connections.map((connections) => ({ operation, connections, pipeline }))
      )
    );
    const { keys, seconds, "value-bytes": valueBytes } = flags;
    const addresses = nodes.map((node) => node.address);
    terminal.err(`writing ${keys} keys\n`);
    return await runLoad({ addresses, keys, valueBytes, seconds, scenarios });
  } finally {
    await Promise.all(nodes.map((node) => node.stop()));
  }
}

/** Run the load in a process of its own; each line it prints is a scenario done. */
async function runLoad(plan: LoadPlan): Promise<Measured[]> {
  const program = new URL("./load.ts", import.meta.url).href;
  const process = new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "--no-prompt", "--allow-net", program, JSON.stringify(plan)],
    stdout: "piped",
  }).spawn();
  const measured: Measured[] = [];
  await eachLine(process.stdout, (line) => {
    const scenario: Measured = JSON.parse(line);
    measured.push(scenario);
    const { operation, connections, pipeline, perSecond } = scenario;
    terminal.err(`${operation}: ${connections} connections, ${pipeline} each: ${perSecond}/s\n`);
  });
  const { success } = await process.status;
  if (!success) throw new Error("the load process failed; see above");
  return measured;
}

function clusterTable(measured: readonly Measured[]): string {
  if (measured.length === 0) return "";
  const headings = [
    "",
    ">connections",
    ">pipeline",
    ">per second",
    ">p50 ms",
    ">p99 ms",
    ">p99.9 ms",
    "failed",
  ];
  const rows = measured.map(({ operation, connections, pipeline, perSecond, p50, p99, p999, failed }) => [
    operation,
    String(connections),
    String(pipeline),
    perSecond.toLocaleString("en"),
    ...[p50, p99, p999].map((ms) => ms.toFixed(2)),
    Object.entries(failed).map(([code, count]) => `${count} ${code}`).join(", "),
  ]);
  return table(paint(terminal.coloured), headings, rows);
}

function layerTable(layers: readonly Layer[]): string {
  if (layers.length === 0) return "";
  const rows = layers.map(({ layer, step, ns }) => [layer, step, (ns / 1000).toFixed(ns < 100_000 ? 3 : 0)]);
  return table(paint(terminal.coloured), ["layer", "", ">us each"], rows);
}
