import { RemoteAsker } from "./asks.ts";
import type { Envelope } from "./protocol.ts";
import { ActorSystem } from "./system.ts";
import { assert, assertEquals } from "./testing/assert.ts";
import { fake } from "./testing/fake.ts";
import { oneForOne, outcome, puppet, type PuppetProtocol, type Stage, stage } from "./testing/stage.ts";

const soon = { timeoutMs: 100 };

/** Two systems, `n1` and `n2`, that hand each other envelopes, all of which are kept. */
async function pair(mailboxCapacity = 10) {
  const diary: string[] = [];
  const envelopes: Envelope[] = [];
  const one: Stage = await stage(oneForOne(puppet("a", diary)), "n1");
  const two: Stage = await stage(oneForOne(puppet("b", diary, { mailboxCapacity })), "n2");
  const link = { up: true };
  for (const [from, to] of [[one, two], [two, one]] as const) {
    from.system.setTransport({
      send(envelope) {
        if (!link.up) return false;
        envelopes.push(envelope);
        const deadline = envelope.deadline;
        if (deadline === undefined) to.system.deliver(envelope);
        else to.system.deliver({ ...envelope, deadline: deadline - from.clock.now() + to.clock.now() });
        return true;
      },
    });
  }
  const far = one.system.ref<PuppetProtocol>({ node: "n2", actor: "b" });
  const stop = () => Promise.all([one.system.stop(), two.system.stop()]);
  return { one, two, far, diary, envelopes, link, stop };
}

Deno.test("a ref on another node's actor tells and asks like one nearby", async () => {
  const { far, diary, two, envelopes, stop } = await pair();
  assertEquals(far.tell("note", "from afar"), "sent");
  assertEquals(await far.ask("echo", "hello", soon), "hello 1");
  await two.clock.advance(0);
  assertEquals(diary.at(-1), "b 1 from afar");
  const [told, asked, answered] = envelopes;
  assertEquals(told, {
    to: { node: "n2", actor: "b" },
    from: { node: "n1", actor: "" },
    kind: "note",
    body: "from afar",
  });
  assert(asked?.ask !== undefined && asked.deadline !== undefined);
  assertEquals(answered, { to: asked.from, from: asked.to, kind: "", ask: asked.ask, body: "hello 1" });
  await stop();
});

Deno.test("the address of a far sender comes with its message", async () => {
  const { one, far, stop } = await pair();
  const senders: unknown[] = [];
  await one.system.ref<PuppetProtocol>("a").ask("act", (context) => {
    const b = context.ref<PuppetProtocol>({ node: "n2", actor: "b" });
    return b.ask("act", (_, from) => void senders.push(from), soon);
  }, soon);
  await far.ask("act", (_, from) => void senders.push(from), soon); // no actor sends this one
  assertEquals(senders, [{ node: "n1", actor: "a" }, undefined]);
  await stop();
});

Deno.test("the failures of a far actor come back at once", async () => {
  const { one, two, far, stop } = await pair(1);
  const nobody = one.system.ref<PuppetProtocol>({ node: "n2", actor: "nobody" });
  assertEquals(await outcome(nobody.ask("echo", "x", soon)), "!dead");
  const crashed = outcome(far.ask("act", () => new Promise(() => {}), soon));
  await two.clock.advance(0);
  const waiting = outcome(far.ask("echo", "x", soon));
  assertEquals(await outcome(far.ask("echo", "x", soon)), "!overloaded");
  two.system.crash("b");
  assertEquals([await crashed, await waiting], ["!crashed", "!crashed"]);
  await stop();
});

Deno.test("what the transport does not take is counted, and an ask is unreachable at once", async () => {
  const { one, far, link, stop } = await pair();
  link.up = false;
  assertEquals(far.tell("note", "x"), "overloaded");
  assertEquals(await outcome(far.ask("echo", "x", soon)), "!unreachable");
  assertEquals(one.system.stats().remoteLost, 2);
  assertEquals(one.system.stats().asksPending, 0);
  await stop();
});

