import type { ReplicaRead } from "../actors/replica_store/protocol.ts";
import type { PutRequest } from "../actors/coordinator/protocol.ts";
import { encodeUtf8 } from "../actors/runtime/bytes.ts";
import type { Connection, Network } from "../actors/runtime/environment.ts";
import { LIMITS } from "../actors/runtime/limits.ts";
import { AskError, type Envelope } from "../actors/runtime/protocol.ts";
import { assert, assertEquals, assertRejects, assertThrows } from "../actors/runtime/testing/assert.ts";
import { Simulation } from "../actors/simulated/simulation.ts";
import { Channel } from "./channel.ts";
import { greet, HandshakeRefused } from "./greet.ts";
import type { NodeFacts } from "./handshake.ts";
import { CONTROL } from "./messages/control.ts";
import { READ, READ_ANSWER, WRITE } from "./messages/replicas.ts";
import { HELLO, PROTOCOL_VERSION, REFUSED } from "./messages/handshake.ts";
import { type Message, readMessage } from "./messages/message.ts";
import { GET, GOT } from "./messages/requests.ts";
import { addressOf, cluster, dial, type EchoProtocol, idOf, ringOf, TestNode } from "./testing/harness.ts";

const key = encodeUtf8("k");
const place = { partition: 65535, epoch: 7 };

async function statusOf(simulation: Simulation, node: TestNode) {
  return await simulation.complete(node.peers.ask("describe", {}, { timeoutMs: 100 }));
}

Deno.test("what coordinators and replicas tell each other arrives, under the sender's own name", async () => {
  const { simulation, nodes: [a, b] } = await cluster(2);
  const forged = idOf(9); // whatever the body says, the connection decides
  const trace = new Uint8Array(25).fill(4);
  const deadline = a!.environment.clock.now() + 500;
  const origin = { node: forged, actor: "nobody" };
  const value = new Uint8Array(200_000).fill(5);
  const put = { key, value, crc32c: 1, context: key, w: 2, requestId: "ab".repeat(16), forwarded: true };
  a!.send(2, "replica_store", "read", { ...place, key, ticket: 1, from: forged, deadline });
  a!.send(2, "replica_store", "write", { ...place, stamp: 3, key, object: value, ticket: 2, from: forged });
  a!.send(2, "coordinator", "replicaRead", {
    ticket: 3,
    replica: forged,
    answer: { ok: true, object: key, stamp: 3 },
  });
  a!.send(2, "coordinator", "replicaWrote", { ticket: 4, replica: forged, answer: { ok: true } });
  a!.send(2, "coordinator", "put", { origin, ticket: 6, deadline, trace, ...put });
  await simulation.runFor(100);
  const from = idOf(1);
  const [asked] = b!.heard("replica_store.read") as [ReplicaRead];
  assertEquals({ ...asked, deadline: 0 }, { ...place, key, ticket: 1, from, deadline: 0 });
  assert(Math.abs(asked.deadline - b!.environment.clock.now() - 500) < 150);
  assertEquals(b!.heard("replica_store.write"), [{
    ...place,
    stamp: 3,
    key,
    object: value,
    ticket: 2,
    from,
  }]);
  const read = { ticket: 3, replica: from, answer: { ok: true, object: key, stamp: 3 } };
  assertEquals(b!.heard("coordinator.replicaRead"), [read]);
  assertEquals(b!.heard("coordinator.replicaWrote"), [{ ticket: 4, replica: from, answer: { ok: true } }]);
  const asker = { node: from, actor: "coordinator" };
  const [wrote] = b!.heard("coordinator.put") as [PutRequest];
  assertEquals({ ...wrote, deadline: 0 }, { ...put, deadline: 0, origin: asker, ticket: 6, trace });
  assert(Math.abs(wrote.deadline - b!.environment.clock.now() - 500) < 150);
  // The answer of the faked coordinator comes back to the one that forwarded.
  assertEquals(a!.heard("coordinator.answer"), [{ ticket: 6, outcome: { ok: true } }]);
});

Deno.test("actors ask each other across nodes; replies are checked", async () => {
  const { simulation, nodes: [a, b] } = await cluster(2);
  const echo = a!.system.ref<EchoProtocol>({ node: idOf(2), actor: "echo" });
  const question = { n: 3, bytes: Uint8Array.of(1, 2) };
  assertEquals(await simulation.complete(echo.ask("echo", question, { timeoutMs: 100 })), question);
  echo.tell("shout", { n: 1 });
  await simulation.runFor(10);
  assertEquals(b!.heard("echo.shout"), [{ n: 1 }]);
  await simulation.complete(b!.system.stop());
  const error = await assertRejects(
    () => simulation.complete(echo.ask("echo", question, { timeoutMs: 100 })),
    AskError,
  );
  assert(error.code === "unreachable" || error.code === "timeout", error.code);
});

