import { concatBytes, encodeUtf8 } from "../actors/runtime/bytes.ts";
import { crc32c } from "../actors/runtime/crc32c.ts";
import { type Network, NetworkError } from "../actors/runtime/environment.ts";
import { LIMITS } from "../actors/runtime/limits.ts";
import { assert, assertEquals, assertMatch, assertRejects } from "../actors/runtime/testing/assert.ts";
import { Simulation } from "../actors/simulated/simulation.ts";
import type { Channel } from "./channel.ts";
import { Client } from "./client.ts";
import { DenamoError } from "./client_errors.ts";
import type { Frame } from "./frame.ts";
import { FrameReader } from "./frame_reader.ts";
import { FrameWriter } from "./frame_writer.ts";
import { HELLO, PING, PONG, PROTOCOL_VERSION, REFUSED, WELCOME } from "./messages/handshake.ts";
import { type Message, readMessage, writeMessage } from "./messages/message.ts";
import { DONE, FAILED, GET, GOT, PUT, type PutBody } from "./messages/requests.ts";
import {
  addressOf,
  clientOf,
  cluster,
  dial,
  readAll,
  ringOf,
  shaken,
  TestNode,
  writeAll,
} from "./testing/harness.ts";

const key = encodeUtf8("k");

function putOf(value: Uint8Array | null, changes: Partial<PutBody> = {}): PutBody {
  const checksum = value ? crc32c(value) : 0;
  const fixed = { context: null, w: 0, requestId: "ab".repeat(16), forwarded: false };
  return { key, value, crc32c: checksum, ...fixed, ...changes };
}

function bytesOf<T>(message: Message<T>, number: number, body: T): Uint8Array<ArrayBuffer> {
  const writer = new FrameWriter(LIMITS.frameBytes);
  assert(writeMessage(writer, message, { number }, body));
  return concatBytes(...writer.take());
}

const HELLO_CLIENT = bytesOf(HELLO, 0, { magic: true, version: PROTOCOL_VERSION, facts: null });

/** What the frames in `bytes` say. */
function framesIn(bytes: Uint8Array): { message: number; number: number; size: number }[] {
  const reader = new FrameReader(LIMITS.frameBytes);
  const found = [];
  for (let at = 0; at < bytes.length;) {
    const space = reader.space();
    const count = Math.min(space.length, bytes.length - at);
    space.set(bytes.subarray(at, at + count));
    reader.fed(count);
    at += count;
    for (let frame = reader.next(); frame; frame = reader.next()) {
      found.push({ message: frame.message, number: frame.number, size: frame.left });
    }
  }
  return found;
}

let exchanged = 0;

/** Send one message and read the next frame. */
async function exchange<T, U>(
  simulation: Simulation,
  channel: Channel,
  [message, body]: [Message<T>, T],
  read: (frame: Frame) => U,
): Promise<U> {
  const number = ++exchanged;
  channel.send(message, { number, remainingMs: 1000 }, body);
  const frame = await simulation.complete(channel.receive());
  assert(frame, `closed: ${channel.closed}`);
  assertEquals(frame.number, number);
  return read(frame);
}

const failed = (frame: Frame) => readMessage(FAILED, frame);

Deno.test("FAULTS 1: a frame of 2^32 - 1 bytes closes the connection, before and after the handshake", async () => {
  const { simulation } = await cluster(1);
  const before = await dial(simulation, 1);
  await writeAll(before, new Uint8Array(64).fill(255));
  assertEquals(await simulation.complete(readAll(before)), new Uint8Array(0));
  const after = await dial(simulation, 1);
  await writeAll(after, HELLO_CLIENT);
  await simulation.runFor(10);
  await writeAll(after, new Uint8Array(8).fill(255));
  const answers = framesIn(await simulation.complete(readAll(after)));
  assertEquals(answers.map(({ message }) => message), [WELCOME.number]);
});

