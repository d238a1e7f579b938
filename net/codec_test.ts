import fc from "fast-check";
import type { ReadAnswer, WriteAnswer } from "../actors/replica_store/protocol.ts";
import { concatBytes } from "../actors/runtime/bytes.ts";
import { LIMITS } from "../actors/runtime/limits.ts";
import { assert, assertEquals, assertThrows } from "../actors/runtime/testing/assert.ts";
import { MESSAGES, RESERVED } from "./codec.ts";
import { type Frame, WireError } from "./frame.ts";
import { FrameReader } from "./frame_reader.ts";
import { FrameWriter } from "./frame_writer.ts";
import { ADMIN, ADMIN_REPLY, CONTROL, CONTROL_REPLY } from "./messages/control.ts";
import { HELLO, PING, PONG, REFUSAL_CODES, REFUSED, WELCOME } from "./messages/handshake.ts";
import { type Message, readMessage, writeMessage } from "./messages/message.ts";
import { KEEP, READ, READ_ANSWER, READ_HINT, WRITE, WRITE_ANSWER } from "./messages/replicas.ts";
import { DONE, FAILED, FAILURE_CODES, GET, GOT, PUT } from "./messages/requests.ts";

/** One frame with the message, as bytes. */
function bytesOf<T>(message: Message<T>, body: T): Uint8Array<ArrayBuffer> {
  const writer = new FrameWriter(LIMITS.frameBytes);
  assert(writeMessage(writer, message, { number: 1 }, body));
  return concatBytes(...writer.take());
}

/** The frame in a stream of exactly one. */
function frameOf(bytes: Uint8Array): Frame {
  const reader = new FrameReader(LIMITS.frameBytes);
  for (let at = 0; at < bytes.length;) {
    reader.next();
    const space = reader.space();
    const count = Math.min(space.length, bytes.length - at);
    space.set(bytes.subarray(at, at + count));
    reader.fed(count);
    at += count;
  }
  const frame = reader.next();
  assert(frame);
  return frame;
}

/** A frame with this message number and these bytes as its body. */
function raw(message: number, body: Uint8Array): Frame {
  const writer = new FrameWriter(LIMITS.frameBytes);
  writer.begin(message, 1, 0);
  writer.bytes(body);
  writer.end();
  return frameOf(concatBytes(...writer.take()));
}

const blob = (most = 200, least = 0) => fc.uint8Array({ minLength: least, maxLength: most });
const hex = (size: number) => fc.uint8Array({ minLength: size, maxLength: size }).map((id) => id.toHex());
const u32 = fc.integer({ min: 0, max: 0xffff_ffff });
const u16 = fc.integer({ min: 0, max: 0xffff });
const u8 = fc.integer({ min: 0, max: 255 });
const words = fc.string({ maxLength: 60, unit: "grapheme" });
const placement = { partition: u16, epoch: fc.maxSafeNat() };
const version = fc.record({ major: fc.constant(1), minor: fc.constant(0) });
const facts = fc.record({
  ...{ nodeId: hex(16), bootId: hex(8), clusterId: hex(16), address: words, cluster: words, hash: words },
  ...{
    life: u32,
    pastBootIds: fc.array(hex(8), { maxLength: 255 }),
    partitions: u32,
    n: u8,
    epoch: fc.maxSafeNat(),
  },
});
const epoch = fc.option(fc.record({ epoch: fc.maxSafeNat() }), { nil: {} });
const plain = fc.dictionary(fc.string({ minLength: 1, maxLength: 5, unit: "grapheme-ascii" }), fc.nat());
const asked = fc.constantFrom("timeout", "dead", "crashed");

const readAnswer: fc.Arbitrary<ReadAnswer> = fc.oneof(
  fc.constantFrom({ ok: true, object: null }, { ok: false, code: "not-whole" as const, object: null }),
  fc.record({ ok: fc.constant(true), object: blob(), stamp: fc.maxSafeNat() }),
  fc.record({
    ok: fc.constant(false),
    code: fc.constant("not-whole" as const),
    object: blob(),
    stamp: fc.maxSafeNat(),
  }),
  fc.tuple(fc.constantFrom("unreadable", "wrong-epoch", "overloaded", "unavailable"), epoch)
    .map(([code, epoch]) => ({ ok: false, code, ...epoch })),
) as fc.Arbitrary<ReadAnswer>;
const writeAnswer: fc.Arbitrary<WriteAnswer> = fc.oneof(
  fc.constant({ ok: true }),
  fc.tuple(fc.constantFrom("wrong-epoch", "corrupt", "future-dot", "ring-changing"), fc.boolean(), epoch)
    .map(([code, definite, epoch]) => ({ ok: false, code, definite, ...epoch })),
) as fc.Arbitrary<WriteAnswer>;