Deno.test("a message that is not in the registry never leaves, and from outside never arrives", async () => {
  const { simulation, nodes: [a, b] } = await cluster(2);
  const echo = a!.system.ref<EchoProtocol>({ node: idOf(2), actor: "echo" });
  assertThrows(() => echo.tell("local", {}), RangeError, "not sent between nodes");
  // A peer that has no such scruples:
  const channel = new Channel(await dial(simulation, 2), simulation.environment("c").clock);
  await simulation.complete(greet(channel, { ...a!.facts, nodeId: idOf(3) }));
  const control = { to: "echo", from: "echo", body: { n: 1 } };
  const replica = { to: "replica_store", kind: "mint", from: "", body: {} };
  for (const kind of ["local", "constructor", "__proto__", ""]) {
    channel.send(CONTROL, { number: 0 }, { ...control, kind });
  }
  channel.send(CONTROL, { number: 0 }, { ...control, kind: "shout", body: { n: "one" } });
  channel.send(CONTROL, { number: 9 }, { ...control, kind: "shout" }); // a tell, asked
  channel.send(CONTROL, { number: 0 }, replica);
  await simulation.runFor(10);
  assertEquals(b!.seen, []);
  channel.send(CONTROL, { number: 0 }, { ...control, kind: "shout" });
  await simulation.runFor(10);
  assertEquals(b!.heard("echo.shout"), [{ n: 1 }]);
});

Deno.test("a peer that sends a client's messages is hung up on: reads are not handed on", async () => {
  for (
    const [message, body] of [[GET, { key, r: 1 }], [GOT, { ok: true, values: [], context: key }]] as const
  ) {
    const { simulation, nodes: [a, b] } = await cluster(2);
    const channel = new Channel(await dial(simulation, 2), simulation.environment("c").clock);
    await simulation.complete(greet(channel, { ...a!.facts, nodeId: idOf(3) }));
    channel.send(message as Message<unknown>, { number: 1 }, body);
    assertEquals(await simulation.complete(channel.receive()), null);
    assertEquals(b!.seen, []);
  }
});

Deno.test("everything ready in one turn goes out in one write", async () => {
  const simulation = new Simulation({ seed: 1 });
  const writes: number[] = [];
  const environment = simulation.environment("n1");
  const counted = (inner: Connection): Connection => ({
    remote: inner.remote,
    read: (into) => inner.read(into),
    write: (bytes) => (writes.push(bytes.length), inner.write(bytes)),
    close: () => inner.close(),
  });
  const network: Network = {
    listen: (endpoint) => environment.network.listen(endpoint),
    connect: async (endpoint, timeoutMs) => counted(await environment.network.connect(endpoint, timeoutMs)),
  };
  const a = await simulation.complete(new TestNode(1, { ...environment, network }).start());
  const b = await simulation.complete(new TestNode(2, simulation.environment("n2")).start());
  const read = { ...place, key, ticket: 1, from: "" };
  a.send(2, "replica_store", "read", read);
  await simulation.runFor(10);
  writes.length = 0;
  for (let i = 0; i < 500; i++) assert(a.send(2, "replica_store", "read", read));
  await simulation.runFor(10);
  assertEquals(b.heard("replica_store.read").length, 501);
  assert(writes.length <= 2, `${writes.length} writes`);
});

Deno.test("a connection that breaks is told at once and made again; what is sent meanwhile is refused", async () => {
  const simulation = new Simulation({ seed: 4 });
  const { nodes: [a] } = await cluster(2, simulation);
  const read = { ...place, key, ticket: 1, from: "" };
  a!.send(2, "replica_store", "read", read);
  await simulation.runFor(10);
  simulation.killNode("n2");
  await simulation.runFor(10);
  assertEquals(a!.events.map(([, event]) => event), ["connected", "lost"]);
  assertEquals(a!.send(2, "replica_store", "read", read), false);
  await simulation.runFor(10_000); // many dials fail
  const again = new TestNode(2, simulation.environment("n2"));
  await simulation.complete(again.start());
  await simulation.runFor(LIMITS.redialMaxMs + 10);
  assertEquals(a!.events.at(-1)![1], "connected");
  assert(a!.send(2, "replica_store", "read", read));
  await simulation.runFor(10);
  assertEquals(again.heard("replica_store.read").length, 1);
});

