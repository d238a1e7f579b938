import fc from "fast-check";
import { concatBytes, encodeUtf8 } from "../../actors/runtime/bytes.ts";
import { LIMITS } from "../../actors/runtime/limits.ts";
import { assert, assertEquals, assertNotEquals } from "../../actors/runtime/testing/assert.ts";
import type { SeenMessage, Travelling } from "../../actors/simulated/links.ts";
import { MESSAGES } from "../../net/codec.ts";
import { FrameWriter } from "../../net/frame_writer.ts";
import { ADMIN, ADMIN_REPLY, CONTROL, CONTROL_REPLY } from "../../net/messages/control.ts";
import { HELLO, PING, PONG, REFUSED, WELCOME } from "../../net/messages/handshake.ts";
import { type Message, writeMessage } from "../../net/messages/message.ts";
import { KEEP, READ, READ_ANSWER, READ_HINT, WRITE, WRITE_ANSWER } from "../../net/messages/replicas.ts";
import { DONE, FAILED, GET, GOT, PUT } from "../../net/messages/requests.ts";
import { READINGS, type Spoken, spokenIn } from "./tap.ts";

function frameOf<T>(message: Message<T>, body: T, number = 0): Uint8Array<ArrayBuffer> {
  const writer = new FrameWriter(LIMITS.frameBytes);
  assert(writeMessage(writer, message, { number }, body));
  return concatBytes(...writer.take());
}

let now = 0;
function unit(way: string, bytes: Uint8Array, what: Travelling = "unit"): SeenMessage {
  const [from = "", to = ""] = way.split(">");
  now += 1;
  const arrivedMs = now + 0.5;
  return { connection: 1, from, to, what, bytes, sentMs: now, arrivedMs, held: false };
}

/** How the timeline names a message. */
function wordsOf({ from, to, message, key, text }: Spoken): string {
  return [`${from}>${to}`, message, key, text].filter((part) => part !== null && part !== "").join(" ");
}

const key = encodeUtf8("key1");
const value = encodeUtf8("c0.1");
const facts = {
  ...{ nodeId: "11".repeat(16), bootId: "22".repeat(8), clusterId: "33".repeat(16), address: "a:1" },
  ...{ cluster: "denamo", hash: "murmur3-32", partitions: 16, n: 3, epoch: 1, life: 1, pastBootIds: [] },
};
const version = { major: 1, minor: 0 };
const put = { key, value, crc32c: 0, context: null, w: 0, requestId: "44".repeat(16), forwarded: false };
const place = { partition: 1, epoch: 1 };
const failure = {
  ok: false,
  code: "quorum-unmet",
  definite: false,
  message: "",
  answered: 1,
  needed: 2,
} as const;

/** Who says what to whom, and how it is named: every message there is. */
const CONVERSATION: readonly [way: string, bytes: Uint8Array, words: string][] = [
  ["c>n1", frameOf(HELLO, { magic: true, version, facts: null }), "hello as a client"],
  ["n1>c", frameOf(WELCOME, { version, facts }), "welcome"],
  ["n2>n1", frameOf(HELLO, { magic: true, version, facts }), "hello as a peer"],
  ["n1>n2", frameOf(REFUSED, { code: "duplicate-id", message: "no" }), "refused duplicate-id"],
  ["c>n1", frameOf(PING, null), "ping"],
  ["n1>c", frameOf(PONG, null), "pong"],
  ["c>n1", frameOf(GET, { key, r: 2 }, 1), "get key1 R 2"],
  ["n1>n2", frameOf(READ, { ...place, key }, 7), "read key1"],
  ["n2>n1", frameOf(READ_ANSWER, { ok: true, object: null }, 7), "read-answer key1 missing"],
  ["n1>c", frameOf(GOT, { ok: true, values: [{ value, crc32c: 0 }], context: key }, 1), "got key1 [c0.1]"],
  ["c>n1", frameOf(PUT, put, 2), "put key1 = c0.1"],
  [
    "n1>n2",
    frameOf(PUT, { ...put, value: null, w: 1, forwarded: true }, 3),
    "put key1 (delete), W 1, forwarded",
  ],
  ["n2>n1", frameOf(WRITE, { ...place, stamp: 0, key, object: value }, 7), "write key1"],
  ["n1>n2", frameOf(WRITE_ANSWER, { ok: true }, 7), "write-answer key1 ok"],
  ["n2>n1", frameOf(DONE, { ok: true }, 3), "done key1"],
  ["n1>c", frameOf(FAILED, failure, 2), "failed key1 quorum-unmet (1 of 2), in doubt"],
  ["n2>n1", frameOf(WRITE, { ...place, stamp: 0, key, object: value }), "write key1 (repair)"],
  [
    "n1>n2",
    frameOf(KEEP, { ...place, stamp: 0, key, object: value, target: "55".repeat(16) }, 8),
    "keep key1 for 55555555",
  ],
  ["n1>n2", frameOf(READ_HINT, { ...place, key }, 9), "read-hint key1"],
  [
    "n1>n2",
    frameOf(CONTROL, { to: "ring_manager", kind: "prepare", from: "x", body: null }, 1),
    "control ring_manager.prepare",
  ],
  [
    "n2>n1",
    frameOf(CONTROL_REPLY, { to: "x", from: "ring_manager", failure: null, body: null }, 1),
    "control-reply ring_manager.prepare",
  ],
  ["c>n1", frameOf(ADMIN, { kind: "status", body: {} }, 9), "admin status"],
  ["n1>c", frameOf(ADMIN_REPLY, { ok: true, reply: {} }, 9), "admin-reply status"],
];

