/**
 * `denamo get`
 *
 * @module
 */

import { answer, type Command, command, EXIT, type Sibling, TIMEOUT, WHERE, withDoor } from "../command.ts";
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
    raw: toggled(kind.toggle, "Print the bytes of the single value"),
    ...TIMEOUT,
  },
  async run(flags, context) {
    const found = await withDoor(flags, context, (door) =>
      door.get(new TextEncoder().encode(flags.key), {
        ...(flags.r !== undefined && { r: flags.r }),
        ...(flags.timeout !== undefined && { timeoutMs: flags.timeout }),
      }));
    const { values } = found;
    if (!flags.raw) {
      answer(context, { values: values.map(shownValue), context: found.context.toHex() });
      return values.length === 0 ? EXIT.notFound : EXIT.done;
    }
    if (values.length === 0) return EXIT.notFound;
    if (values.length > 1) {
      context.terminal.err(
        `denamo get: ${values.length} siblings: read them without --raw, then put one value with the context\n`,
      );
      return EXIT.siblings;
    }
    context.terminal.outBytes(values[0]!.value);
    return EXIT.done;
  },
});

/** A value for JSON: text where it is text, else base64. */
export function shownValue({ value, crc32c }: Sibling): Record<string, unknown> {
  try {
    // ignoreBOM: the byte order mark is part of the value, not of its encoding.
    return { value: new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(value), crc32c };
  } catch {
    return { value_base64: value.toBase64(), crc32c };
  }
}
