import fc from "fast-check";
import { decide, type Strategy } from "./restart_policy.ts";
import { type Child, Supervisor } from "./supervisor.ts";
import { assert, assertEquals, assertMatch, assertRejects } from "./testing/assert.ts";
import { type Fake, fake } from "./testing/fake.ts";

/** A child that keeps a diary, shared with its siblings, and crashes or fails to start when told. */
class Puppet implements Child {
  up = false;
  starts = 0;
  failNextStart = false;
  /** A start waits for it. */
  gate: Promise<void> | undefined;
  crash: (error: unknown) => void = () => {};

  constructor(readonly name: string, readonly diary: string[]) {}

  async start(onCrash: (error: unknown) => void): Promise<void> {
    await this.gate;
    this.starts++;
    if (this.failNextStart) {
      this.failNextStart = false;
      this.diary.push(`!${this.name}`);
      throw new Error(`${this.name} cannot start`);
    }
    assert(!this.up, `${this.name} started twice`);
    this.up = true;
    this.diary.push(`+${this.name}`);
    this.crash = (error) => {
      this.up = false;
      this.diary.push(`*${this.name}`);
      onCrash(error);
    };
  }

  async stop(): Promise<void> {
    await undefined;
    if (this.up) this.diary.push(`-${this.name}`);
    this.up = false;
  }
}

interface Stage extends Fake {
  readonly puppets: readonly Puppet[];
  readonly diary: string[];
  readonly supervisor: Supervisor;
  readonly escalations: string[];
  start(): Promise<void>;
}

function stage(strategy: Strategy, restarts = 3, decideRestart: typeof decide = decide): Stage {
  const world = fake();
  const diary: string[] = [];
  const puppets = ["a", "b", "c"].map((name) => new Puppet(name, diary));
  const spec = { name: "top", strategy, intensity: { restarts, withinMs: 1000 } };
  const supervisor = new Supervisor(spec, puppets, world.environment, decideRestart);
  const escalations: string[] = [];
  const start = () => supervisor.start((error) => void escalations.push((error as Error).message));
  return { ...world, puppets, diary, supervisor, escalations, start };
}

async function diaryOf(strategy: Strategy, ...crashing: number[]): Promise<string> {
  const { puppets, diary, start, clock, supervisor } = stage(strategy);
  await start();
  diary.length = 0;
  for (const index of crashing) puppets[index]?.crash(new Error("boom"));
  await clock.advance(900);
  const restarts = diary.join(" ");
  await supervisor.stop(true);
  return restarts;
}

Deno.test("children start in order and stop in reverse", async () => {
  const { diary, supervisor, start } = stage("one-for-one");
  await start();
  await supervisor.stop(true);
  assertEquals(diary.join(" "), "+a +b +c -c -b -a");
});

Deno.test("one-for-one restarts the child that crashed", async () => {
  assertEquals(await diaryOf("one-for-one", 1), "*b +b");
});

Deno.test("one-for-all stops the others in reverse and starts all in order", async () => {
  assertEquals(await diaryOf("one-for-all", 1), "*b -c -a +a +b +c");
});

Deno.test("rest-for-one restarts the child that crashed and those after it", async () => {
  assertEquals(await diaryOf("rest-for-one", 1), "*b -c +b +c");
});

Deno.test("children that crash together are restarted once, and once is counted", async () => {
  assertEquals(await diaryOf("one-for-all", 0, 1, 2), "*a *b *c +a +b +c");
  assertEquals(await diaryOf("rest-for-one", 0, 2), "*a *c -b +a +b +c");
});

Deno.test("one-for-one restarts children side by side", async () => {
  const { puppets, diary, start, clock, supervisor } = stage("one-for-one");
  await start();
  const [a, , c] = puppets;
  assert(a && c);
  const { promise, resolve } = Promise.withResolvers<void>();
  a.gate = promise; // a slow start holds up nobody
  a.crash(new Error("boom"));
  c.crash(new Error("boom"));
  await clock.advance(100);
  assertEquals(diary.slice(3).join(" "), "*a *c +c");
  resolve();
  await clock.advance(0);
  await supervisor.stop(true);
});

Deno.test("a crash while others still start for the first time is dealt with afterwards", async () => {
  const { puppets, diary, start, clock, supervisor } = stage("one-for-all");
  const [a, , c] = puppets;
  assert(a && c);
  const { promise, resolve } = Promise.withResolvers<void>();
  c.gate = promise;
  const started = start();
  await clock.advance(0);
  a.crash(new Error("boom"));
  await clock.advance(500);
  assertEquals(diary.join(" "), "+a +b *a");
  resolve();
  await started;
  await clock.advance(500);
  assertEquals(diary.slice(3).join(" "), "+c -c -b +a +b +c");
  await supervisor.stop(true);
});

Deno.test("a supervisor that gave up restarts nobody more", async () => {
  const { puppets, start, clock, escalations, supervisor } = stage("one-for-one", 1);
  await start();
  puppets[0]?.crash(new Error("boom"));
  await clock.advance(1); // its restart waits
  puppets[1]?.crash(new Error("boom"));
  await clock.advance(500);
  assertEquals([escalations.length, puppets[0]?.up, puppets[1]?.up], [1, false, false]);
  await supervisor.stop(true);
});

