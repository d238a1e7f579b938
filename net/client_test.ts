import type { GetOutcome, PutRequest } from "../actors/coordinator/protocol.ts";
import { concatBytes, encodeUtf8 } from "../actors/runtime/bytes.ts";
import { crc32c } from "../actors/runtime/crc32c.ts";
import { LIMITS } from "../actors/runtime/limits.ts";
import { assert, assertEquals, assertMatch, assertRejects } from "../actors/runtime/testing/assert.ts";
import { Simulation } from "../actors/simulated/simulation.ts";
import { Client } from "./client.ts";
import { DenamoError } from "./client_errors.ts";
import { addressOf, clientOf, cluster, type TestNode } from "./testing/harness.ts";

function found(...texts: string[]): GetOutcome {
  const values = texts.map((text) => ({ value: encodeUtf8(text), crc32c: crc32c(encodeUtf8(text)) }));
  return { ok: true, values, context: encodeUtf8(`context of ${texts}`) };
}

async function failure(simulation: Simulation, call: () => Promise<unknown>): Promise<DenamoError> {
  return await assertRejects(() => simulation.complete(call()), DenamoError);
}

/** The nodes keep what is put, as a store of one copy shared by all would. */
function share(nodes: readonly TestNode[]): Map<string, string> {
  const store = new Map<string, string>();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  for (const node of nodes) {
    node.answers = {
      get: ({ key }) => {
        const value = store.get(text(key));
        return value === undefined ? found() : found(value);
      },
      put: ({ key, value }) => {
        if (value) store.set(text(key), text(value));
        else store.delete(text(key));
        return { ok: true };
      },
    };
  }
  return store;
}

Deno.test("put, get, del; text and bytes", async () => {
  const { simulation, nodes } = await cluster(1);
  share(nodes);
  const client = await clientOf(simulation, 1);
  await simulation.complete(client.put("foo", "bär"));
  const got = await simulation.complete(client.get(encodeUtf8("foo")));
  assertEquals([got.texts(), got.values], [["bär"], [encodeUtf8("bär")]]);
  assertEquals(got.checksums, [crc32c(encodeUtf8("bär"))]);
  await simulation.complete(client.del("foo", { context: got.context, w: 2 }));
  assertEquals((await simulation.complete(client.get("foo"))).values, []);
  const [, del] = nodes[0]!.heard("coordinator.put") as PutRequest[];
  assertEquals([del!.value, del!.context, del!.w], [null, got.context, 2]);
  await client.close();
});

Deno.test("an empty value is a value, an empty context none", async () => {
  const { simulation, nodes: [node] } = await cluster(1);
  const client = await clientOf(simulation, 1);
  await simulation.complete(client.put("k", "", { context: new Uint8Array(0) }));
  const [put] = node!.heard("coordinator.put") as PutRequest[];
  assertEquals([put!.value, put!.context], [new Uint8Array(0), null]);
});

Deno.test("calls share the connection and are answered as they are done", async () => {
  const { simulation, nodes } = await cluster(1);
  share(nodes);
  const client = await clientOf(simulation, 1);
  const puts = Array.from({ length: 500 }, (_, i) => client.put(`k${i}`, `${i}`));
  await simulation.complete(Promise.all(puts));
  const gets = Array.from({ length: 500 }, (_, i) => client.get(`k${i}`));
  const values = await simulation.complete(Promise.all(gets));
  assertEquals(values.map((got) => got.texts()[0]), Array.from({ length: 500 }, (_, i) => `${i}`));
});

Deno.test("a failure is an error with its code, counts and whether it is definite", async () => {
  const { simulation, nodes: [node] } = await cluster(1);
  const outcome = { ok: false, code: "quorum-unmet", message: "1 of 2", definite: false } as const;
  node!.answers.put = () => ({ ...outcome, answered: 1, needed: 2 });
  const client = await clientOf(simulation, 1);
  const error = await failure(simulation, () => client.put("k", "v"));
  assertEquals([error.code, error.definite, error.answered, error.needed], ["quorum-unmet", false, 1, 2]);
  assertMatch(error.message, /quorum-unmet: 1 of 2/);
});

