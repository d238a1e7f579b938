import fc from "fast-check";
import {
  assert,
  assertEquals,
  assertNotEquals,
  assertRejects,
  assertThrows,
} from "../runtime/testing/assert.ts";
import { Events } from "./events.ts";
import type { SeenMessage } from "./links.ts";
import type { LogLine } from "./log.ts";
import { Simulation } from "./simulation.ts";
import { echoWorkload } from "./testing/echo.ts";

Deno.test("simulation: one seed, one history; another seed, another", async () => {
  const first = await echoWorkload(1);
  assert(first.eventCount > 1000, `a workload worth comparing: ${first.eventCount} events`);
  assertEquals(await echoWorkload(1), first);
  assertNotEquals((await echoWorkload(2)).traceHash, first.traceHash);
});

Deno.test("simulation: one seed, one history, in two processes", async () => {
  const script = new URL("./testing/echo.ts", import.meta.url).href;
  const code =
    `import { echoWorkload } from "${script}"; console.log(JSON.stringify(await echoWorkload(7)));`;
  const run = () => new Deno.Command(Deno.execPath(), { args: ["eval", code], stderr: "inherit" }).output();
  const outputs = (await Promise.all([run(), run()])).map(({ stdout }) => new TextDecoder().decode(stdout));
  assertEquals(JSON.parse(outputs[0]!), JSON.parse(outputs[1]!));
  assertEquals(JSON.parse(outputs[0]!), await echoWorkload(7));
});

Deno.test("simulation: who listens to the log makes no difference", async () => {
  const lines: LogLine[] = [];
  assertEquals(await echoWorkload(3, { onLog: (line) => lines.push(line) }), await echoWorkload(3));
  assert(lines.length > 100 && lines.some(({ level }) => level === "warn"));
});

Deno.test("simulation: who observes what travels sees all of it, and makes no difference", async () => {
  const seen: SeenMessage[] = [];
  assertEquals(await echoWorkload(3, { onMessage: (message) => seen.push(message) }), await echoWorkload(3));
  const kinds = new Set(seen.map(({ what }) => what));
  assertEquals([...kinds].sort(), [
    "again",
    "connect",
    "end",
    "lost",
    "refuse",
    "reset",
    "stray",
    "unit",
    "welcome",
  ]);
  assert(seen.some(({ held, sentMs, arrivedMs }) => held && arrivedMs > sentMs + 50), "a partition held one");
  for (const { what, bytes, sentMs, arrivedMs } of seen) {
    assert(arrivedMs > sentMs, `${what} of ${sentMs} arrived at ${arrivedMs}`);
    assertEquals(bytes.length > 0, ["unit", "lost", "stray", "again"].includes(what));
  }
});

Deno.test("simulation: planted: an observer that lets something happen shows in the trace hash", async () => {
  const hashOf = async (onMessage: (simulation: Simulation) => void) => {
    const simulation: Simulation = new Simulation({ seed: 1, onMessage: () => onMessage(simulation) });
    const { network } = simulation.environment("n1");
    network.connect({ host: "n1", port: 1 }, 100).catch(() => {});
    await simulation.runUntilIdle(1000);
    return simulation.traceHash;
  };
  const quiet = await hashOf(() => {});
  assertNotEquals(await hashOf((simulation) => simulation.environment("o").clock.after(1, () => {})), quiet);
});

Deno.test("simulation: a planted leak of real chance shows in the trace hash", async () => {
  const leaky = async () => {
    const simulation = new Simulation({ seed: 1 });
    simulation.environment("n1").clock.after(crypto.getRandomValues(new Uint32Array(1))[0]!, () => {});
    await simulation.runUntilIdle(Infinity);
    return simulation.traceHash;
  };
  assertNotEquals(await leaky(), await leaky());
});

Deno.test("simulation: timers fire in the order of their times, then of their calls: as a stable sort", async () => {
  const delays = fc.array(fc.tuple(fc.integer({ min: 0, max: 5 }), fc.boolean()), { maxLength: 60 });
  await fc.assert(fc.asyncProperty(delays, async (timers) => {
    const simulation = new Simulation({ seed: 1 });
    const { clock } = simulation.environment("n1");
    const fired: number[] = [];
    timers.forEach(([delayMs, cancelled], i) => {
      const timer = clock.after(delayMs, () => fired.push(i));
      if (cancelled) timer.cancel();
    });
    assertEquals(await simulation.runUntilIdle(1000), true);
    const expected = timers.map(([delayMs, cancelled], i) => ({ delayMs, cancelled, i }))
      .filter(({ cancelled }) => !cancelled).sort((a, b) => a.delayMs - b.delayMs).map(({ i }) => i);
    assertEquals(fired, expected);
  }));
});

