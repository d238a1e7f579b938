import fc from "fast-check";
import { concatBytes, equalBytes } from "../actors/runtime/bytes.ts";
import { crc32c } from "../actors/runtime/crc32c.ts";
import { assert, assertEquals, assertThrows } from "../actors/runtime/testing/assert.ts";
import { WireError } from "./frame.ts";
import { type Checksum, FrameReader } from "./frame_reader.ts";
import { FrameWriter, LARGE_BYTES } from "./frame_writer.ts";

const LIMIT = 1 << 20;

interface Content {
  readonly message: number;
  readonly number: number;
  readonly remainingMs: number;
  readonly trace: Uint8Array | undefined;
  readonly body: Uint8Array;
}

const content: fc.Arbitrary<Content> = fc.record({
  message: fc.integer({ min: 0, max: 255 }),
  number: fc.maxSafeNat(),
  remainingMs: fc.integer({ min: 0, max: 0xffff_ffff }),
  trace: fc.option(fc.uint8Array({ minLength: 25, maxLength: 25 }), { nil: undefined }),
  body: fc.oneof(
    { weight: 8, arbitrary: fc.uint8Array({ maxLength: 300 }) },
    {
      weight: 2,
      arbitrary: fc.integer({ min: 0, max: 200_000 }).map((size) => new Uint8Array(size).fill(7)),
    },
  ),
});

function write(writer: FrameWriter, { message, number, remainingMs, trace, body }: Content): boolean {
  writer.begin(message, number, remainingMs, trace);
  writer.bytes(body);
  return writer.end();
}

function encode(contents: readonly Content[]): Uint8Array<ArrayBuffer> {
  const writer = new FrameWriter(LIMIT);
  for (const each of contents) assert(write(writer, each));
  return concatBytes(...writer.take());
}

/** What a reader makes of a stream that arrives in pieces of the sizes that `size` gives. */
function decode(stream: Uint8Array, size: () => number, reader = new FrameReader(LIMIT)): Content[] {
  const contents: Content[] = [];
  for (let at = 0; at < stream.length;) {
    const space = reader.space();
    const count = Math.min(size(), space.length, stream.length - at);
    space.set(stream.subarray(at, at + count));
    reader.fed(count);
    at += count;
    for (let frame = reader.next(); frame; frame = reader.next()) {
      const { message, number, remainingMs, trace } = frame;
      contents.push({ message, number, remainingMs, trace, body: frame.rest() });
    }
  }
  return contents;
}

Deno.test("frames come back as they were written, however the stream is split", () => {
  fc.assert(
    fc.property(
      fc.array(content, { maxLength: 20 }),
      fc.infiniteStream(fc.nat(70_000)),
      (contents, sizes) => {
        assertEquals(decode(encode(contents), () => sizes.next().value! + 1), contents);
      },
    ),
    { numRuns: 100 },
  );
});

Deno.test("FAULTS 11: split at every offset, and one byte at a time", () => {
  const body = new Uint8Array(90).fill(1);
  const contents = [1, 2, 3].map((number) => ({
    message: 9,
    number,
    remainingMs: 5,
    trace: undefined,
    body,
  }));
  const stream = encode(contents);
  for (let split = 1; split < stream.length; split++) {
    let first = true;
    const sizes = () => first ? (first = false, split) : stream.length;
    assertEquals(decode(stream, sizes), contents);
  }
  assertEquals(decode(stream, () => 1), contents);
});

Deno.test("FAULTS 1: a length of 2^32 - 1 is refused before anything is allocated", () => {
  const reader = new FrameReader(LIMIT);
  const before = reader.space().buffer.byteLength;
  reader.space().set([255, 255, 255, 255, 0, 0, 0, 0]);
  reader.fed(8);
  const error = assertThrows(() => reader.next(), WireError);
  assertEquals(error.code, "bad-length");
  assertEquals(reader.space().buffer.byteLength, before);
});

Deno.test("a length below a header, and one byte over the limit, are refused", () => {
  for (const length of [0, 1, 13, LIMIT - 8 + 1]) {
    const reader = new FrameReader(LIMIT);
    new DataView(reader.space().buffer).setUint32(0, length);
    reader.fed(8);
    assertEquals(assertThrows(() => reader.next(), WireError).code, "bad-length");
  }
});

/** The property that the checksum is for: of a frame with one flipped bit nothing is ever handed out. */
function noFlippedBitPasses(checksum?: Checksum): void {
  const one = { message: 17, number: 1, remainingMs: 1, trace: undefined, body: new Uint8Array(40).fill(3) };
  const stream = encode([one]);
  for (let bit = 32; bit < stream.length * 8; bit++) { // the length itself is judged by its limit
    const damaged = stream.slice();
    damaged[bit >> 3]! ^= 1 << (bit & 7);
    const error = assertThrows(
      () => decode(damaged, () => 1000, new FrameReader(LIMIT, checksum)),
      WireError,
    );
    assertEquals(error.code, "bad-crc");
  }
}

