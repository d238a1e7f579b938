import type { ActorContext } from "./actor.ts";
import type { Strategy } from "./restart_policy.ts";
import type { SupervisorSpec } from "./supervisor.ts";
import { assert, assertEquals, assertMatch, assertThrows } from "./testing/assert.ts";
import { boom, oneForOne, outcome, puppet, type PuppetProtocol, stage } from "./testing/stage.ts";

const soon = { timeoutMs: 100 };
type Context = ActorContext<PuppetProtocol>;

/** A system with one puppet, `a`, whose contexts are kept. */
async function one() {
  const diary: string[] = [];
  const contexts: Context[] = [];
  const begin = (context: Context) => void contexts.push(context);
  const { system, clock, lines } = await stage(oneForOne(puppet("a", diary, { begin })));
  return { diary, contexts, system, clock, lines, ref: system.ref<PuppetProtocol>("a") };
}

Deno.test("a handler that throws, or whose promise rejects, crashes the actor; a fresh one follows", async () => {
  const { diary, system, clock, ref, lines } = await one();
  ref.tell("act", boom);
  await clock.advance(20);
  ref.tell("act", () => Promise.reject(new Error("later")));
  await clock.advance(50);
  assertEquals(await ref.ask("echo", "x", soon), "x 3");
  assertEquals(diary, ["a 1 up", "a 1 down", "a 2 up", "a 2 down", "a 3 up"]);
  assertEquals(system.stats().perActor[0]?.restarts, 2);
  assertEquals(lines.filter((line) => line.startsWith("error actor crashed")).length, 2);
  await system.stop();
});

Deno.test("a crash fails the ask that was running and those that waited, at once; tells are dead letters", async () => {
  const { system, ref } = await one();
  const { promise, reject } = Promise.withResolvers<void>();
  const running = outcome(ref.ask("act", () => promise, soon));
  await Promise.resolve();
  const waiting = outcome(ref.ask("echo", "x", soon));
  ref.tell("note", "lost");
  reject(new Error("boom"));
  assertEquals([await running, await waiting], ["!crashed", "!crashed"]); // no time has passed
  assertEquals(system.stats().deadLetters, 1);
  await system.stop();
});

Deno.test("while an actor restarts its name works: messages wait for the fresh incarnation", async () => {
  const { diary, system, clock, ref } = await one();
  system.crash("a");
  assertEquals(ref.tell("note", "hello"), "sent");
  const ask = ref.ask("echo", "x", soon);
  assertEquals(system.stats().perActor[0]?.mailboxDepth, 2);
  await clock.advance(20);
  assertEquals(await ask, "x 2");
  assertEquals(diary.at(-1), "a 2 hello");
  await system.stop();
});

Deno.test("while an actor restarts its mailbox stays bounded", async () => {
  const { system, clock } = await stage(oneForOne(puppet("a", [], { mailboxCapacity: 3 })));
  const ref = system.ref<PuppetProtocol>("a");
  system.crash("a");
  const results = Array.from({ length: 5 }, () => ref.tell("note", "x"));
  assertEquals(results, ["sent", "sent", "sent", "overloaded", "overloaded"]);
  await clock.advance(20);
  await system.stop();
});

Deno.test("timers of a gone incarnation never reach the next", async () => {
  const { diary, contexts, system, clock } = await one();
  contexts[0]?.after(50, "note", "old");
  system.crash("a");
  contexts[0]?.after(60, "note", "set too late");
  await clock.advance(200);
  assertEquals(diary, ["a 1 up", "a 1 down", "a 2 up"]);
  await system.stop();
});

Deno.test("a gone incarnation says nothing more: not to its successor, not to others", async () => {
  const diary: string[] = [];
  const contexts: Context[] = [];
  const begin = (context: Context) => void contexts.push(context);
  const { system, clock } = await stage(oneForOne(puppet("other", diary), puppet("a", diary, { begin })));
  const [context] = contexts;
  assert(context);
  const other = context.ref<PuppetProtocol>("other");
  assertEquals([context.self.tell("note", "1"), other.tell("note", "1")], ["sent", "sent"]);
  await clock.advance(0);
  system.crash("a");
  assertEquals(context.self.tell("note", "2"), "dead");
  assertEquals(context.ref<PuppetProtocol>("a").tell("note", "2"), "dead");
  assertEquals(await outcome(context.self.ask("echo", "2", soon)), "!aborted");
  await clock.advance(20);
  assertEquals([context.self.tell("note", "3"), other.tell("note", "3")], ["dead", "dead"]);
  await clock.advance(0);
  assertEquals(diary.filter((line) => / [123]$/.test(line)), ["a 1 1", "other 1 1"]);
  assertEquals(system.stats().deadLetters, 4);
  await system.stop();
});