/** What a request says of nodes that stand in. */
const standIns = fc.constantFrom({}, { sloppy: true }, { sloppy: false });

/** Every message with bodies to try it on. */
const SAMPLES: readonly [Message<never>, fc.Arbitrary<unknown>][] = [
  [HELLO, fc.record({ magic: fc.constant(true), version, facts: fc.option(facts) })],
  [WELCOME, fc.record({ version, facts })],
  [
    REFUSED,
    fc.record({ code: fc.constantFrom(...REFUSAL_CODES), message: words }).chain((refused) =>
      refused.code === "forgotten-life"
        ? fc.record({ life: u32, bootId: hex(8) }).map((forgotten) => ({ ...refused, forgotten }))
        : fc.constant(refused)
    ),
  ],
  [PING, fc.constant(null)],
  [PONG, fc.constant(null)],
  [GET, fc.tuple(fc.record({ key: blob(), r: u8 }), standIns).map(([body, said]) => ({ ...body, ...said }))],
  [
    PUT,
    fc.tuple(
      fc.record({
        ...{ key: blob(), value: fc.option(blob(100_000)), context: fc.option(blob()), crc32c: u32 },
        ...{ w: u8, requestId: hex(16), forwarded: fc.boolean() },
      }),
      standIns,
      fc.constantFrom({}, { fallback: true }),
    ).map(([body, said, fallback]) => ({ ...body, ...said, ...fallback })),
  ],
  [
    GOT,
    fc.record({
      ok: fc.constant(true),
      values: fc.array(fc.record({ value: blob(), crc32c: u32 })),
      context: blob(),
    }),
  ],
  [DONE, fc.constant({ ok: true })],
  [
    FAILED,
    fc.tuple(
      fc.record({
        ...{ ok: fc.constant(false), code: fc.constantFrom(...FAILURE_CODES) },
        ...{ definite: fc.boolean(), message: words },
      }),
      fc.option(fc.record({ answered: u8, needed: u8 }), { nil: {} }),
    ).map(([failure, counts]) => ({ ...failure, ...counts })),
  ],
  [READ, fc.record({ ...placement, key: blob() })],
  [READ_ANSWER, readAnswer],
  [WRITE, fc.record({ ...placement, stamp: fc.maxSafeNat(), key: blob(), object: blob(100_000) })],
  [WRITE_ANSWER, writeAnswer],
  [
    KEEP,
    fc.record({ ...placement, stamp: fc.maxSafeNat(), target: hex(16), key: blob(), object: blob(100_000) }),
  ],
  [READ_HINT, fc.record({ ...placement, key: blob() })],
  [CONTROL, fc.record({ to: fc.constant("a"), kind: fc.constant("k"), from: fc.constant(""), body: plain })],
  [
    CONTROL_REPLY,
    fc.record({ to: fc.constant("a"), from: fc.constant("b"), failure: fc.option(asked), body: plain }),
  ],
  [ADMIN, fc.record({ kind: fc.constant("status"), body: plain })],
  [
    ADMIN_REPLY,
    fc.oneof(
      fc.record({ ok: fc.constant(true), reply: plain }),
      fc.record({ ok: fc.constant(false), code: asked, message: fc.constant("no") }),
    ),
  ],
] as unknown as readonly [Message<never>, fc.Arbitrary<unknown>][];

Deno.test("the ordinal table is append-only: this list only ever grows", () => {
  const table = MESSAGES.map(({ number, name }) => `${number} ${name}`);
  assertEquals(table, [
    ...["1 hello", "2 welcome", "3 refused", "4 ping", "5 pong"],
    ...["16 get", "17 put", "18 got", "19 done", "20 failed"],
    ...["32 read", "33 read-answer", "34 write", "35 write-answer", "36 keep", "37 read-hint"],
    ...["48 control", "49 control-reply", "50 admin", "51 admin-reply"],
  ]);
  const numbers = [...MESSAGES.map(({ number }) => number), ...RESERVED];
  assertEquals(new Set(numbers).size, numbers.length);
  assertEquals(SAMPLES.map(([message]) => message.number), MESSAGES.map(({ number }) => number));
});

