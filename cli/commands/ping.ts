/**
 * `denamo ping`
 *
 * @module
 */

import { answer, type Command, command, EXIT, WHERE, withDoor } from "../command.ts";
import type { Flags } from "../flags.ts";

/** Ask whether a node answers. */
export const ping: Command<Flags> = command({
  name: "ping",
  summary: "Ask whether a node answers",
  examples: ["ping -p 3001"],
  flags: { ...WHERE },
  async run(flags, context) {
    await withDoor(flags, context, (door) => door.ping());
    answer(context, { message: "PONG" });
    return EXIT.done;
  },
});