Deno.test("a frame over 4 KiB is refused while the handshake lasts", async () => {
  const { simulation } = await cluster(1);
  const connection = await dial(simulation, 1);
  await writeAll(connection, bytesOf(PUT, 1, putOf(new Uint8Array(5000))));
  assertEquals(await simulation.complete(readAll(connection)), new Uint8Array(0));
});

Deno.test("FAULTS 9: keys that are not UTF-8, with NUL, CR LF, are byte-exact", async () => {
  const { simulation, nodes } = await cluster(1);
  const client = await clientOf(simulation, 1);
  const odd = Uint8Array.of(0, 13, 10, 0xff, 0xc0, 0x80);
  await simulation.complete(client.put(odd, odd));
  const [request] = nodes[0]!.heard("coordinator.put") as [{ key: Uint8Array; value: Uint8Array }];
  assertEquals([request.key, request.value], [odd, odd]);
});

Deno.test("FAULTS 10: an empty key, a key or value a byte over the limit: a clear error, the connection kept", async () => {
  const { simulation, nodes } = await cluster(1);
  const channel = await shaken(simulation, 1);
  const empty = await exchange(simulation, channel, [GET, { key: new Uint8Array(0), r: 0 }], failed);
  assertEquals([empty.code, empty.definite], ["bad-request", true]);
  const longKey = new Uint8Array(LIMITS.keyBytes + 1);
  for (const long of [[GET, { key: longKey, r: 0 }], [PUT, putOf(key, { key: longKey })]] as const) {
    const answer = await exchange(simulation, channel, long as [Message<unknown>, unknown], failed);
    assertEquals([answer.code, answer.message], ["too-large", "the key has 1025 bytes, the limit is 1024"]);
  }
  const large = await exchange(
    simulation,
    channel,
    [PUT, putOf(new Uint8Array(LIMITS.valueBytes + 1))],
    failed,
  );
  assertEquals(large.message, "the value has 8388609 bytes, the limit is 8388608");
  assertEquals(nodes[0]!.seen, []);
  for (
    const fits of [
      putOf(key, { key: new Uint8Array(LIMITS.keyBytes) }),
      putOf(new Uint8Array(LIMITS.valueBytes)),
    ]
  ) {
    await exchange(simulation, channel, [PUT, fits], (frame) => readMessage(DONE, frame));
  }
});

Deno.test("a value that does not match its CRC-32C is refused at the door", async () => {
  const { simulation, nodes } = await cluster(1);
  const channel = await shaken(simulation, 1);
  for (const put of [putOf(key, { crc32c: 1 }), putOf(null, { crc32c: 1 })]) {
    const answer = await exchange(simulation, channel, [PUT, put], failed);
    assertEquals([answer.code, answer.message], ["bad-request", "the value does not match its CRC-32C"]);
  }
  assertEquals(nodes[0]!.seen, []);
});

Deno.test("FAULTS 11: a session delivered one byte at a time, or split anywhere, has the same answers", async () => {
  const session = concatBytes(
    HELLO_CLIENT,
    bytesOf(PUT, 1, putOf(encodeUtf8("some value"))),
    bytesOf(GET, 2, { key, r: 1 }),
    bytesOf(PING, 3, null),
  );
  const answers = async (pieces: readonly Uint8Array[]) => {
    const { simulation, nodes } = await cluster(1);
    const connection = await dial(simulation, 1);
    const all = readAll(connection);
    for (const piece of pieces) {
      await writeAll(connection, piece);
      await simulation.runFor(0.1);
    }
    await simulation.runFor(100);
    connection.close();
    const seen = nodes[0]!.seen.map(({ what }) => what);
    const frames = framesIn(await simulation.complete(all)).map(({ number, message }) => [number, message]);
    return { seen, frames: frames.sort(([a], [b]) => a! - b!) }; // answers come in any order
  };
  const whole = await answers([session]);
  assertEquals(whole.seen, ["coordinator.put", "coordinator.get"]);
  assertEquals(whole.frames.length, 4);
  assertEquals(await answers(Array.from(session, (byte) => Uint8Array.of(byte))), whole);
  for (let at = 1; at < session.length; at += 7) {
    assertEquals(await answers([session.subarray(0, at), session.subarray(at)]), whole);
  }
});

