/**
 * `denamo put`
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
  standIns,
  TIMEOUT,
  WHERE,
  withDoor,
} from "../command.ts";
import { type Flags, optional, required } from "../flags.ts";
import * as kind from "../kinds.ts";
import { LIMITS } from "../../actors/runtime/limits.ts";

/** Write a key. */
export const put: Command<Flags> = command({
  name: "put",
  summary: "Write a key; with the context of a get, replace what that get saw",
  details:
    "Without -c the value becomes a sibling of whatever is there; a put never overwrites unseen data.\n" +
    "The context of a key that is not there is empty, and as good as none.",
  examples: [
    "put -p 3001 -k foo -v bar",
    "put -k foo -v resolved -c CONTEXT",
    "put -k photo -v - < photo.jpg",
  ],
  flags: {
    ...WHERE,
    key: required(kind.text("KEY"), "The key", "k"),
    value: required(kind.text("VALUE"), "The value; - reads it from standard input", "v"),
    context: optional(kind.context, "The context that get printed", "c"),
    w: optional(kind.integer(1, 16), "Replicas that must acknowledge (default the cluster's W)", "w"),
    ttl: optional(
      kind.integer(1, LIMITS.ttlMs / 1000, "SECONDS"),
      "Seconds after which the value expires (default never)",
    ),
    ...STAND_INS,
    ...TIMEOUT,
  },
  rivals: RIVAL_STAND_INS,
  async run(flags, context) {
    const encoder = new TextEncoder();
    const value = flags.value === "-" ? await context.terminal.readInput() : encoder.encode(flags.value);
    await withDoor(flags, context, (door) => door.put(encoder.encode(flags.key), value, writeOptions(flags)));
    answer(context, { message: "Ok" });
    return EXIT.done;
  },
});

/** The options of a write. */
export function writeOptions(flags: {
  readonly context: Uint8Array | undefined;
  readonly w: number | undefined;
  readonly strict: boolean;
  readonly sloppy: boolean;
  readonly timeout: number | undefined;
  readonly ttl?: number | undefined;
}): { context?: Uint8Array; w?: number; sloppy?: boolean; timeoutMs?: number; ttlMs?: number } {
  return {
    ...(flags.context !== undefined && { context: flags.context }),
    ...(flags.w !== undefined && { w: flags.w }),
    ...standIns(flags),
    ...(flags.ttl !== undefined && { ttlMs: flags.ttl * 1000 }),
    ...(flags.timeout !== undefined && { timeoutMs: flags.timeout }),
  };
}