Deno.test("no node: code connect, definite; an address that is none too", async () => {
  const simulation = new Simulation({ seed: 1 });
  const environment = simulation.environment("c");
  const error = await failure(
    simulation,
    () => Client.connect([addressOf(1), addressOf(2)], { environment }),
  );
  assertEquals([error.code, error.definite], ["connect", true]);
  const wrong = await failure(simulation, () => Client.connect("nonsense", { environment }));
  assertEquals(wrong.code, "connect");
});

Deno.test("FAULTS 31: a write in doubt goes to the next node under the same request id", async () => {
  const { simulation, nodes: [a, b] } = await cluster(2);
  a!.answers.put = () => null;
  const client = await clientOf(simulation, 1, 2);
  const put = client.put("k", "v");
  await simulation.runFor(50);
  simulation.killNode("n1");
  await simulation.complete(put);
  const [first] = a!.heard("coordinator.put") as PutRequest[];
  const [second] = b!.heard("coordinator.put") as PutRequest[];
  assertEquals(first!.requestId, second!.requestId);
  await simulation.complete(client.put("k", "w"));
  const [, third] = b!.heard("coordinator.put") as PutRequest[];
  assert(third!.requestId !== second!.requestId);
});

Deno.test("a node that is killed under load: every call is answered by the next within a second", async () => {
  const { simulation, nodes } = await cluster(2);
  share(nodes);
  const client = await clientOf(simulation, 1, 2);
  const calls: Promise<unknown>[] = [];
  for (let i = 0; i < 200; i++) {
    const at = simulation.now();
    const call = i % 2 === 0 ? client.put(`k${i}`, "v") : client.get(`k${i}`);
    calls.push(call.then(() => assert(simulation.now() - at < 1000)));
    if (i === 100) simulation.killNode("n1");
    await simulation.runFor(1);
  }
  await simulation.complete(Promise.all(calls));
  assertEquals(client.address, addressOf(2));
});

Deno.test("a node that hangs is given up for the next", async () => {
  const { simulation, nodes } = await cluster(2);
  share(nodes);
  const client = await clientOf(simulation, 1, 2);
  simulation.pauseNode("n1");
  const at = simulation.now();
  await simulation.complete(client.get("k"));
  assert(simulation.now() - at < 4000, `${simulation.now() - at}`);
});

Deno.test("a slow answer is waited for: the node is alive", async () => {
  const { simulation, nodes: [a, b] } = await cluster(2);
  a!.answers.get = ({ origin, ticket }) => {
    const answer = () =>
      void a!.system.ref<{ answer: [unknown, void] }>(origin).tell("answer", {
        ticket,
        outcome: found("late"),
      });
    a!.environment.clock.after(8000, answer);
    return null;
  };
  const client = await clientOf(simulation, 1, 2);
  const got = await simulation.complete(client.get("k", { timeoutMs: 20_000 }));
  assertEquals([got.texts(), b!.seen], [["late"], []]);
});

Deno.test("a node that is stopping: its clients' calls go elsewhere", async () => {
  const { simulation, nodes } = await cluster(2);
  share(nodes);
  const client = await clientOf(simulation, 1, 2);
  const slow = nodes[0]!.answers.get;
  nodes[0]!.answers.get = () => null; // keeps the node from being drained
  void client.get("hold", { timeoutMs: 3000 }).catch(() => {});
  await simulation.runFor(10);
  nodes[0]!.answers.get = slow;
  await simulation.complete(nodes[0]!.door.ask("drain", {}, { timeoutMs: 100 }));
  await simulation.complete(client.put("k", "v"));
  assertEquals(client.address, addressOf(2));
});

