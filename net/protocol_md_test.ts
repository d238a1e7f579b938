import { concatBytes, encodeUtf8, fromHex } from "../actors/runtime/bytes.ts";
import { crc32c } from "../actors/runtime/crc32c.ts";
import { assert, assertEquals } from "../actors/runtime/testing/assert.ts";
import { MESSAGES } from "./codec.ts";
import { FrameReader } from "./frame_reader.ts";
import { FrameWriter } from "./frame_writer.ts";
import { REFUSAL_CODES } from "./messages/handshake.ts";
import { type Message, readMessage, writeMessage } from "./messages/message.ts";
import { DONE, FAILURE_CODES, PUT, type PutBody } from "./messages/requests.ts";

/** `deno fmt` pads tables. */
const TABLES = (text: string) => text.replaceAll(/ +/g, " ");
const TEXT = await Deno.readTextFile(new URL("./PROTOCOL.md", import.meta.url));

/** The worked example's frames: runs of lines that begin with hex. */
function frames(): Uint8Array<ArrayBuffer>[] {
  const section = TEXT.slice(TEXT.indexOf("## Worked example"), TEXT.indexOf("## Downsides"));
  return section.split("\n\n").map((paragraph) => {
    const hex = paragraph.split("\n").map((line) => /^ {4}([0-9a-f]+) {2,}\S/.exec(line)?.[1] ?? "");
    return fromHex(hex.join(""))!;
  }).filter((bytes) => bytes.length > 0);
}

const BODY: PutBody = {
  key: encodeUtf8("foo"),
  value: encodeUtf8("bar"),
  crc32c: crc32c(encodeUtf8("bar")),
  context: null,
  w: 2,
  requestId: "000102030405060708090a0b0c0d0e0f",
  forwarded: false,
};

function decode<T>(message: Message<T>, bytes: Uint8Array) {
  const reader = new FrameReader(1024);
  reader.space().set(bytes);
  reader.fed(bytes.length);
  const frame = reader.next();
  assert(frame);
  return { number: frame.number, remainingMs: frame.remainingMs, body: readMessage(message, frame) };
}

Deno.test("the worked example decodes", () => {
  const [put, done] = frames();
  assertEquals(decode(PUT, put!), { number: 7, remainingMs: 5000, body: BODY });
  assertEquals(decode(DONE, done!), { number: 7, remainingMs: 0, body: { ok: true } });
});

Deno.test("the worked example is what is written", () => {
  const writer = new FrameWriter(1024);
  writeMessage(writer, PUT, { number: 7, remainingMs: 5000 }, BODY);
  writeMessage(writer, DONE, { number: 7 }, { ok: true });
  assertEquals(concatBytes(...writer.take()), concatBytes(...frames()));
});

Deno.test("PROTOCOL.md lists every message and code by its number", () => {
  for (const { number, name } of MESSAGES) assert(TABLES(TEXT).includes(`\n| ${number} | ${name} |`), name);
  REFUSAL_CODES.forEach((code, number) => assert(TABLES(TEXT).includes(`\n| ${number} | ${code} |`), code));
  FAILURE_CODES.forEach((code, number) => assert(TABLES(TEXT).includes(`| ${number} | ${code} |`), code));
});
