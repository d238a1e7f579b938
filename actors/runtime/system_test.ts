import { LIMITS } from "./limits.ts";
import { Asks } from "./asks.ts";
import { ActorSystem } from "./system.ts";
import type { ActorSpec } from "./actor.ts";
import { assert, assertEquals, assertMatch, assertRejects, assertThrows } from "./testing/assert.ts";
import { fake } from "./testing/fake.ts";
import { boom, oneForOne, outcome, puppet, type PuppetProtocol, stage } from "./testing/stage.ts";

const soon = { timeoutMs: 100 };

Deno.test("messages are handled in the order they were told", async () => {
  const diary: string[] = [];
  const { system } = await stage(oneForOne(puppet("a", diary)));
  const ref = system.ref<PuppetProtocol>("a");
  for (const text of ["1", "2", "3"]) assertEquals(ref.tell("note", text), "sent");
  await Promise.resolve();
  assertEquals(diary, ["a 1 up", "a 1 1", "a 1 2", "a 1 3"]);
  await system.stop();
});

Deno.test("one turn carries a message through every hop", async () => {
  const diary: string[] = [];
  const { system } = await stage(oneForOne(...["a", "b", "c"].map((name) => puppet(name, diary))));
  system.ref<PuppetProtocol>("c").tell("act", (c) => {
    c.ref<PuppetProtocol>("b").tell("act", (b) => {
      b.ref<PuppetProtocol>("a").tell("note", "there");
    });
  });
  await Promise.resolve(); // a single microtask
  assertEquals(diary.at(-1), "a 1 there");
  await system.stop();
});

Deno.test("the sender's address comes with a message, when an actor sent it", async () => {
  const diary: string[] = [];
  const { system } = await stage(oneForOne(puppet("a", diary), puppet("b", diary)));
  const senders: unknown[] = [];
  const look = (_: unknown, from: unknown) => void senders.push(from);
  system.ref<PuppetProtocol>("a").tell("act", look);
  await system.ref<PuppetProtocol>("b").ask("act", (b) => b.ref<PuppetProtocol>("a").tell("act", look), soon);
  assertEquals(senders, [undefined, { node: "n1", actor: "b" }]);
  await system.stop();
});

Deno.test("a backlog of one actor does not hold up the others", async () => {
  const diary: string[] = [];
  const { system } = await stage(oneForOne(puppet("busy", diary), puppet("idle", diary)));
  for (let n = 0; n < 1000; n++) system.ref<PuppetProtocol>("busy").tell("note", "x");
  system.ref<PuppetProtocol>("idle").tell("note", "mine");
  await Promise.resolve();
  assertEquals(diary.indexOf("idle 1 mine"), 2 + LIMITS.messagesPerSlice);
  assertEquals(diary.length, 2 + 1001);
  await system.stop();
});

Deno.test("long work lets timers run in between", async () => {
  let hops = 0;
  type Loop = { go: [null, void] };
  const loop: ActorSpec<Loop> = {
    name: "loop",
    start: ({ self }) => ({
      go: () => {
        if (++hops < 5 * LIMITS.messagesPerTurn) self.tell("go", null);
      },
    }),
  };
  const { system, clock } = await stage(oneForOne(loop));
  system.ref<Loop>("loop").tell("go", null);
  const hopsWhenFired: number[] = [];
  for (let timer = 0; timer < 3; timer++) clock.after(0, () => void hopsWhenFired.push(hops));
  await clock.advance(0);
  assertEquals(hopsWhenFired.length, 3);
  for (const at of hopsWhenFired) assert(at < LIMITS.messagesPerTurn + LIMITS.messagesPerSlice, `${at}`);
  assertEquals(hops, 5 * LIMITS.messagesPerTurn);
  await system.stop();
  assertEquals(clock.pending, 0);
});

Deno.test("an ask is answered by what the handler returns, or by what its promise gives", async () => {
  const { system } = await stage(oneForOne(puppet("a", [])));
  const ref = system.ref<PuppetProtocol>("a");
  assertEquals(await ref.ask("echo", "hello", soon), "hello 1");
  assertEquals(await ref.ask("act", () => Promise.resolve(7), soon), 7);
  assertEquals(system.stats().asksPending, 0);
  await system.stop();
});