Deno.test("FAULTS 12: 10,000 pipelined requests to a client that reads nothing: output bounded, reading paused", async () => {
  const { simulation, nodes: [node] } = await cluster(1);
  const value = new Uint8Array(10_000).fill(1);
  node!.answers.get = () => ({ ok: true, values: [{ value, crc32c: crc32c(value) }], context: key });
  const connection = await dial(simulation, 1);
  const requests = Array.from({ length: 10_000 }, (_, i) => bytesOf(GET, i + 1, { key, r: 0 }));
  let written = false;
  const writing = writeAll(connection, concatBytes(HELLO_CLIENT, ...requests)).then(() => written = true);
  await simulation.runFor(2000);
  const handled = node!.seen.length;
  const mostBytes = LIMITS.clientOutputBytes + LIMITS.requestsPerConnection * 10_100 + (4 << 20);
  assert(handled * 10_000 < mostBytes && handled < 10_000, `${handled} handled`);
  // Now it reads, and gets everything.
  const buffer = new Uint8Array(1 << 16);
  const reader = new FrameReader(LIMITS.frameBytes);
  const numbers: number[] = [];
  const reading = (async () => {
    while (numbers.length < 10_001) {
      const count = await connection.read(buffer);
      assert(count !== null);
      for (let at = 0; at < count;) {
        const space = reader.space();
        const some = Math.min(space.length, count - at);
        space.set(buffer.subarray(at, at + some));
        reader.fed(some);
        at += some;
        for (let frame = reader.next(); frame; frame = reader.next()) numbers.push(frame.number);
      }
    }
  })();
  await simulation.complete(reading);
  await writing;
  assert(written);
  assertEquals(numbers, Array.from({ length: 10_001 }, (_, i) => i));
});

Deno.test("requests under way on one connection are bounded: the node stops reading", async () => {
  const { simulation, nodes: [node] } = await cluster(1);
  node!.answers.get = () => null;
  const channel = await shaken(simulation, 1);
  for (let i = 1; i <= 3000; i++) channel.send(GET, { number: i, remainingMs: 500 }, { key, r: 0 });
  await simulation.runFor(400);
  assertEquals(node!.seen.length, LIMITS.firstRequests);
  // Past their deadlines they are answered for a coordinator that forgot them, and reading goes on.
  await simulation.runFor(20_000);
  assertEquals(node!.seen.length, 3000);
});

Deno.test("large answers leave room for few requests under way on their connection", async () => {
  const { simulation, nodes: [node] } = await cluster(1);
  const value = new Uint8Array(1 << 20);
  const channel = await shaken(simulation, 1);
  const reading = channel.run(() => {});
  node!.answers.get = () => ({ ok: true, values: [{ value, crc32c: crc32c(value) }], context: key });
  channel.send(GET, { number: 1, remainingMs: 500 }, { key, r: 0 });
  await simulation.runFor(100);
  node!.answers.get = () => null;
  for (let i = 2; i <= 100; i++) channel.send(GET, { number: i, remainingMs: 500 }, { key, r: 0 });
  await simulation.runFor(100);
  assertEquals(node!.seen.length, 1 + LIMITS.clientOutputBytes / value.length);
  channel.close("done");
  await simulation.complete(reading);
});

