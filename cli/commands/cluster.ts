/**
 * `denamo cluster`, behind `deno task cluster`
 *
 * @module
 */

import { type Command, command, type Context, EXIT } from "../command.ts";
import { defaulted, type Flags, optional } from "../flags.ts";
import * as kind from "../kinds.ts";
import { freePorts, invocation, joinAll, LocalNode } from "../local_node.ts";
import { type Paint, paint } from "../paint.ts";

/** Start a cluster on this machine. */
export const cluster: Command<Flags> = command({
  name: "cluster",
  summary: "Start a cluster on this machine to try things on; Ctrl-C stops it",
  details: "Nodes are processes of their own. Without --data their data goes when they stop.",
  examples: ["cluster", "cluster --nodes 5 --data ./denamo-data"],
  flags: {
    nodes: defaulted(kind.integer(1, 20), 3, "How many nodes", "n"),
    port: defaulted(kind.port, 3001, "First port; ports in use are passed over", "p"),
    data: optional(kind.name("DIR"), "Keep data here, one directory per node"),
    "log-level": defaulted(
      kind.choice("debug", "info", "warn", "error", "silent"),
      "info",
      "How much is logged",
    ),
  },
  async run(flags, context) {
    const directory = flags.data ?? Deno.makeTempDirSync({ prefix: "denamo-" });
    const colours = paint(context.terminal.coloured);
    const stopped = new Promise<null>((resolve) => context.terminal.onStop(() => resolve(null)));
    const nodes = freePorts(flags.nodes, flags.port).map((port, index) =>
      new LocalNode({
        name: `n${index + 1}`,
        port,
        directory: `${directory}/n${index + 1}`,
        flags: ["--log-level", flags["log-level"]],
        onLine: (line) => context.terminal.out(`${colours.nth(index, `n${index + 1} │`)} ${line}\n`),
      })
    );
    try {
      const up = bringUp(nodes, context).then(() => "up" as const);
      const first = await Promise.race([stopped, up]);
      if (first === null) return EXIT.done;
      context.terminal.out(welcome(nodes, directory, flags.data === undefined, colours));
      // When one ends the others go on: that is what they are for. One that has left ends with code 0.
      const codes: number[] = [];
      let isStopping = false;
      for (const node of nodes) {
        void node.ended.then((code) => {
          if (isStopping) return;
          codes.push(code);
          context.terminal.err(`denamo cluster: ${node.name} ended with code ${code}\n`);
        });
      }
      await stopped;
      isStopping = true;
      return codes.every((code) => code === EXIT.done) ? EXIT.done : EXIT.failed;
    } catch (error) {
      context.terminal.err(`denamo cluster: ${error instanceof Error ? error.message : error}\n`);
      return EXIT.failed;
    } finally {
      await Promise.all(nodes.map((node) => node.stop()));
      if (flags.data === undefined) Deno.removeSync(directory, { recursive: true });
    }
  },
});

async function bringUp(nodes: readonly LocalNode[], context: Context): Promise<void> {
  await Promise.all(nodes.map((node) => node.ready(context)));
  await joinAll(nodes, context);
}

/** What there is now and what to type next. */
function welcome(nodes: readonly LocalNode[], directory: string, temporary: boolean, paint: Paint): string {
  const denamo = invocation();
  const port = nodes[0]!.address.split(":").at(-1)!;
  const last = nodes.at(-1)!.address.split(":").at(-1)!;
  const lines = [
    "",
    paint.green(`${nodes.length} ${nodes.length === 1 ? "node is" : "nodes are"} ready`),
    ...nodes.map((node, index) => `  ${paint.nth(index, node.name)}  ${node.address}`),
    `  data in ${directory}${temporary ? ", removed when they stop" : ""}`,
    "",
    "Try in another terminal:",
    `  ${denamo} put -p ${port} -k foo -v bar`,
    `  ${denamo} get -p ${last} -k foo`,
    `  ${denamo} ring -p ${port}`,
    `  ${denamo} status -p ${port}`,
    "",
    "Ctrl-C stops them all.",
    "",
  ];
  return lines.join("\n") + "\n";
}