Deno.test("no flipped bit passes the checksum", () => noFlippedBitPasses());

Deno.test("planted bug: a reader that skips the checksum is caught", () => {
  // It finds the checksum it is to be compared with where the sender put it: in front of the bytes.
  const blind: Checksum = (bytes) => new DataView(bytes.buffer, bytes.byteOffset - 4).getUint32(0);
  assertThrows(() => noFlippedBitPasses(blind));
});

Deno.test("an unknown flag is refused: what it would add is not known", () => {
  const stream = encode([{
    message: 1,
    number: 1,
    remainingMs: 0,
    trace: undefined,
    body: new Uint8Array(3),
  }]);
  stream[9] = 4;
  new DataView(stream.buffer).setUint32(4, crc32c(stream.subarray(8)));
  assertEquals(assertThrows(() => decode(stream, () => 100), WireError).code, "bad-flags");
});

Deno.test("a number past 2^53 - 1 is refused, never rounded", () => {
  const stream = encode([{
    message: 1,
    number: 1,
    remainingMs: 0,
    trace: undefined,
    body: new Uint8Array(3),
  }]);
  stream[10] = 1;
  new DataView(stream.buffer).setUint32(4, crc32c(stream.subarray(8)));
  assertEquals(assertThrows(() => decode(stream, () => 100), WireError).code, "bad-body");
});

Deno.test("a frame over the limit is as if it had never begun, wherever it grew to", () => {
  const large = fc.constantFrom(100, LARGE_BYTES - 1, LARGE_BYTES, LIMIT, LIMIT + LARGE_BYTES);
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(3), large, large), { maxLength: 12 }), (frames) => {
      const writer = new FrameWriter(LIMIT);
      const kept: Content[] = [];
      for (const [number, first, second] of frames) {
        const parts = [new Uint8Array(first).fill(1), new Uint8Array(second).fill(2)];
        writer.begin(5, number, 0);
        for (const part of parts) writer.bytes(part);
        const whole = first + second + 22 <= LIMIT;
        assertEquals(writer.end(), whole);
        if (whole) {
          kept.push({ message: 5, number, remainingMs: 0, trace: undefined, body: concatBytes(...parts) });
        }
      }
      const sizeBytes = writer.sizeBytes;
      const stream = concatBytes(...writer.take());
      assertEquals(stream.length, sizeBytes);
      const found = decode(stream, () => 60_000);
      assertEquals(found.length, kept.length);
      found.forEach(({ body }, i) => assert(equalBytes(body, kept[i]!.body)));
    }),
    { numRuns: 60 },
  );
});

Deno.test("a large value goes out from where it is and comes in into a buffer of its own", () => {
  const body = new Uint8Array(300_000).fill(9);
  const writer = new FrameWriter(LIMIT);
  write(writer, { message: 1, number: 1, remainingMs: 0, trace: undefined, body });
  const chunks = writer.take();
  assert(chunks.includes(body));
  const [content] = decode(concatBytes(...chunks), () => 65_536);
  assertEquals(content!.body.buffer.byteLength, body.length + 22);
});

Deno.test("a small piece keeps at most a slab alive, not the read buffer or a large frame", () => {
  const reader = new FrameReader(LIMIT);
  const writer = new FrameWriter(LIMIT);
  for (const size of [100, 200_000]) {
    writer.begin(1, 1, 0);
    writer.bytes(new Uint8Array(16));
    writer.bytes(new Uint8Array(size));
    writer.end();
  }
  const stream = concatBytes(...writer.take());
  const pieces: Uint8Array[] = [];
  for (let at = 0; at < stream.length;) {
    const space = reader.space();
    const count = Math.min(space.length, stream.length - at);
    space.set(stream.subarray(at, at + count));
    reader.fed(count);
    at += count;
    for (let frame = reader.next(); frame; frame = reader.next()) pieces.push(frame.bytes(16));
  }
  assertEquals(pieces.length, 2);
  for (const piece of pieces) assert(piece.buffer.byteLength <= 4096);
});

Deno.test("the buffer is used again after it was written, and never while a taken chunk is unwritten", () => {
  const writer = new FrameWriter(LIMIT);
  const body = new Uint8Array(10).fill(1);
  const one = { message: 1, number: 1, remainingMs: 0, trace: undefined, body };
  write(writer, one);
  const [first] = writer.take();
  const before = first!.slice();
  write(writer, { ...one, number: 2 });
  writer.written(); // the second gathered behind the first
  assertEquals(first, before);
  const [second] = writer.take();
  writer.written();
  write(writer, { ...one, number: 3 });
  assertEquals(writer.take()[0]!.buffer, second!.buffer);
});

// --- messages of several frames ---------------------------------------------------------------------------