for (const [message, bodies] of SAMPLES) {
  Deno.test(`${message.name}: round trip, truncation at every byte, a byte too many`, () => {
    fc.assert(
      fc.property(bodies, (body) => {
        const bytes = bytesOf(message, body as never);
        assertEquals(readMessage(message, frameOf(bytes)), body as never);
        const content = bytes.subarray(22);
        for (let size = 0; size < Math.min(content.length, 200); size++) {
          const frame = raw(message.number, content.subarray(0, size));
          wholeOrRefused(message, frame);
        }
        wholeOrRefused(message, raw(message.number, concatBytes(content, Uint8Array.of(1))));
      }),
      { numRuns: 25 },
    );
  });

  Deno.test(`${message.name}: no bytes make its decoder do anything but decode or refuse`, () => {
    fc.assert(
      fc.property(blob(120), (bytes) => wholeOrRefused(message, raw(message.number, bytes))),
      { numRuns: 300 },
    );
  });
}

/** Either the body decodes to something whose encoding is just as long, or it is refused with a WireError. */
function wholeOrRefused(message: Message<never>, frame: Frame): void {
  try {
    readMessage(message, frame);
    assertEquals(frame.left, 0);
  } catch (error) {
    if (!(error instanceof WireError)) throw error;
  }
}

Deno.test("planted bug: a decoder that does not look for bytes left over is caught", () => {
  const careless: Message<Uint8Array> = {
    number: 200,
    name: "careless",
    encode: (writer, bytes) => writer.bytes(bytes),
    decode: (frame) => frame.bytes(1),
  };
  assertThrows(() => readMessage(careless, raw(200, new Uint8Array(2))), WireError, "too many");
});

Deno.test("a count that cannot be is refused before anything is allocated for it", () => {
  const body = new Uint8Array(8);
  new DataView(body.buffer).setUint32(4, 0xffff_ffff);
  assertThrows(() => readMessage(GOT, raw(GOT.number, body)), WireError, "do not fit");
});

Deno.test("a code or flag of a later version is refused", () => {
  assertThrows(() => readMessage(FAILED, raw(FAILED.number, Uint8Array.of(99, 0))), WireError, "code 99");
  assertThrows(() => readMessage(FAILED, raw(FAILED.number, Uint8Array.of(0, 128))), WireError, "flags 128");
});

Deno.test("a frame of another message is not taken for this one", () => {
  assertThrows(() => readMessage(GET, raw(PUT.number, new Uint8Array(9))), WireError, "instead of get");
});

Deno.test("a body that cannot be encoded leaves the output as it was", () => {
  const writer = new FrameWriter(LIMITS.frameBytes);
  writeMessage(writer, GET, { number: 1 }, { key: Uint8Array.of(1), r: 0 });
  assertThrows(() => writeMessage(writer, ADMIN, { number: 2 }, { kind: "x", body: undefined }));
  writeMessage(writer, PING, { number: 3 }, null);
  const frames = concatBytes(...writer.take());
  assertEquals(frames.length, 22 + 3 + 22);
});

/** Frames of a control message with MessagePack that no honest peer sends. */
function refusedControl(bytes: readonly number[] | Uint8Array): void {
  const frame = raw(CONTROL.number, Uint8Array.from(bytes));
  assertEquals(assertThrows(() => readMessage(CONTROL, frame), WireError).code, "bad-body");
}

Deno.test("FAULTS 5: array32, map32 and bin32 bombs in a control message are bounded errors", () => {
  for (const type of [0xdd, 0xdf, 0xc6]) refusedControl([type, 255, 255, 255, 255]);
});

Deno.test("FAULTS 6: nesting 10^6 deep is refused", () => {
  refusedControl(new Uint8Array(1_000_000).fill(0x91));
});

Deno.test("FAULTS 7: __proto__ and duplicate keys are refused, nothing is polluted", () => {
  const key = (text: string) => [0xa0 | text.length, ...new TextEncoder().encode(text)];
  const control = (body: readonly number[]) => [0x94, ...key("a"), ...key("k"), ...key("b"), ...body];
  refusedControl(control([0x81, ...key("__proto__"), 0x81, ...key("x"), 1]));
  refusedControl(control([0x82, ...key("x"), 1, ...key("x"), 2]));
  assertEquals(({} as Record<string, unknown>)["x"], undefined);
});

Deno.test("FAULTS 8: NaN, extensions and integers past 2^53 are refused, never rounded", () => {
  const control = (...body: readonly number[]) => [0x94, 0xa1, 97, 0xa1, 107, 0xa1, 98, ...body];
  refusedControl(control(0xcb, 0x7f, 0xf8, 0, 0, 0, 0, 0, 0));
  refusedControl(control(0xd4, 1, 2));
  refusedControl(control(0xcf, 0, 0x20, 0, 0, 0, 0, 0, 1));
});