Deno.test("a node that is stopping: what it has taken it answers, though it cannot be asked twice", async () => {
  const { simulation, nodes } = await cluster(2);
  share(nodes);
  const client = await clientOf(simulation, 1, 2);
  const join = client.admin("join", { known: "n9:3001" }, { timeoutMs: 2000 });
  let ended = false;
  join.catch(() => {}).finally(() => ended = true);
  await simulation.runFor(10);
  await simulation.complete(nodes[0]!.door.ask("drain", {}, { timeoutMs: 100 }));
  await simulation.complete(Promise.all([client.put("k", "v"), client.get("k")]));
  assertEquals([client.address, ended], [addressOf(2), false]);
  const error = await failure(simulation, () => join);
  assertEquals([error.code, error.definite], ["timeout", false]);
  // Then that connection is let go.
  await simulation.runFor(100);
  assertEquals(
    (await simulation.complete(nodes[0]!.door.ask("describe", {}, { timeoutMs: 100 }))).clients,
    0,
  );
  await simulation.complete(client.put("k", "w"));
});

Deno.test("all nodes are stopping: each was asked once", async () => {
  const { simulation, nodes } = await cluster(3);
  for (const node of nodes) {
    node.answers.get = () => ({ ok: false, code: "stopping", message: "", definite: true });
  }
  const client = await clientOf(simulation, 1, 2, 3);
  assertEquals((await failure(simulation, () => client.get("k"))).code, "stopping");
  assertEquals(nodes.map((node) => node.seen.length), [1, 1, 1]);
});

Deno.test("one call that fails, be it as unavailable, leaves the connection to all others", async () => {
  const { simulation, nodes } = await cluster(2);
  share(nodes);
  const client = await clientOf(simulation, 1, 2);
  const join = client.admin("join", { known: "n9:3001" }, { timeoutMs: 1000 });
  join.catch(() => {});
  nodes[0]!.answers.put = () => ({ ok: false, code: "unavailable", message: "no primary", definite: true });
  const error = await failure(simulation, () => client.put("k", "v"));
  assertEquals([error.code, error.definite], ["unavailable", true]);
  assertEquals([client.address, nodes[1]!.seen], [addressOf(1), []]);
  assertEquals((await failure(simulation, () => join)).code, "timeout");
});

Deno.test("timeouts: a write sent is in doubt, a read and what was never sent are definite", async () => {
  const { simulation, nodes: [node] } = await cluster(1);
  node!.answers = { get: () => null, put: () => null };
  const client = await clientOf(simulation, 1);
  const put = await failure(simulation, () => client.put("k", "v", { timeoutMs: 500 }));
  assertEquals([put.code, put.definite], ["timeout", false]);
  const get = await failure(simulation, () => client.get("k", { timeoutMs: 500 }));
  assertEquals([get.code, get.definite], ["timeout", true]);
  simulation.killNode("n1");
  await simulation.runFor(100);
  const unsent = await failure(simulation, () => client.put("k", "v", { timeoutMs: 500 }));
  assertEquals([unsent.code, unsent.definite], ["connect", true]);
});

Deno.test("a node that comes back is found again", async () => {
  const simulation = new Simulation({ seed: 5 });
  await cluster(1, simulation);
  const client = await clientOf(simulation, 1);
  simulation.killNode("n1");
  await simulation.runFor(1000);
  const put = client.put("k", "v");
  await simulation.runFor(1000);
  await cluster(1, simulation);
  await simulation.complete(put);
});

Deno.test("a signal gives a call up", async () => {
  const { simulation, nodes: [node] } = await cluster(1);
  node!.answers.put = () => null;
  const client = await clientOf(simulation, 1);
  const controller = new AbortController();
  const put = client.put("k", "v", { signal: controller.signal });
  put.catch(() => {});
  await simulation.runFor(10);
  controller.abort();
  const error = await assertRejects(() => put, DenamoError);
  assertEquals([error.code, error.definite], ["aborted", false]);
  const before = await assertRejects(() => client.put("k", "v", { signal: controller.signal }), DenamoError);
  assertEquals([before.code, before.definite], ["aborted", true]);
});

Deno.test("a value that does not match its CRC-32C is never given out", async () => {
  const { simulation, nodes: [node] } = await cluster(1);
  const bad = { value: encodeUtf8("b"), crc32c: 1 };
  node!.answers.get = () => ({ ok: true, values: [bad], context: new Uint8Array(0) });
  const client = await clientOf(simulation, 1);
  assertEquals((await failure(simulation, () => client.get("k"))).code, "corrupt");
});