Deno.test("simulation: promises settled by one event have their say before the next", async () => {
  const simulation = new Simulation({ seed: 1 });
  const { clock } = simulation.environment("n1");
  const said: string[] = [];
  clock.after(1, async () => {
    said.push("event 1");
    for (let i = 0; i < 20; i++) await Promise.resolve();
    said.push("promise 1");
  });
  clock.after(1, () => said.push("event 2"));
  await simulation.runFor(1);
  assertEquals(said, ["event 1", "promise 1", "event 2"]);
});

Deno.test("simulation: runFor passes exactly so much time, runUntil no more than it must", async () => {
  const simulation = new Simulation({ seed: 1 });
  const { clock } = simulation.environment("n1");
  await simulation.runFor(10);
  assertEquals(simulation.now(), 10);
  let count = 0;
  const tick = () => {
    count++;
    clock.after(10, tick);
  };
  tick();
  assertEquals(await simulation.runUntil(() => count === 5, 1000), true);
  assertEquals(simulation.now(), 50);
  assertEquals(await simulation.runUntil(() => false, 25), false);
  assertEquals(simulation.now(), 75);
  assertEquals(await simulation.runUntilIdle(10), false);
  assertEquals(await simulation.complete(Promise.resolve(3)), 3);
  await assertRejects(() => simulation.complete(new Promise(() => {}), 100), Error, "seed 1");
});

Deno.test("simulation: a loop that lets no time pass is found", () => {
  const events = new Events(10);
  const spin = () => void events.schedule(0, null, "spin", spin);
  spin();
  const run = () => {
    for (;;) events.step();
  };
  assertThrows(run, Error, "time stands still at 0 ms");
});

Deno.test("simulation: clocks of machines skew, drift and start anywhere; time never jumps back", async () => {
  const simulation = new Simulation({ seed: 1 });
  const [a, b] = [simulation.environment("a"), simulation.environment("b")];
  assertNotEquals(a.clock.now(), b.clock.now());
  const skew = simulation.clock("a");
  skew.skewMs = 10 * 365 * 86_400_000;
  assertEquals(a.clock.wall() - b.clock.wall(), skew.skewMs);
  const before = a.clock.now();
  skew.rate = 2;
  assertEquals(a.clock.now(), before);
  await simulation.runFor(100);
  assertEquals(a.clock.now() - before, 200);
  let fired = -1;
  a.clock.after(100, () => fired = simulation.now());
  await simulation.runFor(100);
  assertEquals(fired, 150); // 100 of its milliseconds are 50 true ones
  skew.rate = 0.5;
  assertEquals(a.clock.now() - before, 400);
  simulation.heal();
  assertEquals(a.clock.wall(), b.clock.wall());
});

Deno.test("simulation: a killed process fires no timer and hears no answer; the next one starts afresh", async () => {
  const simulation = new Simulation({ seed: 1 });
  const first = simulation.environment("n1");
  assertEquals(simulation.environment("n1"), first);
  const heard: string[] = [];
  first.clock.after(10, () => heard.push("timer"));
  first.disk.makeDirectory("d");
  first.disk.open("d/f", { write: true, create: true }).sync().then(() => heard.push("sync"));
  first.network.listen({ host: "n1", port: 1 }).then((listener) =>
    listener.accept().then(() => heard.push("accept"))
  );
  first.network.connect({ host: "nowhere", port: 1 }, 100).catch(() => heard.push("connect"));
  simulation.killNode("n1");
  assertEquals(simulation.isAlive("n1"), false);
  const second = simulation.environment("n1");
  assertNotEquals(second.random.bytes(16), first.random.bytes(16));
  await second.network.listen({ host: "n1", port: 1 });
  await assertRejects(() => first.disk.syncDirectory("d"), Error, "ended");
  await simulation.runFor(1000);
  assertEquals(heard, []);
  assertEquals(second.disk.exists("d/f"), true); // killed, not cut from power: the kernel has it
});

Deno.test("simulation: a paused process does nothing, then everything that was due, in order", async () => {
  const simulation = new Simulation({ seed: 1 });
  const { clock } = simulation.environment("n1");
  const fired: number[] = [];
  for (const delayMs of [30, 10, 20]) clock.after(delayMs, () => fired.push(delayMs));
  const cancelled = clock.after(15, () => fired.push(15));
  simulation.pauseNode("n1");
  await simulation.runFor(60);
  assertEquals(fired, []);
  cancelled.cancel();
  simulation.resumeNode("n1");
  await simulation.runFor(0);
  assertEquals(fired, [10, 20, 30]);
});