Deno.test("a member that comes back and dials is dialled at once", async () => {
  const simulation = new Simulation({ seed: 4 });
  const { nodes: [a] } = await cluster(2, simulation);
  const read = { ...place, key, ticket: 1, from: "" };
  a!.send(2, "replica_store", "read", read);
  await simulation.runFor(10);
  simulation.killNode("n2");
  await simulation.runFor(20_000);
  const again = await simulation.complete(new TestNode(2, simulation.environment("n2")).start());
  again.send(1, "replica_store", "read", read);
  await simulation.runFor(10);
  assertEquals(a!.events.at(-1)![1], "connected");
});

Deno.test("messages sent while the first dial is under way wait, and are reported lost when it fails", async () => {
  const simulation = new Simulation({ seed: 1 });
  const { nodes: [a] } = await cluster(1, simulation);
  const read = { ...place, key, ticket: 1, from: "" };
  for (let i = 0; i < 3; i++) assert(a!.send(2, "replica_store", "read", read));
  assertEquals(a!.send(77, "replica_store", "read", read), false); // no member
  await simulation.runFor(10);
  assertEquals(a!.events.map(([node, event]) => [node, event]), [[idOf(2), "lost"]]);
  const [status] = await statusOf(simulation, a!);
  assertEquals([status!.connected, status!.sent, status!.lost], [false, 0, 3]);
});

Deno.test("output to a peer is bounded: past the limit messages are refused and counted", async () => {
  const simulation = new Simulation({ seed: 1 });
  const { nodes: [a, b] } = await cluster(2, simulation);
  a!.send(2, "replica_store", "read", { ...place, key, ticket: 1, from: "" });
  await simulation.runFor(10);
  simulation.pauseNode("n2");
  const object = new Uint8Array(4 << 20);
  let taken = 0;
  while (a!.send(2, "replica_store", "write", { ...place, stamp: 0, key, object, ticket: 0, from: "" })) {
    taken++;
  }
  assertEquals(taken, Math.ceil(LIMITS.peerOutputBytes / object.length));
  const [status] = await statusOf(simulation, a!);
  assertEquals(status!.lost, 1);
  simulation.resumeNode("n2");
  await simulation.runFor(1000);
  assertEquals(b!.heard("replica_store.write").length, taken);
  assert(a!.send(2, "replica_store", "write", { ...place, stamp: 0, key, object, ticket: 0, from: "" }));
});

Deno.test("FAULTS 13: a half-open peer is noticed by silence, from both sides", async () => {
  const simulation = new Simulation({ seed: 1 });
  const { nodes: [a, b] } = await cluster(2, simulation);
  a!.send(2, "replica_store", "read", { ...place, key, ticket: 1, from: "" });
  await simulation.runFor(60_000); // idle, and kept: pings go to and fro
  assertEquals(a!.events.length, 1);
  simulation.network.partition(["n1"], ["n2"]);
  assert((await statusOf(simulation, a!))[0]!.connected);
  await simulation.runFor(LIMITS.peerMuteMs + LIMITS.pingMs);
  assertEquals([(await statusOf(simulation, a!))[0]!.connected, a!.events.length], [false, 1]); // not for sure
  await simulation.runFor(LIMITS.peerSilentMs - LIMITS.peerMuteMs + LIMITS.pingMs + 100);
  assertEquals(a!.events[1], [idOf(2), "lost", undefined]);
  const door = () => simulation.complete(b!.door.ask("describe", {}, { timeoutMs: 100 }));
  assertEquals((await door()).peers, 0);
  simulation.heal();
  await simulation.runFor(LIMITS.redialMaxMs + 3000);
  assertEquals([a!.events.at(-1)![1], (await door()).peers], ["connected", 1]);
});