Deno.test("without a transport other nodes are unreachable", async () => {
  const { system } = await stage(oneForOne(puppet("a", [])));
  const far = system.ref<PuppetProtocol>({ node: "n2", actor: "b" });
  assertEquals(far.tell("note", "x"), "overloaded");
  assertEquals(await outcome(far.ask("echo", "x", soon)), "!unreachable");
  await system.stop();
});

Deno.test("a far ask past its deadline is neither handled nor answered", async () => {
  const { one, two, far, diary, envelopes, stop } = await pair();
  const { promise, resolve } = Promise.withResolvers<string>();
  const running = outcome(far.ask("act", () => promise, soon));
  const waiting = outcome(far.ask("act", () => diary.push("handled"), soon));
  await Promise.all([one.clock.advance(100), two.clock.advance(100)]);
  assertEquals([await running, await waiting], ["!timeout", "!timeout"]);
  const sent = envelopes.length;
  resolve("too late");
  await two.clock.advance(0);
  assertEquals(diary.includes("handled"), false);
  assertEquals(envelopes.length, sent);
  assertEquals(two.system.stats().perActor[0]?.expired, 1);
  await stop();
});

Deno.test("a far asker is answered once", () => {
  const sent: Envelope[] = [];
  const question = {
    to: { node: "n1", actor: "a" },
    from: { node: "n2", actor: "" },
    kind: "x",
    body: 1,
    ask: 7,
  };
  const asker = new RemoteAsker(question, fake().clock, (envelope) => void sent.push(envelope));
  asker.answer("one");
  asker.answer("two");
  asker.fail("crashed");
  assertEquals([sent.map((envelope) => envelope.body), asker.waiting()], [["one"], false]);
});

Deno.test("only the one who was asked can answer, and only once", async () => {
  const { one, two, far, envelopes, stop } = await pair();
  const ask = far.ask("act", () => new Promise(() => {}), soon);
  await two.clock.advance(0);
  const number = envelopes[0]?.ask;
  assert(number !== undefined);
  const to = { node: "n1", actor: "" };
  const answer = { to, from: { node: "n2", actor: "b" }, kind: "", ask: number, body: "right" };
  assertEquals(one.system.deliver({ ...answer, from: { node: "n3", actor: "b" }, body: "forged" }), "dead");
  assertEquals(one.system.deliver({ ...answer, from: { node: "n2", actor: "c" }, body: "forged" }), "dead");
  assertEquals(one.system.deliver({ ...answer, ask: number + 1, body: "forged" }), "dead");
  assertEquals(one.system.deliver(answer), "sent");
  assertEquals(one.system.deliver({ ...answer, body: "again" }), "dead");
  assertEquals(await ask, "right");
  await stop();
});

Deno.test("envelopes for other nodes, unknown actors and unknown kinds are dead letters", async () => {
  const { one, stop } = await pair();
  const from = { node: "n2", actor: "b" };
  const { system, clock } = one;
  assertEquals(system.deliver({ to: { node: "n9", actor: "a" }, from, kind: "note", body: "x" }), "dead");
  assertEquals(system.deliver({ to: { node: "n1", actor: "?" }, from, kind: "note", body: "x" }), "dead");
  assertEquals(system.deliver({ to: { node: "n1", actor: "a" }, from, kind: "__proto__", body: 1 }), "sent");
  await clock.advance(0);
  assertEquals(system.stats().deadLetters, 3);
  assertEquals(system.stats().perActor[0]?.restarts, 0);
  await stop();
});

Deno.test("asks of two lives of a process do not begin with the same number", async () => {
  const numbers: (number | undefined)[] = [];
  for (const seed of [1, 2]) {
    const { environment } = fake(seed);
    const transport = { send: (envelope: Envelope) => Boolean(numbers.push(envelope.ask)) };
    const system = new ActorSystem({ node: "n1", environment, transport });
    await system.start(oneForOne());
    const ask = system.ref<PuppetProtocol>({ node: "n2", actor: "b" }).ask("echo", "x", soon);
    const ended = outcome(ask);
    await system.stop();
    assertEquals(await ended, "!aborted");
  }
  assert(numbers[0] !== numbers[1]);
  assert(numbers.every((number) => number !== undefined && number >= 0 && number < 2 ** 32));
});