Deno.test("asks of an actor that crashes are aborted", async () => {
  const { system, clock } = await stage(oneForOne(puppet("slow", []), puppet("asker", [])));
  const endings: unknown[] = [];
  const act = async (context: Context) => {
    const never = () => new Promise(() => {});
    endings.push(await outcome(context.ref<PuppetProtocol>("slow").ask("act", never, soon)));
  };
  const ask = outcome(system.ref<PuppetProtocol>("asker").ask("act", act, soon));
  await clock.advance(10);
  assertEquals(system.stats().asksPending, 2);
  system.crash("asker");
  assertEquals(await ask, "!crashed");
  await clock.advance(0);
  assertEquals(endings, ["!aborted"]);
  assertEquals(system.stats().asksPending, 0);
  await system.stop();
});

Deno.test("the late result of a gone incarnation's handler changes nothing", async () => {
  for (const settle of ["resolve", "reject"] as const) {
    const { diary, system, clock, ref } = await one();
    const old = Promise.withResolvers<unknown>();
    const ask = outcome(ref.ask("act", () => old.promise, soon));
    await clock.advance(0);
    system.crash("a");
    assertEquals(await ask, "!crashed");
    await clock.advance(20);
    const young = Promise.withResolvers<unknown>();
    const busy = ref.ask("act", () => young.promise, soon);
    ref.tell("note", "after");
    await clock.advance(0);
    old[settle](new Error("late")); // must neither crash the new one nor end its wait
    await clock.advance(0);
    assertEquals(diary.at(-1), "a 2 up");
    young.resolve("answer");
    assertEquals(await busy, "answer");
    await clock.advance(0);
    assertEquals(diary.at(-1), "a 2 after");
    assertEquals(system.stats().perActor[0]?.restarts, 1);
    await system.stop();
  }
});

Deno.test("a callback can crash its incarnation, once, and never another", async () => {
  const { contexts, system, clock, ref } = await one();
  contexts[0]?.crash(new Error("from a callback"));
  contexts[0]?.crash(new Error("again"));
  await clock.advance(20);
  contexts[0]?.crash(new Error("much later"));
  await clock.advance(20);
  assertEquals(await ref.ask("echo", "x", soon), "x 2");
  await system.stop();
});

Deno.test("an actor can crash itself in the middle of a handler; its answer does not leave", async () => {
  const { system, clock, ref, diary } = await one();
  const act = (context: Context) => {
    context.crash(new Error("boom"));
    diary.push("rest of the handler");
    return "answer";
  };
  assertEquals(await outcome(ref.ask("act", act, soon)), "!crashed");
  assertEquals(diary, ["a 1 up", "rest of the handler", "a 1 down"]);
  await clock.advance(20);
  assertEquals(await ref.ask("echo", "x", soon), "x 2");
  await system.stop();
});

Deno.test("onStop tasks run last first, each awaited, before the restart; their errors are logged", async () => {
  const { diary, contexts, system, clock, lines } = await one();
  const { promise, resolve } = Promise.withResolvers<void>();
  contexts[0]?.onStop(() => promise.then(() => void diary.push("slow done")));
  contexts[0]?.onStop(boom);
  contexts[0]?.onStop(() => void diary.push("first"));
  system.crash("a");
  await clock.advance(500);
  assertEquals(diary, ["a 1 up", "first"]);
  resolve();
  await clock.advance(20);
  assertEquals(diary, ["a 1 up", "first", "slow done", "a 1 down", "a 2 up"]);
  assert(lines.some((line) => line.startsWith("error an onStop task failed")));
  contexts[0]?.onStop(() => void diary.push("registered too late, run at once"));
  assertEquals(diary.at(-1), "registered too late, run at once");
  await system.stop();
});

Deno.test("onStop tasks may still write to others", async () => {
  const diary: string[] = [];
  const begin = (context: Context) =>
    context.onStop(() => void context.ref<PuppetProtocol>("other").tell("note", "farewell"));
  const { system, clock } = await stage(oneForOne(puppet("other", diary), puppet("a", diary, { begin })));
  system.crash("a");
  await clock.advance(0);
  assert(diary.includes("other 1 farewell"));
  await system.stop();
});

Deno.test("an actor that crashes while it starts is a failed start, tried again", async () => {
  const diary: string[] = [];
  const begin = (context: Context, incarnation: number) => {
    if (incarnation === 2) boom();
    if (incarnation !== 3) return;
    context.onStop(() => void diary.push("cleaned up"));
    context.crash(new Error("during start"));
    return new Promise(() => {});
  };
  const { system, clock, lines } = await stage(oneForOne(puppet("a", diary, { begin })));
  system.crash("a");
  await clock.advance(500);
  assertEquals(diary, ["a 1 up", "a 1 down", "cleaned up", "a 4 up"]);
  const count = (line: string) => lines.filter((other) => other.startsWith(line)).length;
  assertEquals([count("error actor crashed"), count("error start failed")], [1, 2]);
  await system.stop();
});

Deno.test("at whatever moment of its start an actor crashes, a fresh one follows", async () => {
  for (let moment = 0; moment < 12; moment++) {
    const begin = (context: Context, incarnation: number) => {
      if (incarnation === 2) void crashLater(context, moment);
    };
    const { system, clock } = await stage(oneForOne(puppet("a", [], { begin })));
    system.crash("a");
    await clock.advance(500);
    assertEquals(await system.ref<PuppetProtocol>("a").ask("echo", "x", soon), "x 3");
    await system.stop();
  }
  async function crashLater(context: Context, microtasks: number) {
    for (let n = 0; n < microtasks; n++) await undefined;
    context.crash(new Error("boom"));
  }
});