Deno.test("while a handler's promise is pending the actor takes no other message", async () => {
  const diary: string[] = [];
  const { system, clock } = await stage(oneForOne(puppet("a", diary)));
  const ref = system.ref<PuppetProtocol>("a");
  const { promise, resolve } = Promise.withResolvers<void>();
  ref.tell("act", () => promise);
  ref.tell("note", "next");
  await clock.advance(50);
  assertEquals(diary, ["a 1 up"]);
  resolve();
  await clock.advance(0);
  assertEquals(diary, ["a 1 up", "a 1 next"]);
  await system.stop();
});

Deno.test("a full mailbox refuses tells and asks at once and counts them", async () => {
  const { system, clock } = await stage(oneForOne(puppet("a", [], { mailboxCapacity: 2 })));
  const ref = system.ref<PuppetProtocol>("a");
  const results = ["1", "2", "3"].map((text) => ref.tell("note", text));
  assertEquals(results, ["sent", "sent", "overloaded"]);
  const error = await ref.ask("echo", "4", soon).catch((error) => error);
  assertEquals([error.code, error.definite], ["overloaded", true]);
  await clock.advance(0);
  const [stats] = system.stats().perActor;
  assertEquals([stats?.overloaded, stats?.handled, stats?.mailboxDepth], [2, 2, 0]);
  await system.stop();
});

Deno.test("a timer's message is never refused", async () => {
  const diary: string[] = [];
  const { system, clock } = await stage(oneForOne(puppet("a", diary, { mailboxCapacity: 1 })));
  const ref = system.ref<PuppetProtocol>("a");
  const { promise, resolve } = Promise.withResolvers<void>();
  await ref.ask("act", (context) => void context.after(10, "note", "tick"), soon);
  ref.tell("act", () => promise);
  await clock.advance(0);
  ref.tell("note", "fills the mailbox");
  await clock.advance(10);
  resolve();
  await clock.advance(0);
  assertEquals(diary.slice(1), ["a 1 fills the mailbox", "a 1 tick"]);
  await system.stop();
});

Deno.test("a cancelled timer says nothing", async () => {
  const diary: string[] = [];
  const { system, clock } = await stage(oneForOne(puppet("a", diary)));
  const cancel = (context: Parameters<Parameters<typeof act>[0]>[0]) =>
    context.after(10, "note", "x").cancel();
  const act = (task: (context: import("./actor.ts").ActorContext<PuppetProtocol>) => void) => task;
  await system.ref<PuppetProtocol>("a").ask("act", act(cancel), soon);
  await clock.advance(20);
  assertEquals(diary, ["a 1 up"]);
  await system.stop();
});

Deno.test("messages to nobody are dead letters, counted and logged without a flood", async () => {
  const { system, lines } = await stage(oneForOne(puppet("a", [])));
  const ref = system.ref<PuppetProtocol>("nobody");
  for (let n = 0; n < 100; n++) assertEquals(ref.tell("note", "x"), "dead");
  assertEquals(await outcome(ref.ask("echo", "x", soon)), "!dead");
  assertEquals(system.stats().deadLetters, 101);
  const logged = lines.filter((line) => line.startsWith("warn dead letter"));
  assertEquals(logged.length, 7);
  assertMatch(logged[0] ?? "", /"to":"nobody","node":"n1","kind":"note","reason":"no-actor"/);
  await system.stop();
});

Deno.test("a kind without a handler is a dead letter and harms nobody", async () => {
  type Wrong = { [kind in "constructor" | "toString" | "other"]: [null, null] };
  const { system } = await stage(oneForOne(puppet("a", [])));
  const ref = system.ref<Wrong>("a");
  for (const kind of ["constructor", "toString", "other"] as const) {
    assertEquals(await outcome(ref.ask(kind, null, soon)), "!dead");
  }
  assertEquals(system.stats().deadLetters, 3);
  assertEquals(system.stats().perActor[0]?.restarts, 0);
  await system.stop();
});

Deno.test("an ask ends at its deadline, and a late reply goes nowhere", async () => {
  const { system, clock } = await stage(oneForOne(puppet("a", [])));
  const ref = system.ref<PuppetProtocol>("a");
  const { promise, resolve } = Promise.withResolvers<string>();
  const ask = outcome(ref.ask("act", () => promise, soon));
  await clock.advance(99);
  assertEquals(system.stats().asksPending, 1);
  await clock.advance(1);
  assertEquals(await ask, "!timeout");
  resolve("late");
  await clock.advance(0);
  assertEquals(await ref.ask("echo", "fine", soon), "fine 1");
  await system.stop();
});

