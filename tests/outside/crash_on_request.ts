/**
 * `denamo server`, but that the actor named in each line of standard input crashes. Ends with its input.
 *
 * @module
 */

import { realEnvironment } from "../../actors/runtime/real/mod.ts";
import type { Context } from "../../cli/command.ts";
import { run } from "../../cli/run.ts";
import { RealTerminal } from "../../cli/terminal.ts";
import { Client, Node } from "../../mod.ts";

async function crashOnRequest(node: Node, terminal: RealTerminal): Promise<void> {
  let rest = "";
  for await (const text of Deno.stdin.readable.pipeThrough(new TextDecoderStream())) {
    const names = (rest + text).split("\n");
    rest = names.pop()!;
    for (const name of names) node.crash(name);
  }
  terminal.exit(3);
}

if (import.meta.main) {
  const terminal = new RealTerminal();
  const context: Context = {
    terminal,
    connect: (addresses) => Client.connect(addresses),
    async startNode(options) {
      const node = await Node.start(options);
      void crashOnRequest(node, terminal);
      return node;
    },
    environment: () => realEnvironment({ node: "crash-on-request" }),
  };
  Deno.exit(await run(Deno.args, context));
}