Deno.test("a start that finishes after its incarnation was given up changes nothing", async () => {
  const diary: string[] = [];
  const late = Promise.withResolvers<void>();
  const begin = (context: Context, incarnation: number) => {
    if (incarnation !== 2) return;
    context.crash(new Error("gave up"));
    return late.promise;
  };
  const { system, clock } = await stage(oneForOne(puppet("a", diary, { begin })));
  system.crash("a");
  await clock.advance(500);
  late.resolve();
  await clock.advance(0);
  assertEquals(await system.ref<PuppetProtocol>("a").ask("echo", "x", soon), "x 3");
  assertEquals(diary.slice(2), ["a 3 up", "a 2 up", "a 2 down"]); // the late one is cleaned up at once
  await system.stop();
});

async function starts(strategy: Strategy, crash: string): Promise<string> {
  const diary: string[] = [];
  const children = ["a", "b", "c"].map((name) => puppet(name, diary));
  const { system, clock } = await stage({ ...oneForOne(...children), strategy });
  system.crash(crash);
  await clock.advance(100);
  await system.stop();
  return diary.filter((line) => line.endsWith("2 up")).map((line) => line[0]).join("");
}

Deno.test("a system restarts by the strategy of the crashed actor's supervisor", async () => {
  assertEquals(await starts("one-for-one", "b"), "b");
  assertEquals(await starts("rest-for-one", "b"), "bc");
  assertEquals(await starts("one-for-all", "b"), "abc");
});

Deno.test("a sibling stopped for another's crash fails its asks like one that crashed", async () => {
  const { system, clock } = await stage({
    ...oneForOne(puppet("a", []), puppet("b", [])),
    strategy: "one-for-all",
  });
  const b = system.ref<PuppetProtocol>("b");
  const asks = [outcome(b.ask("act", () => new Promise(() => {}), soon)), outcome(b.ask("echo", "x", soon))];
  await clock.advance(0);
  system.crash("a");
  await clock.advance(50);
  assertEquals(await Promise.all(asks), ["!crashed", "!crashed"]);
  assertEquals(await b.ask("echo", "x", soon), "x 2");
  await system.stop();
});

/** `root` over `first` and the supervisor `inner`, which allows one restart of `x`, after `y`. */
function nested(diary: string[]): SupervisorSpec {
  const inner: SupervisorSpec = {
    name: "inner",
    strategy: "one-for-one",
    intensity: { restarts: 1, withinMs: 1000 },
    children: [puppet("y", diary), puppet("x", diary)],
  };
  return {
    name: "root",
    strategy: "one-for-one",
    intensity: { restarts: 1, withinMs: 60_000 },
    children: [puppet("first", diary), inner],
  };
}

Deno.test("past the intensity a supervisor's whole subtree is restarted by its parent", async () => {
  const diary: string[] = [];
  const { system, clock } = await stage(nested(diary));
  diary.length = 0;
  for (let crash = 0; crash < 2; crash++) {
    system.crash("x");
    await clock.advance(100);
  }
  assertEquals(diary, ["x 1 down", "x 2 up", "x 2 down", "y 1 down", "y 2 up", "x 3 up"]);
  assertEquals(system.stats().perActor.map(({ name, restarts }) => `${name} ${restarts}`), [
    "first 0",
    "y 1",
    "x 2",
  ]);
  await system.stop();
});

Deno.test("when the root gives up the system ends and says why", async () => {
  const diary: string[] = [];
  const { system, clock } = await stage(nested(diary));
  let ended: string | undefined;
  system.terminated.then(({ reason }) => ended = reason);
  for (let crash = 0; crash < 4; crash++) {
    assertEquals(ended, undefined);
    system.crash("x", new Error("disk on fire"));
    await clock.advance(100);
  }
  assertMatch(ended ?? "", /root gave up: inner failed.*1 restarts within 60000 ms.*x failed.*disk on fire/);
  assertEquals(diary.slice(-2), ["y 2 down", "first 1 down"]);
  assertEquals(system.ref<PuppetProtocol>("first").tell("note", "x"), "dead");
  assertEquals(clock.pending, 0);
});

Deno.test("crashing someone who does not exist is a programmer's error", async () => {
  const { system } = await one();
  assertThrows(() => system.crash("nobody"), Error, "no actor nobody");
  await system.stop();
});

Deno.test("the same messages give the same log, restarts and waits included", async () => {
  const run = async () => {
    const { system, clock, lines, ref, diary } = await one();
    for (let n = 0; n < 4; n++) {
      ref.tell("note", "x");
      ref.tell("act", boom);
      await clock.advance(70);
      diary.push(`${clock.now()}`);
    }
    await system.stop();
    return [...lines, ...diary];
  };
  assertEquals(await run(), await run());
});