Deno.test("FAULTS 13: half-open and idle connections are closed", async () => {
  const { simulation, nodes: [node] } = await cluster(1);
  const silent = await dial(simulation, 1); // never says hello
  const idle = await shaken(simulation, 1);
  await simulation.runFor(LIMITS.handshakeMs + 100);
  assertEquals(await simulation.complete(readAll(silent)), new Uint8Array(0));
  const describe = () => simulation.complete(node!.door.ask("describe", {}, { timeoutMs: 100 }));
  assertEquals((await describe()).clients, 1);
  simulation.network.cut("c", "n1"); // the client's machine is unplugged: nothing ever arrives
  idle.close("");
  await simulation.runFor(LIMITS.idleMs + 2 * LIMITS.pingMs);
  assertEquals((await describe()).clients, 0);
});

Deno.test("FAULTS 15: a client that goes away in mid-write has written nothing", async () => {
  const { simulation, nodes: [node] } = await cluster(1);
  const put = bytesOf(PUT, 1, putOf(new Uint8Array(200_000)));
  for (const size of [4, 30, 1000, put.length - 1]) {
    const connection = await dial(simulation, 1);
    await writeAll(connection, concatBytes(HELLO_CLIENT, put.subarray(0, size)));
    connection.close();
    await simulation.runFor(100);
  }
  assertEquals(node!.seen, []);
});