Deno.test("a restart waits for its backoff", async () => {
  const { puppets, start, clock, supervisor } = stage("one-for-one");
  await start();
  puppets[0]?.crash(new Error("boom"));
  await clock.advance(4);
  assertEquals(puppets[0]?.up, false);
  await clock.advance(6);
  assertEquals(puppets[0]?.up, true);
  await supervisor.stop(true);
});

Deno.test("a restart whose start fails is a crash of its own", async () => {
  const { puppets, diary, start, clock, supervisor } = stage("rest-for-one");
  await start();
  diary.length = 0;
  const [a, b] = puppets;
  assert(a && b);
  b.failNextStart = true;
  a.crash(new Error("boom"));
  await clock.advance(900);
  assertEquals(diary.join(" "), "*a -c -b +a !b +b +c");
  await supervisor.stop(true);
});

Deno.test("past the intensity the supervisor gives up and says why", async () => {
  const { puppets, start, clock, escalations, supervisor } = stage("one-for-one", 2);
  await start();
  for (let crash = 0; crash < 3; crash++) {
    assertEquals(escalations, []);
    puppets[1]?.crash(new Error("out of luck"));
    await clock.advance(100);
  }
  assertEquals(escalations.length, 1);
  assertMatch(escalations[0] ?? "", /top gave up: b failed, and 2 restarts within 1000 ms .* out of luck/);
  await supervisor.stop(true);
});

Deno.test("crashes further apart than the window never escalate", async () => {
  const { puppets, start, clock, escalations, supervisor } = stage("one-for-one", 1);
  await start();
  for (let crash = 0; crash < 20; crash++) {
    puppets[1]?.crash(new Error("boom"));
    await clock.advance(1200);
  }
  assertEquals(escalations, []);
  await supervisor.stop(true);
});

Deno.test("a first start that fails stops what was started and rejects", async () => {
  const { puppets, diary, start } = stage("one-for-one");
  const [, , c] = puppets;
  assert(c);
  c.failNextStart = true;
  await assertRejects(start, Error, "c cannot start");
  assertEquals(diary.join(" "), "+a +b !c -b -a");
});

Deno.test("stopped while a restart waits, nothing is started any more", async () => {
  const { puppets, start, clock, supervisor } = stage("one-for-all");
  await start();
  puppets[0]?.crash(new Error("boom"));
  await clock.advance(1);
  await supervisor.stop(true);
  await clock.advance(5000);
  assertEquals(puppets.map((puppet) => puppet.up), [false, false, false]);
  assertEquals(clock.pending, 0);
});

Deno.test("a supervisor that was stopped starts again with a clean record", async () => {
  const { puppets, start, clock, escalations, supervisor } = stage("one-for-one", 1);
  for (let life = 0; life < 3; life++) {
    await start();
    puppets[0]?.crash(new Error("boom"));
    await clock.advance(100);
    await supervisor.stop(false);
  }
  assertEquals(escalations, []);
});

/**
 * Whatever crashes when: in the end everybody is up or the supervisor gave up once; whoever should share a
 * sibling's fate did; and nobody did who should not.
 */
async function keepsItsChildrenUp(decideRestart: typeof decide): Promise<void> {
  const strategies = fc.constantFrom<Strategy>("one-for-one", "one-for-all", "rest-for-one");
  const events = fc.array(
    fc.record({ child: fc.nat(2), waitMs: fc.nat(30), failsNext: fc.boolean() }),
    { maxLength: 8 },
  );
  await fc.assert(
    fc.asyncProperty(strategies, events, fc.nat(10), async (strategy, events, restarts) => {
      const { puppets, start, clock, escalations, supervisor } = stage(strategy, restarts, decideRestart);
      await start();
      for (const { child, waitMs, failsNext } of events) {
        const puppet = puppets[child];
        if (!puppet?.up || escalations.length > 0) continue;
        const before = puppets.map((other) => other.starts);
        puppet.failNextStart = failsNext;
        puppet.crash(new Error("boom"));
        await clock.advance(waitMs);
        if (waitMs < 25) continue; // only look when the restart has had its time
        await clock.advance(30_000);
        if (escalations.length > 0) continue;
        puppets.forEach((other, index) => {
          const shares = strategy === "one-for-all" || index === child ||
            (strategy === "rest-for-one" && index > child);
          if (shares) assert(other.starts > (before[index] ?? 0), `${other.name} was left alone`);
        });
      }
      await clock.advance(30_000);
      assert(escalations.length <= 1, "gave up twice");
      if (escalations.length === 0) assertEquals(puppets.map((puppet) => puppet.up), [true, true, true]);
      await supervisor.stop(true);
      await clock.advance(30_000);
      assertEquals(puppets.map((puppet) => puppet.up), [false, false, false]);
      assertEquals(clock.pending, 0);
    }),
    { numRuns: 60 },
  );
}

Deno.test("whatever crashes when, a supervisor keeps its children up or gives up", async () => {
  await keepsItsChildrenUp(decide);
});

Deno.test("planted: a supervisor that restarts only one in one-for-all is caught", async () => {
  await assertRejects(() =>
    keepsItsChildrenUp((policy, history, failure) =>
      decide({ ...policy, strategy: "one-for-one" }, history, failure)
    )
  );
});

Deno.test("planted: a supervisor that restarts the wrong child is caught", async () => {
  await assertRejects(() =>
    keepsItsChildrenUp((policy, history, failure) =>
      decide(policy, history, { ...failure, child: (failure.child + 1) % failure.children })
    )
  );
});