Deno.test("update reads, resolves, writes back with the context, and tries again after what may pass", async () => {
  const { simulation, nodes: [node] } = await cluster(1);
  node!.answers.get = () => found("a", "b");
  let tries = 0;
  node!.answers.put = () =>
    ++tries < 3 ? { ok: false, code: "ring-changing", message: "", definite: true } : { ok: true };
  const client = await clientOf(simulation, 1);
  await simulation.complete(client.update("k", (values) => concatBytes(...values)));
  const puts = node!.heard("coordinator.put") as PutRequest[];
  assertEquals(puts.length, 3);
  for (const put of puts) {
    assertEquals([put.value, put.context], [encodeUtf8("ab"), encodeUtf8("context of a,b")]);
  }
  assertEquals(new Set(puts.map(({ requestId }) => requestId)).size, 3);
  await simulation.complete(client.update("k", () => null));
  assertEquals((node!.heard("coordinator.put").at(-1) as PutRequest).value, null);
  await simulation.complete(client.update("k", () => undefined));
  assertEquals(node!.heard("coordinator.put").length, 4);
});

Deno.test("update gives up at its deadline, and at once on what cannot pass", async () => {
  const { simulation, nodes: [node] } = await cluster(1);
  node!.answers.put = () => ({ ok: false, code: "overloaded", message: "", definite: true });
  const client = await clientOf(simulation, 1);
  const at = simulation.now();
  const late = await failure(simulation, () => client.update("k", () => "v", { timeoutMs: 2000 }));
  assert(simulation.now() - at <= 2100);
  assertEquals(late.code, "overloaded");
  node!.answers.put = () => ({ ok: false, code: "bad-context", message: "", definite: true });
  const before = node!.seen.length;
  assertEquals((await failure(simulation, () => client.update("k", () => "v"))).code, "bad-context");
  assertEquals(node!.seen.length, before + 2);
});

Deno.test("calls under way are bounded, and end when the client is closed", async () => {
  const { simulation, nodes: [node] } = await cluster(1);
  node!.answers.get = () => null;
  const client = await clientOf(simulation, 1);
  const codes: string[] = [];
  for (let i = 0; i <= LIMITS.requestsInFlight; i++) {
    client.submitGet(encodeUtf8("k"), {}, (outcome) => void codes.push(outcome.ok ? "ok" : outcome.code));
  }
  assertEquals(codes, ["overloaded"]);
  await client[Symbol.asyncDispose]();
  assertEquals(codes.length, LIMITS.requestsInFlight + 1);
  assertEquals((await assertRejects(() => client.get("k"), DenamoError)).code, "closed");
});

Deno.test("ping", async () => {
  const { simulation } = await cluster(1);
  const client = await clientOf(simulation, 1);
  await simulation.complete(client.ping());
});

Deno.test("a question that changes things is not asked twice", async () => {
  const { simulation } = await cluster(1);
  const client = await clientOf(simulation, 1);
  const join = client.admin("join", { known: "n2:3001" }, { timeoutMs: 20_000 });
  join.catch(() => {});
  await simulation.runFor(10);
  simulation.killNode("n1");
  const error = await failure(simulation, () => join);
  assertEquals([error.code, error.definite], ["lost", false]);
});

Deno.test("the same over lossy links: every call ends, and what succeeded was done", async () => {
  const simulation = new Simulation({ seed: 11 });
  const { nodes } = await cluster(3, simulation);
  const store = share(nodes);
  const client = await clientOf(simulation, 1, 2, 3);
  Object.assign(simulation.network.faults, { slowRate: 0.05, slowMs: 50, resetRate: 0.02, lossRate: 0.01 });
  let failed = 0;
  for (let i = 0; i < 300; i++) {
    const call = client.put(`k${i}`, "v", { timeoutMs: 2000 });
    await simulation.complete(call.then(() => assert(store.has(`k${i}`)), () => failed++));
  }
  assert(failed < 100, `${failed} failed`);
});