Deno.test("FAULTS 16: garbage, a TLS hello, HTTP: closed, and the next client is served", async () => {
  const { simulation, nodes: [node] } = await cluster(1);
  const random = simulation.random;
  const garbage = Array.from(
    { length: 20 },
    () => Uint8Array.from({ length: 300 }, () => random.integer(256)),
  );
  const tls = Uint8Array.of(0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3, ...new Uint8Array(500));
  const http = encodeUtf8("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
  for (const bytes of [...garbage, tls, http, new Uint8Array(100)]) {
    const connection = await dial(simulation, 1);
    await writeAll(connection, bytes);
    assertEquals(await simulation.complete(readAll(connection)), new Uint8Array(0));
  }
  const client = await clientOf(simulation, 1);
  await simulation.complete(client.put("k", "v"));
  assertEquals(node!.seen.length, 1);
});

Deno.test("a whole frame that is no hello is told so", async () => {
  const { simulation } = await cluster(1);
  const connection = await dial(simulation, 1);
  const hello = HELLO_CLIENT.slice();
  hello[22] = 0x58;
  new DataView(hello.buffer).setUint32(4, crc32c(hello.subarray(8)));
  await writeAll(connection, hello);
  const answer = await simulation.complete(readAll(connection));
  assertEquals(framesIn(answer)[0]!.message, REFUSED.number);
  assertEquals(answer[22], 0);
});

Deno.test("FAULTS 18: out of file descriptors: old connections are served, accepting resumes", async () => {
  const simulation = new Simulation({ seed: 3 });
  const environment = simulation.environment("n1");
  let exhausted = 0;
  const network: Network = {
    connect: (endpoint, timeoutMs) => environment.network.connect(endpoint, timeoutMs),
    async listen(endpoint) {
      const inner = await environment.network.listen(endpoint);
      return {
        endpoint: inner.endpoint,
        close: () => inner.close(),
        accept: () =>
          exhausted-- > 0
            ? Promise.reject(new NetworkError("exhausted", "too many open files"))
            : inner.accept(),
      };
    },
  };
  const node = new TestNode(1, { ...environment, network });
  await simulation.complete(node.start());
  const old = await clientOf(simulation, 1);
  exhausted = 10; // the accept under way is the last good one
  await clientOf(simulation, 1);
  const late = Client.connect(addressOf(1), { environment: simulation.environment("c") });
  await simulation.runFor(300);
  await simulation.complete(old.put("k", "v"));
  await simulation.complete(late.then((client) => client.put("k", "v")));
  assertEquals(node.seen.length, 2);
  assert(exhausted <= 0);
});

Deno.test("clients over the limit are refused by name; peers still come in", async () => {
  const simulation = new Simulation({ seed: 1 });
  const { nodes: [node] } = await cluster(1, simulation);
  const { network } = simulation.environment("c");
  for (let i = 0; i < LIMITS.connections; i += 64) {
    const connecting = Array.from({ length: 64 }, () => network.connect({ host: "n1", port: 3001 }, 1000));
    for (const connection of await simulation.complete(Promise.all(connecting))) {
      await writeAll(connection, HELLO_CLIENT);
    }
  }
  await simulation.runFor(100);
  const { clients } = await simulation.complete(node!.door.ask("describe", {}, { timeoutMs: 100 }));
  assertEquals(clients, LIMITS.connections);
  const error = await assertRejects(() => clientOf(simulation, 1), DenamoError);
  assertMatch(error.message, /too-many-connections/);
  const peer = await simulation.complete(new TestNode(2, simulation.environment("n2")).start());
  peer.send(1, "replica_store", "read", { partition: 1, epoch: 1, key, ticket: 5 });
  await simulation.runFor(100);
  assertEquals(node!.heard("replica_store.read").length, 1);
});

Deno.test("a coordinator that is not there or full is a definite failure at once", async () => {
  const simulation = new Simulation({ seed: 1 });
  const full = { coordinator: true, mailbox: 100 };
  const node = new TestNode(1, simulation.environment("n1"), {}, ringOf(3), {}, full);
  await simulation.complete(node.start());
  const channel = await shaken(simulation, 1);
  const before = await exchange(simulation, channel, [PUT, putOf(key)], (frame) => frame.message);
  assertEquals(before, DONE.number);
  for (let number = 1; number <= 1000; number++) channel.send(GET, { number }, { key, r: 0 });
  const codes = new Map<number, number>();
  const count = ({ message }: Frame) => void codes.set(message, (codes.get(message) ?? 0) + 1);
  void channel.run(count);
  await simulation.runFor(100);
  assertEquals((codes.get(GOT.number) ?? 0) + (codes.get(FAILED.number) ?? 0), 1000);
  assert(codes.get(FAILED.number)! > 0 && codes.get(GOT.number)! >= 100);
  const { inFlight } = await simulation.complete(node.door.ask("describe", {}, { timeoutMs: 100 }));
  assertEquals(inFlight, 0);

  const bare = new TestNode(2, simulation.environment("n2"), {}, ringOf(3), {}, { coordinator: false });
  await simulation.complete(bare.start());
  const refused = await exchange(simulation, await shaken(simulation, 2), [PUT, putOf(key)], failed);
  assertEquals([refused.code, refused.definite], ["unavailable", true]);
});

Deno.test("a write that the network repeats is taken once; sent again, it is taken again", async () => {
  const { simulation, nodes: [node] } = await cluster(1);
  const channel = await shaken(simulation, 1);
  const put = (number: number, remainingMs: number) => channel.send(PUT, { number, remainingMs }, putOf(key));
  put(1, 700);
  put(1, 700);
  await simulation.runFor(10);
  assertEquals(node!.heard("coordinator.put").length, 1);
  put(1, 600);
  put(2, 700);
  await simulation.runFor(10);
  assertEquals(node!.heard("coordinator.put").length, 3);
});

Deno.test("deadlines travel as time left and are capped", async () => {
  const { simulation, nodes: [node] } = await cluster(1);
  simulation.clock("n1").skewMs = 1e9;
  const channel = await shaken(simulation, 1);
  for (const remainingMs of [0, 700, 0xffff_ffff]) {
    channel.send(GET, { number: 1, remainingMs }, { key, r: 0 });
  }
  await simulation.runFor(10);
  const now = node!.environment.clock.now();
  const left = node!.heard("coordinator.get").map((body) => (body as { deadline: number }).deadline - now);
  const expected = [LIMITS.defaultDeadlineMs, 700, LIMITS.deadlineMs];
  left.forEach((ms, i) => assert(ms > expected[i]! - 20 && ms <= expected[i]!, `${ms}`));
});

Deno.test("draining: what was taken is answered, what comes then is refused, and then everyone is let go", async () => {
  const { simulation, nodes: [node] } = await cluster(1);
  const waiting: (() => void)[] = [];
  node!.answers.get = ({ origin, ticket }) => {
    const outcome = { ok: true, values: [], context: key } as const;
    waiting.push(() =>
      node!.system.ref<{ answer: [unknown, void] }>(origin).tell("answer", { ticket, outcome })
    );
    return null;
  };
  const channel = await shaken(simulation, 1);
  channel.send(GET, { number: 1, remainingMs: 5000 }, { key, r: 0 });
  await simulation.runFor(10);
  const drain = () => simulation.complete(node!.door.ask("drain", {}, { timeoutMs: 100 }));
  assertEquals(await drain(), { waiting: 1 });
  const answer = await exchange(simulation, channel, [PUT, putOf(key)], failed);
  assertEquals([answer.code, answer.definite], ["stopping", true]);
  await assertRejects(() => clientOf(simulation, 1), DenamoError);
  waiting[0]!();
  const frame = await simulation.complete(channel.receive());
  assertEquals(readMessage(GOT, frame!).context, key);
  await simulation.runFor(10);
  assertEquals(await drain(), { waiting: 0 });
  assertEquals(await simulation.complete(channel.receive()), null);
});

Deno.test("port 0 is resolved once and kept when the actor is restarted; clients come back", async () => {
  const simulation = new Simulation({ seed: 1 });
  const ports: number[] = [];
  const node = new TestNode(1, simulation.environment("n1"), {}, ringOf(3), {
    endpoint: { host: "n1", port: 0 },
    onListening: ({ port }) => void ports.push(port),
  });
  await simulation.complete(node.start());
  node.system.crash("listener");
  await simulation.runFor(2000);
  assertEquals(ports.length, 2);
  assert(ports[0] === ports[1] && ports[0] !== 0);
});

Deno.test("a socket that is bound already is taken, and bound anew after a restart", async () => {
  const simulation = new Simulation({ seed: 1 });
  const environment = simulation.environment("n1");
  const socket = await environment.network.listen({ host: "n1", port: 0 });
  const ports: number[] = [];
  const onListening = ({ port }: { port: number }) => void ports.push(port);
  const node = new TestNode(1, environment, {}, ringOf(3), { socket, onListening });
  await simulation.complete(node.start());
  node.system.crash("listener");
  await simulation.runFor(2000);
  assertEquals(ports, [socket.endpoint.port, socket.endpoint.port]);
});

Deno.test("a port in use is a clear error", async () => {
  const { simulation } = await cluster(1);
  const second = new TestNode(1, simulation.environment("n2"));
  const error = await assertRejects(() => simulation.complete(second.start()));
  assertMatch(error.message, /cannot listen on n1:3001: the port is in use/);
});

Deno.test("questions to the operator: answered, and refused when they make no sense", async () => {
  const { simulation } = await cluster(1);
  const client = await clientOf(simulation, 1);
  assertEquals(await simulation.complete(client.admin("status", {})) as unknown, { state: "serving" });
  const question = { key: encodeUtf8("foo"), timeoutMs: 100 };
  assertEquals(await simulation.complete(client.admin("explain", question)) as unknown, question);
  const wrong = client.admin("explain", { key: new Uint8Array(0), timeoutMs: 100 });
  const error = await assertRejects(() => simulation.complete(wrong), DenamoError);
  assertEquals([error.code, error.definite], ["bad-request", true]);
  const none = client.admin("constructor" as "status", {});
  assertEquals((await assertRejects(() => simulation.complete(none), DenamoError)).code, "bad-request");
});

Deno.test("ping is answered with its number", async () => {
  const { simulation } = await cluster(1);
  const channel = await shaken(simulation, 1);
  await exchange(simulation, channel, [PING, null], (frame) => readMessage(PONG, frame));
});