Deno.test("an overloaded or missing actor on another node is answered at once", async () => {
  const simulation = new Simulation({ seed: 1 });
  const a = await simulation.complete(new TestNode(1, simulation.environment("n1")).start());
  const bare = { coordinator: false };
  const b = new TestNode(2, simulation.environment("n2"), {}, ringOf(3), {}, bare);
  await simulation.complete(b.start());
  const deadline = a.environment.clock.now() + 1000;
  const put = { key, value: null, crc32c: 0, context: null, w: 1, requestId: "ab".repeat(16) };
  const origin = { node: "", actor: "" };
  a.send(2, "coordinator", "put", { ...put, origin, ticket: 5, deadline, forwarded: true });
  await simulation.runFor(10);
  const [answer] = a.heard("coordinator.answer") as [
    { ticket: number; outcome: { ok: boolean; code: string } },
  ];
  assertEquals([answer.ticket, answer.outcome.ok, answer.outcome.code], [5, false, "unavailable"]);
});

Deno.test("the actor restarted: members are dialled again from the current ring", async () => {
  const simulation = new Simulation({ seed: 1 });
  const { nodes: [a, b] } = await cluster(2, simulation);
  const read = { ...place, key, ticket: 1, from: "" };
  a!.send(2, "replica_store", "read", read);
  await simulation.runFor(10);
  a!.system.crash("peers");
  await simulation.runFor(2000);
  assert(a!.send(2, "replica_store", "read", read));
  await simulation.runFor(10);
  assertEquals(b!.heard("replica_store.read").length, 2);
});

Deno.test("a new ring: members that left or moved are let go", async () => {
  const simulation = new Simulation({ seed: 1 });
  const { nodes: [a] } = await cluster(2, simulation);
  const read = { ...place, key, ticket: 1, from: "" };
  a!.send(2, "replica_store", "read", read);
  await simulation.runFor(10);
  a!.peers.tell("ring", { ring: ringOf(1) });
  await simulation.runFor(10);
  assertEquals(await statusOf(simulation, a!), []);
  assertEquals(a!.send(2, "replica_store", "read", read), false);
});

/** What node 1 says to a peer with these facts; null for a welcome. */
async function refusal(changes: Partial<NodeFacts>): Promise<string | null> {
  const { simulation, nodes: [node] } = await cluster(1);
  const channel = new Channel(await dial(simulation, 1), simulation.environment("c").clock);
  const facts = {
    ...node!.facts,
    nodeId: idOf(2),
    bootId: "b".repeat(16),
    address: addressOf(2),
    ...changes,
  };
  try {
    await simulation.complete(greet(channel, facts));
    return null;
  } catch (error) {
    assert(error instanceof HandshakeRefused, String(error));
    return error.refusal;
  }
}

Deno.test("FAULTS 53: another cluster, cluster id, partition count or N is refused by name", async () => {
  assertEquals(await refusal({}), null);
  assertEquals(await refusal({ cluster: "other" }), "cluster");
  assertEquals(await refusal({ clusterId: "d".repeat(32) }), "cluster-id");
  assertEquals(await refusal({ partitions: 16 }), "partitions");
  assertEquals(await refusal({ n: 2 }), "n");
  const { simulation, nodes: [node] } = await cluster(1);
  const channel = new Channel(await dial(simulation, 1), simulation.environment("c").clock);
  const facts = { ...node!.facts, nodeId: idOf(2), hash: "md5" };
  channel.send(HELLO, { number: 0 }, { magic: true, version: PROTOCOL_VERSION, facts });
  const frame = await simulation.complete(channel.receive());
  assertEquals(readMessage(REFUSED, frame!).code, "hash");
});

Deno.test("FAULTS 57: a removed node that returns is refused, and one that is connected is let go", async () => {
  const simulation = new Simulation({ seed: 1 });
  const removed = new Set<string>();
  const isRemoved = (id: string) => removed.has(id);
  const a = await simulation.complete(new TestNode(1, simulation.environment("n1"), { isRemoved }).start());
  const b = await simulation.complete(new TestNode(2, simulation.environment("n2")).start());
  const read = { ...place, key, ticket: 1, from: "" };
  b.send(1, "replica_store", "read", read);
  await simulation.runFor(10);
  assertEquals(b.events.at(-1)![1], "connected");
  removed.add(idOf(2));
  await simulation.runFor(LIMITS.pingMs - 500);
  b.send(1, "replica_store", "read", read);
  await simulation.runFor(1_000);
  assertEquals(a.heard("replica_store.read").length, 2, "what it had under way comes to its end");
  await simulation.runFor(LIMITS.pingMs);
  assertEquals(b.events.at(-1), [idOf(1), "refused", "removed"]);
  b.send(1, "replica_store", "read", read);
  await simulation.runFor(10);
  assertEquals(a.heard("replica_store.read").length, 2);
});