Deno.test("tap: every message there is has its name, and an answer the key of its question", () => {
  assertEquals([...READINGS.keys()], MESSAGES.map(({ number }) => number));
  assertEquals([...READINGS.values()].map(({ name }) => name), MESSAGES.map(({ name }) => name));
  const spoken = spokenIn(CONVERSATION.map(([way, bytes]) => unit(way, bytes)));
  assertEquals(spoken.map(wordsOf), CONVERSATION.map(([way, , words]) => `${way} ${words}`));
  assertEquals(new Set(spoken.map(({ message }) => message)), new Set(MESSAGES.map(({ name }) => name)));
  assertEquals(spoken.map(({ sizeBytes }) => sizeBytes), CONVERSATION.map(([, bytes]) => bytes.length));
});

Deno.test("tap: planted: without one of its readings it has not the names, but all the bytes", () => {
  const names = (readings: typeof READINGS) =>
    spokenIn(CONVERSATION.map(([way, bytes]) => unit(way, bytes)), readings).map(wordsOf);
  for (const number of READINGS.keys()) {
    const readings = new Map([...READINGS].filter(([other]) => other !== number));
    assertNotEquals(names(readings), names(READINGS));
  }
});

Deno.test("tap: however a stream is cut into units, what was lost and what came again has a name", () => {
  const frames = [key, encodeUtf8("key2"), encodeUtf8("key3")].map((one) => frameOf(GET, { key: one, r: 0 }));
  const stream = concatBytes(...frames);
  const cut = fc.uniqueArray(fc.integer({ min: 1, max: stream.length - 1 }), { maxLength: 9 });
  fc.assert(fc.property(cut, fc.nat(9), (places, lost) => {
    const at = [0, ...places.sort((a, b) => a - b), stream.length];
    const units = at.slice(1).map((end, index) => {
      const one = unit("c>n", stream.subarray(at[index], end), index === lost ? "lost" : "unit");
      return { ...one, from: at[index]!, end };
    });
    const spoken = spokenIn(units.map((one) => ({ ...one, from: "c" })));
    assertEquals(spoken.map((one) => one.key), ["key1", "key2", "key3"]);
    let begin = 0;
    for (const [index, { length }] of frames.entries()) {
      const end = begin + length;
      const carried = units.filter((one) => one.from < end && one.end > begin);
      const fate = carried.some(({ what }) => what === "lost") ? "lost" : "arrived";
      assertEquals([spoken[index]!.fate, spoken[index]!.sentMs], [fate, carried[0]!.sentMs]);
      assertEquals(spoken[index]!.arrivedMs, Math.max(...carried.map(({ arrivedMs }) => arrivedMs)));
      begin = end;
    }
  }));
  const first = unit("c>n", stream);
  const again = { ...first, what: "again", arrivedMs: first.arrivedMs + 9 } as const;
  const spoken = spokenIn([first, again]);
  assertEquals(spoken.map(({ fate }) => fate), ["arrived", "arrived", "arrived", "again", "again", "again"]);
  assertEquals(spoken.slice(3).map((one) => one.key), ["key1", "key2", "key3"]);
});

Deno.test("tap: a stream that is none, and a message that never ends, are so many bytes", () => {
  const whole = frameOf(GET, { key, r: 0 });
  const half = whole.subarray(0, 20);
  const noise = new Uint8Array(30).fill(255);
  const summary = (units: readonly SeenMessage[]) =>
    spokenIn(units).map(({ message, sizeBytes }) => `${message} ${sizeBytes}`);
  assertEquals(summary([unit("a>b", whole), unit("a>b", noise), unit("a>b", whole)]), [
    `get ${whole.length}`,
    "bytes 30",
    `bytes ${whole.length}`,
  ]);
  assertEquals(summary([unit("a>b", half), unit("b>a", whole)]), ["bytes 20", `get ${whole.length}`]);
});

Deno.test("tap: steps of a connection, what is held, and what is still under way", () => {
  const none = new Uint8Array(0);
  const begin = [unit("a>b", none, "connect"), unit("b>a", none, "welcome")];
  const held = { ...unit("a>b", frameOf(PING, null)), held: true, arrivedMs: Infinity };
  const spoken = spokenIn([...begin, held, unit("a>b", none, "end")]);
  assertEquals(spoken.map(wordsOf), ["a>b connect #1", "b>a accept #1", "a>b ping", "a>b end #1"]);
  assertEquals(spoken.map(({ fate }) => fate), ["arrived", "arrived", "under way", "arrived"]);
  assertEquals([spoken[2]!.arrivedMs, spoken[2]!.held], [null, true]);
});
