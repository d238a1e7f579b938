/**
 * `denamo del`
 *
 * @module
 */

import {
  answer,
  type Command,
  command,
  EXIT,
  RIVAL_STAND_INS,
  STAND_INS,
  TIMEOUT,
  WHERE,
  withDoor,
} from "../command.ts";
import { type Flags, optional, required } from "../flags.ts";
import * as kind from "../kinds.ts";
import { writeOptions } from "./put.ts";

/** Delete a key. */
export const del: Command<Flags> = command({
  name: "del",
  summary: "Delete what the context saw of a key",
  details:
    "A delete is a write of nothing: without -c it is concurrent with what is there and removes none of it.",
  examples: ["del -p 3001 -k foo -c CONTEXT"],
  flags: {
    ...WHERE,
    key: required(kind.text("KEY"), "The key", "k"),
    context: optional(kind.context, "The context that get printed", "c"),
    w: optional(kind.integer(1, 16), "Replicas that must acknowledge (default the cluster's W)", "w"),
    ...STAND_INS,
    ...TIMEOUT,
  },
  rivals: RIVAL_STAND_INS,
  async run(flags, context) {
    const key = new TextEncoder().encode(flags.key);
    await withDoor(flags, context, (door) => door.del(key, writeOptions(flags)));
    answer(context, { message: "Ok" });
    return EXIT.done;
  },
});