Deno.test("one that has left is answered for a while, and not dialled again", async () => {
  const simulation = new Simulation({ seed: 1 });
  const { nodes: [a, b] } = await cluster(2, simulation);
  const answer = { ticket: 1, replica: idOf(1), answer: { ok: true, object: null } };
  a!.send(2, "coordinator", "replicaRead", answer);
  await simulation.runFor(10);
  const ring = ringOf(2);
  a!.peers.tell("ring", { ring: { ...ring, members: ring.members.slice(0, 1), removed: [idOf(2)] } });
  await simulation.runFor(LIMITS.partingMs - 500);
  a!.send(2, "coordinator", "replicaRead", answer);
  await simulation.runFor(10);
  assertEquals(b!.heard("coordinator.replicaRead").length, 2);
  await simulation.runFor(1_000);
  assertEquals(a!.send(2, "coordinator", "replicaRead", answer), false);
  assertEquals(await simulation.complete(a!.peers.ask("describe", {}, { timeoutMs: 100 })), []);
});

Deno.test("FAULTS 52: two live nodes with one id: the second is refused, and there is an alarm", async () => {
  const simulation = new Simulation({ seed: 1 });
  const { nodes: [a, b] } = await cluster(2, simulation);
  const read = { ...place, key, ticket: 1, from: "" };
  b!.send(1, "replica_store", "read", read);
  await simulation.runFor(10_000);
  const copy = new TestNode(2, simulation.environment("n9"), {}, ringOf(3), {
    endpoint: { host: "n9", port: 3001 },
  });
  await simulation.complete(copy.start());
  copy.send(1, "replica_store", "read", read);
  await simulation.runFor(10);
  assertEquals(copy.events, [[idOf(1), "refused", "duplicate-id"]]);
  assertEquals(a!.duplicates, [idOf(2)]);
  assertEquals(a!.heard("replica_store.read").length, 1);
  // The copy also dials the original: that node hears its own id from another process.
  const twin = { ...ringOf(3).members[1]!, id: idOf(8) };
  copy.peers.tell("ring", { ring: { ...ringOf(3), members: [twin] } });
  copy.send(8, "replica_store", "read", read);
  await simulation.runFor(10);
  await simulation.complete(copy.peers.ask("describe", {}, { timeoutMs: 100 }));
  copy.send(8, "replica_store", "read", read);
  await simulation.runFor(10);
  assertEquals(b!.duplicates, [idOf(2)]);
});

Deno.test("a node that comes back after a power cut is let in once its old connection has gone silent", async () => {
  const simulation = new Simulation({ seed: 1 });
  const { nodes: [a, b] } = await cluster(2, simulation);
  const read = { ...place, key, ticket: 1, from: "" };
  b!.send(1, "replica_store", "read", read);
  await simulation.runFor(10);
  simulation.network.cut("n2", "n1"); // the reset of the dying process never arrives
  simulation.crashNode("n2");
  await simulation.runFor(1000);
  const channel = () => simulation.complete(dialAs(simulation, a!, "e".repeat(16)));
  await assertRejects(channel, HandshakeRefused, "duplicate-id");
  await simulation.runFor(2 * LIMITS.pingMs);
  assertEquals((await channel()).closed, null);
});

/** A handshake with node 1 as node 2's next life, from machine `c`. */
async function dialAs(simulation: Simulation, node: TestNode, bootId: string): Promise<Channel> {
  const { network, clock } = simulation.environment("c");
  const channel = new Channel(await network.connect({ host: "n1", port: 3001 }, 1000), clock);
  await greet(channel, { ...node.facts, nodeId: idOf(2), bootId });
  return channel;
}

/** A connection from machine `c` to node 1 as a node under this id, with a ring of this epoch. */
async function strangerTo(simulation: Simulation, node: TestNode, nodeId: string, epoch: number) {
  const { network, clock } = simulation.environment("c");
  const channel = new Channel(await network.connect({ host: "n1", port: 3001 }, 1000), clock);
  await greet(channel, { ...node.facts, nodeId, epoch });
  return channel;
}

Deno.test("FAULTS 56: who is not in the ring is refused, unless it may know a newer one", async () => {
  assertEquals(await refusal({ nodeId: idOf(9) }), "not-a-member");
  assertEquals(await refusal({ nodeId: idOf(9), epoch: 2 }), null);
  assertEquals(await refusal({ epoch: 0 }), null); // a member that was away
});