Deno.test("an ask past its deadline is not handled any more", async () => {
  const diary: string[] = [];
  const { system, clock } = await stage(oneForOne(puppet("a", diary)));
  const ref = system.ref<PuppetProtocol>("a");
  const { promise, resolve } = Promise.withResolvers<void>();
  ref.tell("act", () => promise);
  const asks = [
    outcome(ref.ask("act", () => diary.push("handled"), soon)), // its timer has fired
    outcome(ref.ask("act", () => diary.push("handled"), { timeoutMs: 200 })), // only its time is over
  ];
  await clock.advance(150);
  clock.jump(100);
  resolve();
  await clock.advance(0);
  assertEquals(await Promise.all(asks), ["!timeout", "!timeout"]);
  assertEquals(diary, ["a 1 up"]);
  assertEquals(system.stats().perActor[0]?.expired, 2);
  await system.stop();
});

Deno.test("a signal aborts an ask before and while it is under way", async () => {
  const { system } = await stage(oneForOne(puppet("a", [])));
  const ref = system.ref<PuppetProtocol>("a");
  const controller = new AbortController();
  const options = { timeoutMs: 100, signal: controller.signal };
  const ask = outcome(ref.ask("act", () => new Promise(() => {}), options));
  controller.abort();
  assertEquals(await ask, "!aborted");
  assertEquals(await outcome(ref.ask("echo", "x", options)), "!aborted");
  assertEquals(system.stats().asksPending, 0);
  await system.stop();
});

Deno.test("an ask without a finite timeout is a programmer's error", async () => {
  const { system } = await stage(oneForOne(puppet("a", [])));
  const ref = system.ref<PuppetProtocol>("a");
  for (const timeoutMs of [Infinity, NaN]) {
    assertThrows(() => void ref.ask("echo", "x", { timeoutMs }), RangeError, "finite");
  }
  await system.stop();
});

Deno.test("asks under way are bounded, and every end frees a place", async () => {
  const { environment, clock } = fake();
  const asks = new Asks(clock, environment.random, 2);
  const to = { node: "n2", actor: "a" };
  const first = asks.open(to, "x", soon);
  const second = asks.open(to, "x", soon);
  assert(first && second && first.id !== second.id);
  assertEquals(asks.open(to, "x", soon), undefined);
  first.fail("crashed");
  first.fail("crashed"); // twice frees once
  assertEquals(await outcome(first.promise), "!crashed");
  const third = asks.open(to, "x", soon);
  assert(third);
  assertEquals(asks.open(to, "x", soon), undefined);
  await Promise.all([outcome(second.promise), outcome(third.promise), clock.advance(100)]);
  assertEquals(asks.size, 0);
});

Deno.test("children that start slowly are waited for, in order", async () => {
  const diary: string[] = [];
  const world = fake();
  const system = new ActorSystem({ node: "n1", environment: world.environment });
  const { promise, resolve } = Promise.withResolvers<void>();
  const started = system.start(oneForOne(puppet("a", diary, { begin: () => promise }), puppet("b", diary)));
  assertEquals(system.ref<PuppetProtocol>("b").tell("note", "early"), "sent");
  await world.clock.advance(10);
  assertEquals(diary, []);
  resolve();
  await started;
  await Promise.resolve();
  assertEquals(diary, ["a 1 up", "b 1 up", "b 1 early"]);
  await system.stop();
  assertEquals(diary.slice(3), ["b 1 down", "a 1 down"]);
});

Deno.test("after stop everyone is dead, asks are over, and stopping again does nothing", async () => {
  const { system, clock } = await stage(oneForOne(puppet("a", [])));
  const ref = system.ref<PuppetProtocol>("a");
  const running = outcome(ref.ask("act", () => new Promise(() => {}), soon));
  const queued = outcome(ref.ask("echo", "x", soon));
  await clock.advance(0);
  await Promise.all([system.stop(), system.stop()]);
  assertEquals([await running, await queued], ["!crashed", "!dead"]);
  assertEquals(ref.tell("note", "x"), "dead");
  assertEquals(await outcome(ref.ask("echo", "x", soon)), "!dead");
  assertEquals(await system.terminated, { reason: "stopped" });
  assertEquals(clock.pending, 0);
});

