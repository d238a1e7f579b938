/**
 * `denamo get`
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
import type { GetResult } from "../../net/client.ts";
import { type Flags, optional, required, toggled } from "../flags.ts";
import * as kind from "../kinds.ts";

/** Read a key. */
export const get: Command<Flags> = command({
  name: "get",
  summary: "Read a key: its values and the context to write it back with",
  details:
    "Prints JSON. A value that is not UTF-8 is shown as value_base64. Exits 3 when the key is not there.\n" +
    "With --raw exactly one value is printed, byte for byte; siblings exit 4 and print nothing.",
  examples: ["get -p 3001 -k foo", "get -k photo --raw > photo.jpg"],
  flags: {
    ...WHERE,
    key: required(kind.text("KEY"), "The key", "k"),
    r: optional(kind.integer(1, 16), "Replicas that must answer (default the cluster's R)", "r"),
    ...STAND_INS,
    raw: toggled(kind.toggle, "Print the bytes of the single value"),
    ...TIMEOUT,
  },
  rivals: RIVAL_STAND_INS,
  async run(flags, context) {
    const found = await withDoor(flags, context, (door) =>
      door.get(new TextEncoder().encode(flags.key), {
        ...(flags.r !== undefined && { r: flags.r }),
        ...standIns(flags),
        ...(flags.timeout !== undefined && { timeoutMs: flags.timeout }),
      }));
    const { values } = found;
    if (!flags.raw) {
      answer(context, shownFound(found));
      return values.length === 0 ? EXIT.notFound : EXIT.done;
    }
    if (values.length === 0) return EXIT.notFound;
    if (values.length > 1) {
      context.terminal.err(
        `denamo get: ${values.length} siblings: read them without --raw, then put one value with the context\n`,
      );
      return EXIT.siblings;
    }
    context.terminal.outBytes(values[0]!);
    return EXIT.done;
  },
});

/** What a key holds, as JSON shows it: values in UTF-8 as text, others in base64, the context in hex. */
export function shownFound(found: GetResult): { values: Record<string, unknown>[]; context: string } {
  const values = found.values.map((bytes, index) => ({
    ...shownBytes("value", bytes),
    crc32c: found.checksums[index]!,
  }));
  return { values, context: found.context.toHex() };
}

/** Bytes in a field of JSON: UTF-8 as text, others in base64, which the field's name then says. */
export function shownBytes(name: string, bytes: Uint8Array): Record<string, string> {
  try {
    return { [name]: UTF8.decode(bytes) };
  } catch {
    return { [`${name}_base64`]: bytes.toBase64() };
  }
}

/** A byte order mark is kept: it is part of the value. */
const UTF8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