Deno.test("FAULTS 56: a stranger is heard only in what it tells of rings; as a member in everything", async () => {
  const simulation = new Simulation({ seed: 1 });
  const members = new Set([idOf(2)]);
  const delivered: string[] = [];
  const deliver = ({ to, kind }: Envelope) => (delivered.push(`${to.actor}.${kind}`), "sent" as const);
  const facts = { isMember: (id: string) => members.has(id) };
  const node = new TestNode(1, simulation.environment("n1"), facts, ringOf(3), { deliver });
  await simulation.complete(node.start());
  const channel = await simulation.complete(strangerTo(simulation, node, idOf(9), 2));
  const sayAll = async () => {
    delivered.length = 0;
    channel.send(READ, { number: 1, remainingMs: 500 }, { ...place, key });
    channel.send(WRITE, { number: 2 }, { ...place, stamp: 0, key, object: key });
    channel.send(READ_ANSWER, { number: 3 }, { ok: true, object: null });
    for (const to of ["gossiper", "ring_manager"]) {
      channel.send(CONTROL, { number: 0 }, { to, kind: "tell", from: "", body: { n: 1 } });
    }
    await simulation.runFor(10);
  };
  await sayAll();
  assertEquals(delivered, ["ring_manager.tell"]);
  members.add(idOf(9)); // the ring it told of
  await sayAll();
  assertEquals(delivered.length, 5);
});

Deno.test("FAULTS 56: strangers are bounded, and do not keep members out", async () => {
  const { simulation, nodes: [node] } = await cluster(1);
  for (let i = 0; i < LIMITS.members; i++) {
    await simulation.complete(strangerTo(simulation, node!, idOf(100 + i), 2));
  }
  const onceMore = () => simulation.complete(strangerTo(simulation, node!, idOf(99), 2));
  await assertRejects(onceMore, HandshakeRefused, "too-many-connections");
  await simulation.complete(strangerTo(simulation, node!, idOf(2), 1));
  const { peers } = await simulation.complete(node!.door.ask("describe", {}, { timeoutMs: 100 }));
  assertEquals(peers, LIMITS.members + 1);
});

Deno.test("a stranger whose ring is newer no more is let go", async () => {
  const simulation = new Simulation({ seed: 1 });
  const facts = { epoch: 1 };
  const epochs = {
    get epoch() {
      return facts.epoch;
    },
  };
  const node = new TestNode(1, simulation.environment("n1"));
  Object.defineProperties(node.facts, Object.getOwnPropertyDescriptors(epochs));
  await simulation.complete(node.start());
  const channel = await simulation.complete(strangerTo(simulation, node, idOf(9), 2));
  facts.epoch = 2;
  assertEquals(await simulation.complete(channel.receive()), null);
});

Deno.test("FAULTS 54: an unknown major version is refused; of minor versions the lower is spoken", async () => {
  const { simulation, nodes: [node] } = await cluster(1);
  const facts = { ...node!.facts, nodeId: idOf(2), hash: "murmur3-32" };
  const answerTo = async (major: number, minor: number) => {
    const channel = new Channel(await dial(simulation, 1), simulation.environment("c").clock);
    channel.send(HELLO, { number: 0 }, { magic: true, version: { major, minor }, facts });
    const frame = await simulation.complete(channel.receive());
    assert(frame);
    if (frame.message === REFUSED.number) return readMessage(REFUSED, frame).code;
    return [frame.u16(), frame.u16()];
  };
  assertEquals(await answerTo(PROTOCOL_VERSION.major, 0), [1, 0]);
  assertEquals(await answerTo(PROTOCOL_VERSION.major, 9), [1, PROTOCOL_VERSION.minor]);
  assertEquals(await answerTo(2, 0), "version");
  assertEquals(await answerTo(0, 0), "version");
});

Deno.test("a connection that answers under another id than the one dialled is not used", async () => {
  const simulation = new Simulation({ seed: 1 });
  const members = ringOf(2).members.map((member) => ({ ...member, address: addressOf(2) }));
  const wrong = { ...ringOf(2), members: [...members, { ...members[0]!, id: idOf(3) }] };
  const a = await simulation.complete(new TestNode(1, simulation.environment("n1"), {}, wrong).start());
  await simulation.complete(new TestNode(2, simulation.environment("n2")).start());
  a.send(3, "replica_store", "read", { ...place, key, ticket: 1, from: "" });
  await simulation.runFor(10);
  assertEquals(a.events.filter(([node]) => node === idOf(3)), [[idOf(3), "refused", "wrong-node"]]);
});