Deno.test("stopped while an actor is down, what waits for it is dead", async () => {
  const { system } = await stage(oneForOne(puppet("a", [])));
  const ref = system.ref<PuppetProtocol>("a");
  system.crash("a");
  assertEquals(ref.tell("note", "x"), "sent");
  const ask = outcome(ref.ask("echo", "x", soon));
  await system.stop();
  assertEquals([await ask, system.stats().deadLetters], ["!dead", 1]);
});

Deno.test("stopped in the middle of a long turn, a system leaves no timer", async () => {
  const { system, clock } = await stage(oneForOne(puppet("a", [])));
  for (let n = 0; n < LIMITS.messagesPerTurn / 2; n++) system.ref<PuppetProtocol>("a").tell("note", "x");
  await Promise.resolve();
  assertEquals(clock.pending, 1);
  await system.stop();
  assertEquals(clock.pending, 0);
});

Deno.test("stopped while it starts, a system ends", async () => {
  const { environment, clock } = fake();
  const diary: string[] = [];
  const system = new ActorSystem({ node: "n1", environment });
  const begin = () => new Promise(() => {});
  const started = system.start(oneForOne(puppet("a", diary), puppet("stuck", diary, { begin })));
  const failure = assertRejects(() => started, Error, "stuck was stopped");
  await clock.advance(10);
  await system.stop();
  await failure;
  assertEquals(diary, ["a 1 up", "a 1 down"]);
  assertEquals(await system.terminated, { reason: "stopped" });
});

Deno.test("a tree that cannot start is taken down again and says why", async () => {
  const diary: string[] = [];
  const system = new ActorSystem({ node: "n1", environment: fake().environment });
  const tree = oneForOne(puppet("a", diary), puppet("bad", diary, { begin: boom }));
  await assertRejects(() => system.start(tree), Error, "boom");
  assertEquals(diary, ["a 1 up", "a 1 down"]);
  assertMatch((await system.terminated).reason, /^could not start: .*boom/);
  await assertRejects(() => system.start(tree), Error, "once");
});

Deno.test("wrong trees are refused", async () => {
  const tree = (...names: string[]) => oneForOne(...names.map((name) => puppet(name, [])));
  const start = (tree: Parameters<ActorSystem["start"]>[0]) =>
    new ActorSystem({ node: "n1", environment: fake().environment }).start(tree);
  await assertRejects(() => start(tree("a", "a")), Error, "two actors are named a");
  await assertRejects(() => start(tree("")), Error, "needs a name");
  await assertRejects(() => start(oneForOne({ name: "x", start: () => ({}) })), TypeError, "handlers");
});

Deno.test("a reentrant actor takes messages while its handlers' promises are pending", async () => {
  const diary: string[] = [];
  const { system } = await stage(oneForOne(puppet("a", diary, { reentrant: true })));
  const ref = system.ref<PuppetProtocol>("a");
  const gate = Promise.withResolvers<string>();
  const first = ref.ask("act", () => gate.promise, soon);
  assertEquals(await ref.ask("echo", "second", soon), "second 1");
  gate.resolve("first");
  assertEquals(await first, "first");
  await system.stop();
});

Deno.test("when somebody a reentrant actor asked fails it, only that ask fails", async () => {
  const diary: string[] = [];
  const { system } = await stage(oneForOne(puppet("a", diary, { reentrant: true })));
  const ref = system.ref<PuppetProtocol>("a");
  const gate = Promise.withResolvers<string>();
  const other = ref.ask("act", () => gate.promise, soon);
  const failed = ref.ask("act", (a) => a.ref<PuppetProtocol>("nobody").ask("echo", "x", soon), soon);
  assertEquals(await outcome(failed), "!crashed");
  gate.resolve("unharmed");
  assertEquals(await other, "unharmed");
  assertEquals(diary, ["a 1 up"]);
  await system.stop();
});

Deno.test("a reentrant actor that crashes fails everything it had under way", async () => {
  const diary: string[] = [];
  const { system } = await stage(oneForOne(puppet("a", diary, { reentrant: true })));
  const ref = system.ref<PuppetProtocol>("a");
  const pending = ref.ask("act", () => new Promise(() => {}), soon);
  await Promise.resolve();
  ref.tell("act", () => Promise.reject(new Error("boom")));
  assertEquals(await outcome(pending), "!crashed");
  await system.stop();
});
