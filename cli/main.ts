/**
 * The `denamo` program: {@link run} with this process's terminal, clients and nodes.
 *
 * @module
 */

import { Client, Node } from "../mod.ts";
import { realEnvironment } from "../actors/runtime/real/mod.ts";
import type { Context } from "./command.ts";
import { run } from "./run.ts";
import { RealTerminal } from "./terminal.ts";

if (import.meta.main) {
  const context: Context = {
    terminal: new RealTerminal(),
    connect: (addresses) => Client.connect(addresses),
    startNode(options) {
      Deno.permissions.revokeSync({ name: "run" }); // a node never starts another program
      return Node.start(options);
    },
    environment: () => realEnvironment({ node: "denamo" }),
  };
  Deno.exit(await run(Deno.args, context));
}