const FRAME = 300;
const MESSAGE = 5_000;

/** What is read of these contents, written in frames of 300 bytes, arriving in pieces of these sizes. */
function throughSmallFrames(contents: readonly Content[], size: () => number): Content[] {
  const writer = new FrameWriter(FRAME, MESSAGE);
  for (const each of contents) assert(write(writer, each));
  const sizeBytes = writer.sizeBytes;
  const stream = concatBytes(...writer.take());
  assertEquals(stream.length, sizeBytes);
  return decode(stream, size, new FrameReader(FRAME, crc32c, MESSAGE));
}

const sized = (size: number, number = 7): Content => ({
  message: 9,
  number,
  remainingMs: 3,
  trace: undefined,
  body: Uint8Array.from({ length: size }, (_, i) => i * 7),
});

Deno.test("a message larger than a frame comes back whole, beside small ones, however the stream is split", () => {
  const some = fc.tuple(content, fc.integer({ min: 0, max: MESSAGE - 47 })).map(([each, size]) => {
    return { ...each, body: sized(size).body };
  });
  fc.assert(
    fc.property(fc.array(some, { maxLength: 8 }), fc.infiniteStream(fc.nat(700)), (contents, sizes) => {
      assertEquals(throughSmallFrames(contents, () => sizes.next().value! + 1), contents);
    }),
    { numRuns: 200 },
  );
  for (let size = FRAME - 30; size < 2 * FRAME; size++) { // around every edge
    assertEquals(throughSmallFrames([sized(size), sized(3)], () => 64), [sized(size), sized(3)]);
  }
});

Deno.test("a message of several large frames is cut without copying its parts", () => {
  const parts = [1, 2, 3].map((fill) => new Uint8Array(400_000).fill(fill));
  const writer = new FrameWriter(LIMIT, 4 * LIMIT);
  write(writer, sized(10));
  writer.begin(5, 8, 9, new Uint8Array(25).fill(6));
  writer.u8(1);
  for (const part of parts) writer.bytes(part);
  assert(writer.end());
  write(writer, sized(10));
  const chunks = writer.take();
  assert(
    chunks.every(({ buffer, length }) => length < 70_000 || parts.some((part) => part.buffer === buffer)),
  );
  const [, large, last] = decode(
    concatBytes(...chunks),
    () => 50_000,
    new FrameReader(LIMIT, crc32c, 4 * LIMIT),
  );
  assert(equalBytes(large!.body, concatBytes(Uint8Array.of(1), ...parts)));
  assertEquals([large!.number, large!.remainingMs, large!.trace], [8, 9, new Uint8Array(25).fill(6)]);
  assertEquals(last, sized(10));
});

Deno.test("a message over the limit is not written, and refused before the frame that goes over it is held", () => {
  const writer = new FrameWriter(FRAME, MESSAGE);
  assert(!write(writer, sized(MESSAGE - 21)));
  assertEquals(writer.sizeBytes, 0);
  assert(write(writer, sized(MESSAGE - 22)));
  const stream = concatBytes(...writer.take());
  const error = assertThrows(
    () => decode(stream, () => 64, new FrameReader(FRAME, crc32c, MESSAGE - 1)),
    WireError,
  );
  assertEquals(error.code, "bad-length");
  assertEquals(decode(stream, () => 64, new FrameReader(FRAME, crc32c, MESSAGE)).length, 1);
  // Where no message may take several frames, the second is refused by its length alone.
  const strict = new FrameReader(FRAME);
  assertThrows(() => decode(stream.subarray(0, FRAME + 8), () => 64, strict), WireError, "a message of");
});

/** A frame of its own, with these flags. */
function frameWith(flags: number, each: Content): Uint8Array<ArrayBuffer> {
  const bytes = encode([each]);
  bytes[9]! |= flags;
  new DataView(bytes.buffer).setUint32(4, crc32c(bytes.subarray(8)));
  return bytes;
}

Deno.test("frames of a message that are not full, or of another message, are refused", () => {
  const full = frameWith(2, sized(FRAME - 22));
  const refused = (...frames: Uint8Array[]) => {
    const reader = new FrameReader(FRAME, crc32c, MESSAGE);
    return assertThrows(() => decode(concatBytes(...frames), () => 99, reader), WireError).code;
  };
  // Frames of a byte each would cost their receiver a hundred times what they cost their sender.
  assertEquals(refused(frameWith(2, sized(1))), "bad-flags");
  assertEquals(refused(full, frameWith(0, sized(5, 8))), "unexpected-message");
  assertEquals(refused(full, frameWith(0, { ...sized(5), message: 8 })), "unexpected-message");
  assertEquals(refused(full, frameWith(0, { ...sized(5), trace: new Uint8Array(25) })), "bad-flags");
  assertEquals(refused(full, frameWith(4, sized(5))), "bad-flags");
});
